"""Private files: never readable by other users, never partially written."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from fission.security.errors import CertificateError

__all__ = ["locked", "make_folder", "place_folder", "replace_file", "write_file"]

PRIVATE = 0o600
PUBLIC = 0o644


def make_folder(path: Path) -> None:
    """Create a folder that only its owner can enter, unless it exists."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)


def write_file(path: Path, data: bytes, mode: int, *, sync: bool = True) -> None:
    """Write a new file, or nothing; its mode is set before its contents. Raises OSError, also when the file exists."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(fd)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Write a file so that a reader sees the old contents or the new, whole. Needs `locked`."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    write_file(new, data, mode)
    os.replace(new, path)
    _sync_folder(path.parent)


def place_folder(
    path: Path, files: Mapping[str, tuple[bytes, int]], *, owner: tuple[int, int] | None = None
) -> None:
    """Put a folder with these files (name to contents and mode) in the place of whatever was there.

    With `owner` (user and group id; only root can) the files belong to that user, who can enter the folder but not change it.

    A certificate and its key are replaced together: a reader finds the old pair, the new one, or for an
    instant none; never one of each. Needs `locked`.
    """
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    make_folder(new)
    try:
        for name, (data, mode) in files.items():
            write_file(new / name, data, mode)
            if owner is not None:
                os.chown(new / name, *owner)
        if owner is not None:
            os.chown(new, -1, owner[1])
            os.chmod(new, 0o750)  # noqa: S103 - as `fission deploy` makes it: the group may enter
        _sync_folder(new)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, old)
    os.rename(new, path)
    _sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder against other commands. Raises CertificateError when it is locked."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CertificateError(
                "another command is making certificates here",
                where=str(folder),
                hint="Wait until it has ended",
            ) from None
        yield
    finally:
        os.close(fd)


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
