"""Output to readers that may stall: a pager, a stopped terminal, a pipe into a sleeping program.

A plain `print` blocks on such a reader, and Ctrl+C has no effect meanwhile. The streams here wait in `poll` and give up
at a deadline that a signal handler may set.
"""

import contextlib
import io
import select
import sys
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, TextIO, TypeVar

from fission.management.console.output_file import OutputFile

DRAIN_SECONDS = 0.5
"""Time that a reader has at the end to take the remaining output."""

SetDeadline = Callable[[float], None]
"""`set_deadline(moment)`: from this moment on (of `time.monotonic`), output does not wait for its reader."""

Stream = TypeVar("Stream", bound="StreamProxy")

_ATOMIC_WRITE = select.PIPE_BUF
"""Bytes that a pipe accepts without blocking, once it is writable."""
_POLL_SECONDS = 0.1


class StreamProxy(io.TextIOBase):
    """Replaces a text stream that has a file behind it. Subclasses define `write` and `flush`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._file = stream.fileno()
        stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override] # a variable there
        """The encoding of the replaced stream."""
        return self._stream.encoding

    def fileno(self) -> int:
        """The descriptor of the file behind the stream."""
        return self._file

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Always true."""
        return True

    def encode(self, text: str) -> bytes:
        """Encode a text; characters that the encoding lacks become escape sequences."""
        return text.encode(self.encoding, "backslashreplace")


class InterruptibleStream(StreamProxy):
    """Blocks on a stalled reader, as usual, but only until the deadline; then pending output is discarded."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._deadline = float("inf")
        self._pending = bytearray()
        self._output = OutputFile(self._file)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLOUT)

    def set_deadline(self, deadline: float) -> None:
        """Do not block after this moment (of `time.monotonic`). Safe in a signal handler; a later deadline is ignored."""
        self._deadline = min(self._deadline, deadline)

    def write(self, text: str) -> int:
        """Buffer a text; large buffers are flushed. Raises BrokenPipeError."""
        self._pending += self.encode(text)
        if len(self._pending) > _ATOMIC_WRITE:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Write the buffer, or discard it at the deadline. Raises BrokenPipeError when the reader is gone."""
        while self._pending:
            if not self._wait_writable():
                self._pending.clear()
                return
            try:
                done = self._output.write(bytes(self._pending[:_ATOMIC_WRITE]))
            except OSError:
                self._pending.clear()
                raise
            del self._pending[:done]

    def finish(self) -> None:
        """Write what the reader takes within `DRAIN_SECONDS`, and discard the rest."""
        self.set_deadline(monotonic() + DRAIN_SECONDS)
        with contextlib.suppress(OSError):
            self.flush()

    def _wait_writable(self) -> bool:
        """Wait until the reader accepts bytes; False at the deadline."""
        while not self._poll.poll(0):
            left = self._deadline - monotonic()
            if left <= 0:
                return False
            # a signal does not end the poll: its handler runs, and the poll continues, so the slices are short
            self._poll.poll(min(left, _POLL_SECONDS) * 1000)
        return True


@contextlib.contextmanager
def interruptible_output() -> Iterator[SetDeadline]:
    """Replace stdout and stderr by interruptible streams inside the block; yields the function that sets their deadline."""
    with replaced_output(InterruptibleStream) as streams:

        def set_deadline(deadline: float) -> None:
            for stream in streams:
                stream.set_deadline(deadline)

        try:
            yield set_deadline
        finally:
            for stream in streams:
                stream.finish()


@contextlib.contextmanager
def replaced_output(make: Callable[[TextIO], Stream]) -> Iterator[list[Stream]]:
    """Replace stdout and stderr inside the block, where they have a file behind them; yields the new streams."""
    before = (sys.stdout, sys.stderr)
    made: list[Stream] = []
    now: list[Any] = []
    for stream in before:
        try:
            made.append(make(stream))
            now.append(made[-1])
        except (OSError, ValueError, AttributeError):  # no file behind it, or no stream at all
            now.append(stream)
    sys.stdout, sys.stderr = now
    try:
        yield made
    finally:
        sys.stdout, sys.stderr = before
