"""Finds standard descriptors that the job's code has closed, before a data connection takes their number."""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress

_WARNING = 30
_TEXT = (
    "its code has closed descriptor {descriptor} ({name}), which it has not opened: what is written there is lost. "
    "Close only what the code has opened, and redirect {name} with os.dup2"
)
_NAMES = {0: "stdin", 1: "stdout", 2: "stderr"}


class StandardDescriptors:
    """Call `repair` after user code has had a chance to close them. `own` returns the descriptors of the job's connections."""

    def __init__(self, own: Callable[[], Iterable[int]], log: Callable[[int, str], None]) -> None:
        self._own = own
        self._log = log
        self._reported: set[int] = set()

    def repair(self) -> None:
        """Open /dev/null in the place of each standard descriptor that is closed; log it, and one that a connection has taken."""
        taken = _NAMES.keys() & set(self._own())
        for descriptor, name in _NAMES.items():
            if descriptor in taken or not _is_open(descriptor):
                if descriptor not in taken:
                    _open_nowhere(descriptor)
                if descriptor not in self._reported:
                    self._reported.add(descriptor)
                    self._log(_WARNING, _TEXT.format(descriptor=descriptor, name=name))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _open_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nowhere, descriptor)
    if nowhere != descriptor:
        os.close(nowhere)


def flush_output() -> None:
    """Flush what the job has printed; a stream that the job's code has closed or replaced has nothing to flush."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
