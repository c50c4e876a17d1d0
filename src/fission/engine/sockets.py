"""Private folders for the Unix sockets of jobs: short paths, closed to others, and gone when their owner is."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from fission.engine.locks import lock_folder, locked

_PREFIX = "fission-run-"
_LONGEST_FOLDER = 70


def socket_folder() -> Path:
    """A new private folder whose path leaves room for the name of a socket (108 bytes on Linux).

    Folders that a killed engine has left behind are removed: nobody holds their lock any more. Raises OSError.
    """
    parent = tempfile.gettempdir()
    parent = parent if len(os.fsencode(parent)) < _LONGEST_FOLDER else "/tmp"  # noqa: S108 - mkdtemp makes it safe
    for old in Path(parent).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if old.stat().st_uid == os.getuid():
                with locked(old) as ours:
                    if ours:
                        shutil.rmtree(old)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        # somebody who tidies up at this moment may have taken it for one that was left behind
        with contextlib.suppress(FileNotFoundError):
            if lock_folder(folder) and folder.exists():
                return folder
