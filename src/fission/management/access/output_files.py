"""Files that a command writes for its user: completely or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from fission.errors import ProjectError

__all__ = ["write_output"]


def write_output(path: Path, data: bytes, what: str) -> None:
    """Write a file, or leave an older one as it was. Raises ProjectError, which names `what` cannot be written.

    A device or pipe is written directly. A new file has the permissions that the umask allows, an older one keeps its own.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path, data)
    except OSError as error:
        raise ProjectError(f"{what} cannot be written: {error.strerror or error}", where=str(path)) from error


def _replace(path: Path, data: bytes) -> None:
    target = path.resolve()  # a link stays a link
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            os.fchmod(handle, mode)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
