"""`hz`: blocks and bytes per second of a pipe, from the counters that both of its ends keep."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fission.errors import ProjectError
from fission.management.access.running_client import ask, ask_simulation
from fission.management.commands.cluster.status import ask_client_of
from fission.monitor.rates import block_rates, pipe_rates


def hz_command(root: Path, name: str, pipe: int, *, interval: float, count: int, as_json: bool) -> int:
    """Print `count` lines, 0 for all until the network ends. Raises RunError and ProjectError."""
    before = ask_client_of(root, name, "status")["network"]
    known = [one["id"] for one in before["pipes"]]
    if pipe not in known:
        raise ProjectError(
            f"there is no pipe {pipe}",
            where=f"network {name}",
            expected=f"one of {', '.join(map(str, known[:20]))}" if known else "",
        )
    printed = 0
    while not count or printed < count:
        time.sleep(interval)
        answer = ask(root, name, do="status") or ask_simulation(root, name, do="status")
        if answer is None or answer.get("errors"):
            print(f"network {name} has ended")
            return 0
        now = answer["network"]
        line = measured(before, now, pipe)
        before = now
        if line is not None:
            print(json.dumps(line) if as_json else described(line), flush=True)
            printed += 1
    return 0


def measured(before: Mapping[str, Any], now: Mapping[str, Any], pipe: int) -> dict[str, Any] | None:
    """Return the rates of a pipe between two views; None when one of its jobs was restarted meanwhile."""
    blocks, rates = block_rates(before, now), pipe_rates(before, now)
    if pipe not in blocks or pipe not in rates:
        return None
    (view,) = (one for one in now["pipes"] if one["id"] == pipe)
    sent, size = rates[pipe]
    return {
        "pipe": pipe,
        "seconds": now["seconds"] - before["seconds"],
        "sent_per_second": sent,
        "delivered_per_second": blocks[pipe],
        "bytes_per_second": size,
        "bytes_per_block": size / sent if sent else None,
        "queued": view["queued"],
        "lag": view["lag"],
    }


def described(line: Mapping[str, Any]) -> str:
    """Return the line for people."""
    size = line["bytes_per_block"]
    each = "" if size is None else f"  {size:,.0f} B/block"
    return (
        f"{line['delivered_per_second']:>10,.1f} blocks/s  {_bytes(line['bytes_per_second']):>11}/s{each}"
        f"  queued {line['queued']:,.0f}  lag {1000 * line['lag']:.1f} ms"
    )


def _bytes(number: float) -> str:
    for unit in ("B", "KB", "MB"):
        if number < 1000:
            return f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
