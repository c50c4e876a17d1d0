"""Makes the kits of the tests importable: the lab and the chaos kit."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))


def no_lab() -> bool:
    """Whether this machine cannot run a lab; prints the reason."""
    from lab import unavailable

    reason = unavailable()
    if reason:
        print(f"error: {reason}", file=sys.stderr)
    return bool(reason)
