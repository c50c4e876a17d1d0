"""Output that never blocks the writer: the client supervises nodes and must not wait for a stalled pager.

A thread writes what was printed to stdout and stderr, in the order of the calls.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

from fission.management.console.interruptible_output import DRAIN_SECONDS, StreamProxy, replaced_output
from fission.management.console.output_file import OutputFile

MAX_QUEUED_BYTES = 16 << 20
"""Bytes that may wait for a reader; beyond that whole lines are dropped and counted."""


class OutputThread:
    """Writes to files in a thread. When a reader is gone, all further output is discarded."""

    def __init__(self) -> None:
        self._callback: Callable[[], None] | None = None
        self._files: dict[int, OutputFile] = {}
        self._queue: deque[tuple[int, bytes]] = deque()
        self._queued_bytes = 0
        self._closed = False
        self.broken = False
        """Whether a reader is gone."""
        self.discards = False
        """Whether all output is discarded (see `discard`)."""
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="fission-output", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether the queue has reached its bound."""
        return self._queued_bytes >= MAX_QUEUED_BYTES

    def when_broken(self, call: Callable[[], None] | None) -> None:
        """Set the callback for a reader that disappears, or has disappeared already; it runs in any thread. None removes it."""
        with self._change:
            self._callback = call
            broken = self.broken
        if broken and call is not None:
            call()

    def discard(self) -> None:
        """Discard all output from now on. The lost reader does not count as a failure."""
        with self._change:
            self._callback = None
            self.discards = True
            self._queue.clear()

    def put(self, file: int, data: bytes) -> None:
        """Queue a write to a file."""
        with self._change:
            if not self.broken and not self.discards:
                self._queue.append((file, data))
                self._queued_bytes += len(data)
                self._change.notify()

    def finish(self) -> None:
        """Give the queue `DRAIN_SECONDS` to empty."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join(DRAIN_SECONDS)

    def _write_all(self) -> None:
        while (part := self._next()) is not None:
            file, data = part
            try:
                while data:
                    data = data[self._files.setdefault(file, OutputFile(file)).write(data) :]
            except OSError:
                with self._change:
                    self.broken = True
                    self._queue.clear()
                    if self._callback is not None:
                        self._callback()
                return
            with self._change:
                self._queued_bytes -= len(part[1])

    def _next(self) -> tuple[int, bytes] | None:
        with self._change:
            while not self._queue and not self._closed:
                self._change.wait()
            return self._queue.popleft() if self._queue else None


class NonblockingStream(StreamProxy):
    """Queues text for an `OutputThread`."""

    def __init__(self, stream: TextIO, thread: OutputThread) -> None:
        super().__init__(stream)
        self._thread = thread
        self._at_line_start = True
        self._dropping = False
        self._dropped_lines = 0

    def write(self, text: str) -> int:
        """Queue a text. While the queue is full whole lines are dropped; a line that has begun is completed."""
        if self._at_line_start:
            self._dropping = self._thread.full
        self._at_line_start = text.endswith("\n")
        if self._dropping:
            self._dropped_lines += text.count("\n")
            return len(text)
        if self._dropped_lines:
            note = f"... {self._dropped_lines:,} lines were dropped: the reader of this output is too slow. The log has them\n"
            self._thread.put(self._file, self.encode(note))
            self._dropped_lines = 0
        self._thread.put(self._file, self.encode(text))
        return len(text)


@contextlib.contextmanager
def nonblocking_output() -> Iterator[OutputThread]:
    """Replace stdout and stderr by nonblocking streams inside the block; yields their thread."""
    thread = OutputThread()
    with replaced_output(lambda stream: NonblockingStream(stream, thread)):
        try:
            yield thread
        finally:
            thread.finish()
