"""Output to a file on a disk that is full, or fails: it is dropped, reported once, and tried again."""

import errno
import logging
import os
import stat
from time import monotonic

from fission.management.console.log_files import RETRY_SECONDS

__all__ = ["OutputFile"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

_log = logging.getLogger(__name__)


class OutputFile:
    """The file behind stdout or stderr. A network does not end because the file that its output goes to cannot be written."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._retry_at = 0.0
        self._within_line = False

    def write(self, data: bytes) -> int:
        """Return how many bytes are written, or dropped because the disk fails. Raises OSError when the reader is gone."""
        if monotonic() < self._retry_at:
            return len(data)
        try:
            if self._retry_at and self._within_line:
                os.write(self._file, b"\n")  # after a line that was cut
            done = os.write(self._file, data)
        except OSError as error:
            if not self._is_of_disk(error):
                raise
            first = not self._retry_at
            self._retry_at = monotonic() + RETRY_SECONDS
            if first:
                _log.warning("output cannot be written: %s. It is dropped meanwhile", error.strerror)
            return len(data)
        self._retry_at = 0.0
        self._within_line = not data[:done].endswith(b"\n")
        return done

    def _is_of_disk(self, error: OSError) -> bool:
        """Whether the disk fails; EIO of a terminal means that it was closed."""
        if error.errno == errno.EIO:
            return stat.S_ISREG(os.fstat(self._file).st_mode)
        return error.errno in _FULL
