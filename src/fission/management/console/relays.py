"""Writing without ever waiting for the reader: what watches devices must not stand still because a pager does.

A thread carries what was written to stdout and stderr, in the order in which it was written.
"""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

from fission.management.console.outlets import LAST_WORDS, FileStream, in_place_of_output

MOST = 16 << 20
"""Bytes that may wait for a reader; then whole lines are left out, and counted."""


class Carrier:
    """Writes to files in a thread. When a reader has gone, all is dropped from then on."""

    def __init__(self) -> None:
        self._call: Callable[[], None] | None = None
        self._parts: deque[tuple[int, bytes]] = deque()
        self._waiting = 0
        self._closed = False
        self.broken = False
        """Whether a reader has gone."""
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._carry, name="fission-output", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether too much is waiting."""
        return self._waiting >= MOST

    def when_broken(self, call: Callable[[], None] | None) -> None:
        """Say what to call, in some thread, when a reader goes or has gone; None: nothing any more."""
        with self._change:
            self._call = call
            broken = self.broken
        if broken and call is not None:
            call()

    def put(self, file: int, data: bytes) -> None:
        """Write this to a file, when it is its turn."""
        with self._change:
            if not self.broken:
                self._parts.append((file, data))
                self._waiting += len(data)
                self._change.notify()

    def finish(self) -> None:
        """Wait a moment for what is still on its way."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join(LAST_WORDS)

    def _carry(self) -> None:
        while (part := self._next()) is not None:
            file, data = part
            try:
                while data:
                    data = data[os.write(file, data) :]
            except OSError:
                with self._change:
                    self.broken = True
                    self._parts.clear()
                    if self._call is not None:
                        self._call()
                return
            with self._change:
                self._waiting -= len(part[1])

    def _next(self) -> tuple[int, bytes] | None:
        with self._change:
            while not self._parts and not self._closed:
                self._change.wait()
            return self._parts.popleft() if self._parts else None


class Relay(FileStream):
    """Hands what is written to a carrier."""

    def __init__(self, stream: TextIO, carrier: Carrier) -> None:
        super().__init__(stream)
        self._carrier = carrier
        self._new_line = True
        self._leaving_out = False
        self._left_out = 0

    def write(self, text: str) -> int:
        """Take a text. When too much is waiting, lines are left out; a line that has begun is not cut."""
        if self._new_line:
            self._leaving_out = self._carrier.full
        self._new_line = text.endswith("\n")
        if self._leaving_out:
            self._left_out += text.count("\n")
            return len(text)
        if self._left_out:
            note = f"... {self._left_out:,} lines were left out, as nobody read them; the log has them\n"
            self._carrier.put(self._file, self.encode(note))
            self._left_out = 0
        self._carrier.put(self._file, self.encode(text))
        return len(text)


@contextlib.contextmanager
def relays() -> Iterator[Carrier]:
    """Put relays in the place of stdout and stderr while it lasts."""
    carrier = Carrier()
    with in_place_of_output(lambda stream: Relay(stream, carrier)):
        try:
            yield carrier
        finally:
            carrier.finish()
