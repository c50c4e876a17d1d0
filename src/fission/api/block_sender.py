"""The job at the end of a pipe that a handle reads: it sends the blocks to the process of the handle.

The connection is a Unix socket. Both directions are binary, in network byte order:

| sent by the job   | number of the block (8 bytes), length (8 bytes), the pickled block; the number 0 ends the stream |
| sent by the handle | the number of the last block that is taken (8 bytes); the first one tells what is there already  |
"""

from __future__ import annotations

import pickle
import socket
import struct
import threading

from fission.core.jobs import LocalJob, PythonJob

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from typing import Any

    from fission.core.pipes import BasePipe

__all__ = ["ACK", "HEADER", "BlockSender"]

HEADER = struct.Struct("!QQ")
ACK = struct.Struct("!Q")
_PAUSE = 0.01
"""Seconds between two blocks for a reader that wants the latest: so old is the one it gets, at most."""


class BlockSender(LocalJob, PythonJob):
    """Sends the blocks of its one input to the handle that listens at `address`, at most `buffer` ahead of its reader.

    `stream` is the id of the pipe that the reader asked for, of which `pipe` may be a copy.
    With `latest` it never waits: a block that comes while the last one is not taken yet replaces the one before it. `count`, the
    number of blocks so far, is the job's state: what is sent again after a restart has the number that it had.
    """

    _UNSAVED = PythonJob._UNSAVED | {"pipe", "address", "buffer", "latest", "_socket", "_link"}

    def __init__(
        self, pipe: BasePipe, stream: int, address: str, buffer: int, *, latest: bool, name: str
    ) -> None:
        super().__init__([pipe], name=name)
        self.pipe = stream
        self.address = address
        self.buffer = buffer
        self.latest = latest
        self.count = 0
        self._link: _Link | None = None

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Connect."""
        super().setup(*args, **kwargs)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(self.address)
        self._link = _LatestLink(sock) if self.latest else _Link(sock, self.buffer)

    def run(self, value: Any) -> None:
        """Send the block, or the blocks, of a round; return when the reader has room."""
        blocks = value if self.inputs[0].BLOCK_COUNT > 1 else (value,)
        for block in blocks:
            self.count += 1
            if self._link is not None:
                self._link.send(self.count, block)

    def teardown(self) -> None:
        """End the stream."""
        if self._link is not None:
            self._link.close()
            self._link = None
        super().teardown()


class _Link:
    """A connection with a window: `send` returns when at most `window` blocks are not taken yet."""

    def __init__(self, sock: socket.socket, window: int) -> None:
        self.socket = sock
        self._window = window
        self._answer = bytearray()
        self._taken = 0
        self._receive()

    def send(self, number: int, block: Any) -> None:
        """Send a block unless the reader has it."""
        if number <= self._taken:
            return
        self._write(number, block)
        while number - self._taken >= self._window:
            self._receive()

    def close(self) -> None:
        """End the stream, unless the reader is gone."""
        try:
            self.socket.sendall(HEADER.pack(0, 0))
        except OSError:
            pass
        finally:
            self.socket.close()

    def _write(self, number: int, block: Any) -> None:
        data = pickle.dumps(block, protocol=5)
        head = HEADER.pack(number, len(data))
        if len(data) < 1 << 16:
            self.socket.sendall(head + data)
        else:
            self.socket.sendall(head)
            self.socket.sendall(data)

    def _receive(self) -> None:
        """Wait for a number. Raises ConnectionError when the reader is gone."""
        while len(self._answer) < ACK.size:
            data = self.socket.recv(1 << 12)
            if not data:
                raise ConnectionError("the program that reads this pipe has closed it")
            self._answer += data
        whole = len(self._answer) // ACK.size * ACK.size
        (self._taken,) = ACK.unpack_from(self._answer, whole - ACK.size)
        del self._answer[:whole]


class _LatestLink(_Link):
    """A connection that sends only the newest block, whenever the reader has taken the one before."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, 1)
        self._newest: tuple[int, Any] | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._deliver, name="fission-latest", daemon=True)
        self._thread.start()

    def send(self, number: int, block: Any) -> None:
        """Replace the block that waits."""
        with self._changed:
            self._newest = (number, block)
            self._changed.notify()

    def close(self) -> None:
        """Let the last block go if the reader takes it at once, and end the stream."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(1.0)
        super().close()

    def _deliver(self) -> None:
        while True:
            with self._changed:
                while self._newest is None:
                    if self._closed:
                        return
                    self._changed.wait()
                (number, block), self._newest = self._newest, None
            try:
                super().send(number, block)
            except OSError:
                return  # the reader is gone
            with self._changed:
                self._changed.wait_for(lambda: self._closed, _PAUSE)
