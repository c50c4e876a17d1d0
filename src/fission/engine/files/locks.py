"""Folders that belong to one process at a time: a lock that goes with the process, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fission.errors import RunError


def lock_folder(folder: Path) -> bool:
    """Lock an existing folder until this process ends; False when another one has it. Raises OSError."""
    return _lock(folder) >= 0


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Lock an existing folder for a while; False when another process has it. Raises OSError."""
    handle = _lock(folder)
    try:
        yield handle >= 0
    finally:
        if handle >= 0:
            os.close(handle)


def _lock(folder: Path) -> int:
    """The handle that keeps the lock, or -1."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return -1
    return handle


def is_locked(folder: Path) -> bool:
    """Whether a process has locked a folder with `lock_folder`; another process than this one. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def lock_holder(folder: Path) -> int:
    """The process that has locked a folder with `lock_folder`; 0 when there is none, or none that may be seen.

    It is found without touching the lock, so nobody who wants it at this moment is refused because of the question.
    """
    with suppress(OSError):
        wanted = folder.stat()
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        for pid in {line[4] for line in lines if line[1:4] == ["FLOCK", "ADVISORY", "WRITE"]}:
            if _holds(Path("/proc", pid), wanted):
                return int(pid)
    return 0


def _holds(process: Path, wanted: os.stat_result) -> bool:
    """Whether one of the files that a process has open is this one, and locked."""
    with suppress(OSError):  # it has ended, or is somebody else's
        for handle in (process / "fd").iterdir():
            with suppress(OSError):  # it was closed meanwhile
                same = os.path.samestat(handle.stat(), wanted)
                if same and "FLOCK" in (process / "fdinfo" / handle.name).read_text():
                    return True
    return False


class FolderLock:
    """The lock of an existing folder, until `close` or the end of the process. Raises RunError, OSError."""

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
        """Let another process lock the folder; once is enough."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
