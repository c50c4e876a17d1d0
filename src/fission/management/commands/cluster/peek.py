"""`peek`: blocks of a pipe of a running network, described by the process that sends them."""

import base64
import json
import sys
from collections.abc import Mapping
from contextlib import closing
from enum import Enum, auto
from pathlib import Path
from typing import Any, cast

from fission.errors import RunError
from fission.management.access.running_client import no_client, watch_pipe
from fission.management.console.exit_codes import print_error
from fission.management.console.tables import printable

SIZE_RATE = float(1 << 20)
"""Bytes per second that a tap may carry."""

_TEXT = 200
_JSON_TEXT = 1 << 14


class PeekForm(Enum):
    """What is written of a block."""

    TEXT = auto()
    JSON = auto()
    RAW = auto()


def peek_command(root: Path, name: str, pipe: int, *, count: int, rate: float, form: PeekForm) -> int:
    """Print `count` blocks of a pipe, 0 for all until its end; return 2 if it cannot be watched. Raises RunError."""

    def waits() -> None:
        print(f"pipe {pipe}: no block yet; waits for one (Ctrl+C ends)", file=sys.stderr)

    text = _JSON_TEXT if form is PeekForm.JSON else _TEXT
    raw = form is PeekForm.RAW
    items = watch_pipe(root, name, waits, pipe=pipe, rate=rate, size_rate=SIZE_RATE, text=text, raw=raw)
    if items is None:
        raise no_client(root, name)
    shown = 0
    with closing(cast(Any, items)):  # a generator: closing it closes the connection, which ends the tap
        for item in items:
            if item.get("errors"):
                print_error(f"network {name}: {item['errors'][0]}")
                return 2
            if "end" in item:
                print(f"pipe {pipe}: {item['end']}", file=sys.stderr)
                return 0
            shown += _write(item, form)
            if count and shown >= count:
                return 0
    if count:
        raise RunError(
            "its client has ended", where=f"network {name}", expected=f"{count} blocks", found=str(shown)
        )
    print(f"network {name} has ended", file=sys.stderr)
    return 0


def _write(item: Mapping[str, Any], form: PeekForm) -> bool:
    """Write a block; return whether that was possible."""
    if form is PeekForm.TEXT:
        print(described(item), flush=True)
    elif form is PeekForm.JSON:
        print(json.dumps(item), flush=True)
    elif "payload" in item:
        sys.stdout.buffer.write(base64.b64decode(item["payload"]))
        sys.stdout.buffer.flush()
    else:
        text = f"block {item['number']} is left out: it has {item['size']} bytes, --raw writes up to 65536"
        print(text, file=sys.stderr)
        return False
    return True


def described(item: Mapping[str, Any]) -> str:
    """Return one line about a block, without control characters."""
    start = f"{item['number']:>8}  {item['size']:>9,} B  "
    array = item.get("array")
    if array is None:
        text = json.dumps(item["value"], ensure_ascii=False) if "value" in item else str(item["text"])
        return start + printable(text)
    shape = ", ".join(map(str, array["shape"])) + ("," if len(array["shape"]) == 1 else "")
    names = {"min": "minimum", "max": "maximum", "mean": "mean", "rms": "rms"}
    numbers = [f"{short} {array[name]:.4g}" for short, name in names.items() if array[name] is not None]
    return f"{start}{printable(array['dtype'])} ({shape})  {'  '.join(numbers)}".rstrip()
