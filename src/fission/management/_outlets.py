"""Writing to readers that may stand still: a pager, a stopped terminal, a pipe into a program that sleeps.

A plain `print` to them does not return, and Ctrl+C would not be heard. Here the wait is ours, so that it can be ended.
"""

import contextlib
import io
import select
import sys
from collections.abc import Callable, Iterator
from os import write
from time import monotonic
from typing import TextIO

LAST_WORDS = 0.5
"""Seconds that a reader has at the end to take what is still there."""

Hurry = Callable[[float], None]
"""`hurry(deadline)`: from this time on (of `time.monotonic`), wait for no reader."""

_AT_ONCE = select.PIPE_BUF
"""Bytes that a pipe takes without making the writer wait, once it takes any."""
_MOST = 1 << 20
_SLICE = 0.1


class Outlet(io.TextIOBase):
    """Takes the place of a stream of text with a file behind it.

    With `wait` a reader who stands still stops the writer, as usual; else the writer goes on, and lines are left out.
    """

    def __init__(self, stream: TextIO, *, wait: bool) -> None:
        self._stream = stream
        self._file = stream.fileno()
        self._wait = wait
        self._deadline = float("inf")
        self._pending = bytearray()
        self._new_line = True
        self._leaving_out = False
        self._left_out = 0
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLOUT)
        stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override] # a variable there
        """That of the stream."""
        return self._stream.encoding

    def fileno(self) -> int:
        """The file behind it."""
        return self._file

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def hurry(self, deadline: float) -> None:
        """From this time on (of `time.monotonic`), wait for nobody; may be called in a signal handler."""
        self._deadline = min(self._deadline, deadline)

    def write(self, text: str) -> int:
        """Take a text; it goes out with `flush`, or when there is much of it.

        Only whole lines are left out. Raises BrokenPipeError.
        """
        if self._new_line:
            self._leaving_out = self._is_full()
        self._new_line = text.endswith("\n")
        if self._leaving_out:
            self._left_out += text.count("\n")
            return len(text)
        if self._left_out:
            self._add(f"... {self._left_out:,} lines were left out, as nobody read them\n")
            self._left_out = 0
        self._add(text)
        if len(self._pending) > _AT_ONCE:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Write out what is there. Raises BrokenPipeError when the reader has gone."""
        while self._pending:
            if not self._ready():
                if self._wait:
                    self._pending.clear()  # it is the end
                return
            try:
                done = write(self._file, self._pending[:_AT_ONCE])
            except OSError:
                self._pending.clear()
                raise
            del self._pending[:done]

    def finish(self) -> None:
        """Write out what the reader takes soon, and forget the rest."""
        self.hurry(monotonic() + LAST_WORDS)
        self._wait = True
        with contextlib.suppress(OSError):
            self.flush()

    def _add(self, text: str) -> None:
        self._pending += text.encode(self.encoding, "backslashreplace")

    def _is_full(self) -> bool:
        if len(self._pending) >= _MOST:
            self.flush()
        return len(self._pending) >= _MOST

    def _ready(self) -> bool:
        """Wait for the reader, if that is the way, and tell whether he takes something."""
        while not self._poll.poll(0):
            left = self._deadline - monotonic() if self._wait else 0.0
            if left <= 0:
                return False
            self._poll.poll(
                min(left, _SLICE) * 1000
            )  # a signal does not end it: its handler runs, and it goes on
        return True


@contextlib.contextmanager
def outlets(*, wait: bool) -> Iterator[Hurry]:
    """Put outlets in the place of stdout and stderr while it lasts."""
    before = (sys.stdout, sys.stderr)
    made = [_outlet(stream, wait=wait) for stream in before]
    sys.stdout, sys.stderr = made

    def hurry(deadline: float) -> None:
        for stream in made:
            if isinstance(stream, Outlet):
                stream.hurry(deadline)

    try:
        yield hurry
    finally:
        sys.stdout, sys.stderr = before
        for stream in made:
            if isinstance(stream, Outlet):
                stream.finish()


def _outlet(stream: TextIO, *, wait: bool) -> TextIO:
    try:
        return Outlet(stream, wait=wait)  # type: ignore[return-value] # all of a TextIO that is used here
    except (OSError, ValueError, AttributeError):  # no file behind it, or none at all
        return stream
