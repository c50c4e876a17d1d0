"""Importing this makes the kits of the tests importable: the lab, and the chaos kit."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))


def no_lab() -> bool:
    """Whether there can be no lab on this machine; says why."""
    from lab import unavailable

    reason = unavailable()
    if reason:
        print(f"error: {reason}", file=sys.stderr)
    return bool(reason)
