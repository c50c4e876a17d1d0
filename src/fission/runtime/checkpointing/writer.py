"""Writes files in a thread of its own, each completely or not at all, so that a slow disk does not stop the stream."""

import contextlib
import queue
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["FileWriter", "write_file"]

_WARNING = 30


class FileWriter:
    """Does what is submitted, in that order; the thread begins with the first.

    A failure of the disk is logged once until `written` is called: `what` cannot be written, and the `effect` of that.
    """

    def __init__(self, folder: Path, log: Callable[[int, str], None], *, what: str, effect: str) -> None:
        self._folder = folder
        self._log = log
        self._what, self._effect = what, effect
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._complained = False

    def submit(self, work: Callable[[], None]) -> None:
        """Do this in the thread."""
        self._work.put(work)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="fission-state", daemon=True)
            self._thread.start()

    def written(self) -> None:
        """Log the next failure again; call it in the thread."""
        self._complained = False

    def _run(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except OSError as error:
                self._complain(error)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            where = error.filename or self._folder
            text = f"{self._what} cannot be written to {where}: {error.strerror}; {self._effect}"
            self._log(_WARNING, text)


def write_file(file: Path, data: bytes) -> None:
    """Write a file completely or not at all."""
    unfinished = file.with_name(f"{file.name}.new")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
