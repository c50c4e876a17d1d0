"""Shared by the command lines of all benchmarks: options, progress output, storage of results."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.subjects import ROOT

PAGE = ROOT / "benchmarks" / "RESULTS.md"
_RESULTS = ROOT / "benchmarks" / "results"


def parser(name: str, description: str, examples: str = "") -> argparse.ArgumentParser:
    """Make the parser of `python -m NAME`; it has `--publish` and `--results` already."""
    made = argparse.ArgumentParser(
        f"python -m {name}",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--publish", action="store_true", help="write the figures into RESULTS.md")
    made.add_argument(
        "--results",
        type=Path,
        default=_RESULTS,
        metavar="DIR",
        help="store here (default benchmarks/results)",
    )
    return made


def positive(text: str) -> float:
    """Read a number of seconds. Raises ArgumentTypeError."""
    value = _number(text)
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0, a day at most")
    return value


def positive_int(text: str) -> int:
    """Read a whole number above 0. Raises ArgumentTypeError."""
    value = _number(text)
    if value < 1 or value != int(value):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number, 1 or more")
    return int(value)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from None


def say(text: str) -> None:
    """Print a line of progress to stderr."""
    print(text, file=sys.stderr, flush=True)


def store(result: Mapping[str, object], folder: Path, name: str = "") -> Path:
    """Write a result as JSON into a file named by `name` and the time; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{'-' * bool(name)}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    say(f"stored in {path}")
    return path
