"""Private folders for the Unix sockets of jobs: short paths, removed with their owner."""

import os
import tempfile
from pathlib import Path

from fission.engine.host.scratch import scratch_folder

_PREFIX = "fission-run-"
_LONGEST_FOLDER = 70


def socket_folder() -> Path:
    """Create a private folder whose path leaves room for the name of a socket. Raises OSError."""
    return scratch_folder(_PREFIX, short_parent())


def short_parent() -> str:
    """Return the temporary folder, or /tmp when a path in it is too long for a socket (108 bytes on Linux)."""
    parent = tempfile.gettempdir()
    return parent if len(os.fsencode(parent)) < _LONGEST_FOLDER else "/tmp"  # noqa: S108 - mkdtemp makes it safe
