"""Log files that survive a full or failing disk: the failure is reported once, and records are dropped meanwhile."""

import contextlib
import logging
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

__all__ = ["RETRY_SECONDS", "DegradingFileHandler", "ends_within_line"]

RETRY_SECONDS = 10.0
"""Time after a failed write before the file is tried again."""

_log = logging.getLogger(__name__)


def ends_within_line(path: str | Path) -> bool:
    """Return whether the last line of a file is not complete, as a full disk leaves it. Raises OSError."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        return bool(size) and file.read(1) != b"\n"


class DegradingFileHandler(RotatingFileHandler):
    """Writes records to a file. After an OSError it drops records and tries again every `RETRY_SECONDS`.

    The default `maxBytes` of 0 never rotates.
    """

    def __init__(self, filename: str, mode: str = "a", *, max_bytes: int = 0, backups: int = 0) -> None:
        super().__init__(filename, mode, max_bytes, backups, encoding="utf-8", errors="backslashreplace")
        self.mode = "a"  # a file that is opened again keeps its contents
        self._retry_at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or drop it while the disk fails."""
        if record.created < self._retry_at:
            return
        failed_before = self._retry_at
        super().emit(record)
        if self._retry_at == failed_before:
            self._retry_at = 0.0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in `logging`
        """Close the file after an OSError, and report the first one of a series."""
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        first = not self._retry_at
        self._retry_at = record.created + RETRY_SECONDS
        self._drop_stream()
        if first:
            reason = error.strerror or error
            _log.warning("%s: the log cannot be written: %s. Records are dropped", self.baseFilename, reason)

    def _open(self) -> TextIOWrapper:
        """Open the file, after the end of a line."""
        file = super()._open()
        if self.mode == "a" and ends_within_line(self.baseFilename):
            file.write(self.terminator)
        return file

    def close(self) -> None:
        """Close the file; what the disk does not take is lost."""
        with contextlib.suppress(OSError):
            super().close()

    def _drop_stream(self) -> None:
        stream, self.stream = self.stream, None  # the base class opens it again
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()
