"""Reading and writing of files, with errors that name them."""

import contextlib
import os
import tempfile
from pathlib import Path

from fission.planning.model import EmbeddingError

__all__ = ["MAX_BYTES", "read_text", "write_text"]

MAX_BYTES = 256 << 20
"""Size of the largest file that is read."""


def read_text(path: str | Path) -> str:
    """Return the text of a file. Raises EmbeddingError."""
    try:
        if os.stat(path).st_size > MAX_BYTES:
            raise EmbeddingError(
                "the file is too large", where=str(path), expected=f"at most {MAX_BYTES} bytes"
            )
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise EmbeddingError(f"it cannot be read: {error.strerror or error}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise EmbeddingError("it is no text", where=str(path), expected="UTF-8") from error


def write_text(path: str | Path, text: str) -> None:
    """Write a file completely or leave an older one as it was. Raises EmbeddingError."""
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        target = target.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(handle, mode)
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise EmbeddingError(f"it cannot be written: {error.strerror or error}", where=str(path)) from error
