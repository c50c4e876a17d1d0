"""Folders that belong to one process at a time: a lock that goes with the process, however it ends."""

import fcntl
import os
from pathlib import Path


def lock_folder(folder: Path) -> bool:
    """Lock an existing folder until this process ends; False when another one has it. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    return True
