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
from typing import Any, TextIO, TypeVar

LAST_WORDS = 0.5
"""Seconds that a reader has at the end to take what is still there."""

Hurry = Callable[[float], None]
"""`hurry(deadline)`: from this time on (of `time.monotonic`), wait for no reader."""

Made = TypeVar("Made", bound="FileStream")

_AT_ONCE = select.PIPE_BUF
"""Bytes that a pipe takes without making the writer wait, once it takes any."""
_SLICE = 0.1


class FileStream(io.TextIOBase):
    """Takes the place of a stream of text with a file behind it. Subclasses have `write` and `flush`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._file = stream.fileno()
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

    def encode(self, text: str) -> bytes:
        """The bytes of a text; what the encoding does not have is shown by its number."""
        return text.encode(self.encoding, "backslashreplace")


class Outlet(FileStream):
    """A reader who stands still stops the writer, as usual, but not longer than until `hurry` says."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._deadline = float("inf")
        self._pending = bytearray()
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLOUT)

    def hurry(self, deadline: float) -> None:
        """From this time on (of `time.monotonic`), wait for nobody; may be called in a signal handler."""
        self._deadline = min(self._deadline, deadline)

    def write(self, text: str) -> int:
        """Take a text; it goes out with `flush`, or when there is much of it. Raises BrokenPipeError."""
        self._pending += self.encode(text)
        if len(self._pending) > _AT_ONCE:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Write out what is there, or forget it when it is time. Raises BrokenPipeError when the reader has gone."""
        while self._pending:
            if not self._ready():
                self._pending.clear()
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
        with contextlib.suppress(OSError):
            self.flush()

    def _ready(self) -> bool:
        """Wait for the reader, and tell whether he takes something."""
        while not self._poll.poll(0):
            left = self._deadline - monotonic()
            if left <= 0:
                return False
            self._poll.poll(
                min(left, _SLICE) * 1000
            )  # a signal does not end it: its handler runs, and it goes on
        return True


@contextlib.contextmanager
def outlets() -> Iterator[Hurry]:
    """Put outlets in the place of stdout and stderr while it lasts."""
    with in_place_of_output(Outlet) as made:

        def hurry(deadline: float) -> None:
            for stream in made:
                stream.hurry(deadline)

        try:
            yield hurry
        finally:
            for stream in made:
                stream.finish()


@contextlib.contextmanager
def in_place_of_output(make: Callable[[TextIO], Made]) -> Iterator[list[Made]]:
    """Put streams in the place of stdout and stderr, where there is a file behind them."""
    before = (sys.stdout, sys.stderr)
    made: list[Made] = []
    now: list[Any] = []
    for stream in before:
        try:
            made.append(make(stream))
            now.append(made[-1])
        except (OSError, ValueError, AttributeError):  # no file behind it, or none at all
            now.append(stream)
    sys.stdout, sys.stderr = now
    try:
        yield made
    finally:
        sys.stdout, sys.stderr = before
