"""Locks folders for one process at a time; a lock ends with its process, however that ends.

The lock is a `flock` on something that no other user can open: on the folder itself where it is closed to others (0700), else on
the file `.lock` (0600) in it. A local user who may read a folder could lock the folder itself, and keep a network from starting.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fission.errors import RunError

LOCK_FILE = ".lock"
"""The lock file. It stays in the folder, also when the folder is emptied while it is locked."""


def lock_folder(folder: Path) -> bool:
    """Lock an existing folder until this process ends; False when another process holds the lock. Raises OSError."""
    return _lock(folder) >= 0


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Lock an existing folder inside a `with` block; False when another process holds the lock. Raises OSError."""
    handle = _lock(folder)
    try:
        yield handle >= 0
    finally:
        if handle >= 0:
            os.close(handle)


def _lockable(folder: Path) -> Path:
    """Return the path that is locked for a folder."""
    return folder / LOCK_FILE if folder.stat().st_mode & 0o077 else folder


def _lock(folder: Path) -> int:
    """Return the descriptor that holds the lock, or -1."""
    path = _lockable(folder)
    flags = os.O_RDONLY | os.O_DIRECTORY if path == folder else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    handle = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        if os.geteuid() not in (0, os.fstat(handle).st_uid):
            raise PermissionError(errno.EPERM, "the lock belongs to another user", os.fspath(path))
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return -1
    except OSError:
        os.close(handle)
        raise
    return handle


def is_locked(folder: Path) -> bool:
    """Return whether another process holds the lock of a folder. Raises OSError."""
    try:
        handle = os.open(_lockable(folder), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def lock_holder(folder: Path) -> int:
    """Return the process that holds the lock of a folder; 0 when there is none, or none visible to this user.

    The lock itself is not touched, so a process that takes it at this moment is not refused by the query.
    """
    with suppress(OSError):
        wanted = _lockable(folder).stat()
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        for pid in {line[4] for line in lines if line[1:4] == ["FLOCK", "ADVISORY", "WRITE"]}:
            if _holds(Path("/proc", pid), wanted):
                return int(pid)
    return 0


def _holds(process: Path, wanted: os.stat_result) -> bool:
    """Return whether a process has this file open and locked."""
    with suppress(OSError):  # it has ended, or belongs to another user
        for handle in (process / "fd").iterdir():
            with suppress(OSError):  # it was closed meanwhile
                same = os.path.samestat(handle.stat(), wanted)
                if same and "FLOCK" in (process / "fdinfo" / handle.name).read_text():
                    return True
    return False


class FolderLock:
    """Locks an existing folder until `close` or the end of the process. Raises RunError, OSError."""

    def __init__(self, folder: Path) -> None:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise RunError(
                "another process uses this folder",
                where=str(folder),
                hint="Give each node service its own folder",
            ) from None
        self._handle = handle

    def close(self) -> None:
        """Release the lock; another call does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
