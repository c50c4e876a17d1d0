"""The blocks of a pipe in the program that holds the handle: for `for` and for `async for`."""

import asyncio
import contextlib
import pickle
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

from fission.api.block_sender import ACK, HEADER

__all__ = ["BlockStream"]

BUFFER = 64
"""Blocks that wait for the reader of a stream."""
_CHUNK = 1 << 16
_AGAIN = 0.01
"""Seconds after which an acknowledgement is tried again that the sender had no room for."""


class BlockStream:
    """Iterates over the blocks of one pipe, in their order; each comes once, also when jobs were moved meanwhile.

    At most `buffer` blocks wait here; then the network waits (backpressure). With `latest` it never waits, and the next block
    is the newest one. With `as_arrays` each block is turned into a numpy array. The iteration ends with the stream, and
    raises the network's error when that is what has ended it. What is not read yet stays when a loop is left;
    `close` discards the rest.
    """

    def __init__(
        self, pipe: int, *, buffer: int = BUFFER, latest: bool = False, as_arrays: bool = False
    ) -> None:
        self.pipe = pipe
        self.as_arrays = as_arrays
        self.read = False
        """Whether the program has asked for it; blocks that nobody reads are discarded once the program only waits."""
        self.complete = False
        """Whether the sender has said that its last block is sent; it may be stopped and say so, too."""
        self.listening = asyncio.Event()
        self._lock = threading.Lock()
        self._blocks: deque[tuple[int, bytearray]] = deque()
        self._waiting: deque[Future[None]] = deque()
        self.received = 0
        """The number of the last block that has arrived."""
        self._taken = self._acknowledged = 0
        self._ended = self._discarding = False
        self._error: BaseException | None = None
        self._connection: socket.socket | None = None
        self._post: Callable[[Callable[[], object]], None] | None = None
        self.configure(latest=latest, buffer=buffer)

    def configure(self, *, latest: bool, buffer: int) -> None:
        """Set what must be known before the start."""
        self.latest, self.buffer = latest, buffer
        self._blocks = deque(maxlen=1 if latest else None)

    @property
    def closed(self) -> bool:
        """Whether its blocks are discarded."""
        return self._discarding

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while (found := self._next()) is None:
            self._wait().result()
        if found is _END:
            raise StopIteration
        return self._open(found)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while (found := self._next()) is None:
            await asyncio.wrap_future(self._wait())
        if found is _END:
            raise StopAsyncIteration
        return self._open(found)

    def take(self, count: int) -> list[Any]:
        """Return the next `count` blocks, fewer when the stream ends before."""
        return [block for _, block in zip(range(count), self, strict=False)]

    def get(self, timeout: float | None = None) -> Any:
        """Return the next block. Raises TimeoutError after `timeout` seconds, and EOFError at the end of the stream."""
        while (found := self._next()) is None:
            waiting = self._wait()
            try:
                waiting.result(timeout)
            except TimeoutError:
                self._forget(waiting)
                raise
        if found is _END:
            raise EOFError(f"pipe {self.pipe}: the stream has ended")
        return self._open(found)

    def close(self) -> None:
        """Discard the blocks that come from now on; the network does not wait for a reader any more."""
        with self._lock:
            self._discarding = self._ended = True
            self._blocks.clear()
            self._taken = self.received
            self._wake()
        self._call(self._acknowledge)

    # -- for the network ---------------------------------------------------------------------------------

    async def serve(self, path: str, post: Callable[[Callable[[], object]], None]) -> None:
        """Receive from the `BlockSender` that connects to `path`, from each of its processes in turn; cancel it at the end.

        `post` calls a function in the thread of this event loop. A connection is read to its end before the next one begins: what
        a killed process has sent is not lost, and the next one is told what is there.
        """
        self._post = post
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.setblocking(False)
            listener.bind(path)
            listener.listen()
            self.listening.set()
            while True:
                connection, _ = await loop.sock_accept(listener)
                with connection:
                    self._connection = connection
                    self.complete = False  # a stopped process has said so, too
                    self._acknowledge(at_once=True)
                    with contextlib.suppress(
                        ConnectionError
                    ):  # its process has ended; the next one connects again
                        await self._read(connection)
                    self._connection = None

    def end(self, error: BaseException | None) -> None:
        """No more blocks come; `error` is raised after the last one."""
        with self._lock:
            self._ended = True
            self._error = self._error or error
            self._wake()

    # -- inside ------------------------------------------------------------------------------------------

    async def _read(self, connection: socket.socket) -> None:
        """Read a connection to its end. Not by a transport of asyncio, which drops what has arrived when a write fails."""
        loop = asyncio.get_running_loop()
        data = bytearray()
        while True:
            while len(data) < HEADER.size:
                if not (part := await loop.sock_recv(connection, _CHUNK)):
                    return
                data += part
            number, length = HEADER.unpack_from(data)
            del data[: HEADER.size]
            if not number:
                self.complete = True
                continue
            block, data = data[:length], data[length:]
            if (have := len(block)) < length:
                block += bytes(length - have)
                rest = memoryview(block)[have:]
                while rest:
                    if not (count := await loop.sock_recv_into(connection, rest)):
                        return
                    rest = rest[count:]
            self._receive(number, block)

    def _receive(self, number: int, data: bytearray) -> None:
        with self._lock:
            if number > self.received:  # else it was sent again after a restart
                self.received = number
                if not self._discarding:
                    self._blocks.append((number, data))
                    self._wake()
            if self._discarding or self.latest:
                self._taken = self.received
        if self._taken == self.received:
            self._acknowledge()

    def _next(self) -> "bytearray | _End | None":
        """Return the next block, `_END`, or None when there is none yet. Raises the error that has ended the network."""
        with self._lock:
            if not self._blocks:
                if not self._ended:
                    return None
                if self._error is not None:
                    raise self._error
                return _END
            number, data = self._blocks.popleft()
            self._taken = max(self._taken, number)
            due = not self._blocks or self._taken - self._acknowledged >= max(1, self.buffer // 4)
        if due:
            self._call(self._acknowledge)
        return data

    def _wait(self) -> "Future[None]":
        """Return a future that is done when it is worth looking again."""
        waiting: Future[None] = Future()
        with self._lock:
            if self._blocks or self._ended:
                waiting.set_result(None)
            else:
                self._waiting.append(waiting)
        return waiting

    def _forget(self, waiting: "Future[None]") -> None:
        with self._lock, contextlib.suppress(ValueError):  # it was woken meanwhile
            self._waiting.remove(waiting)

    def _wake(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting.set_running_or_notify_cancel():
                waiting.set_result(None)

    def _acknowledge(self, *, at_once: bool = False) -> None:
        """Tell the sender how far the reader is; in the thread of the loop."""
        if self._connection is None or not (at_once or self._taken > self._acknowledged):
            return
        taken = self._taken
        try:
            self._connection.send(ACK.pack(taken))
        except BlockingIOError:  # the sender has not read earlier ones
            asyncio.get_running_loop().call_later(_AGAIN, self._acknowledge)
        except OSError:
            pass  # its process has ended
        else:
            self._acknowledged = taken

    def _call(self, function: Callable[[], object]) -> None:
        if self._post is not None:
            with contextlib.suppress(RuntimeError):  # the network has ended, and its loop with it
                self._post(function)

    def _open(self, data: "bytearray | _End") -> Any:
        block = pickle.loads(data)  # type: ignore[arg-type] # from the user's own job on this machine
        if self.as_arrays:
            from numpy import asarray  # noqa: PLC0415 - only where arrays are wanted

            return asarray(block)
        return block


class _End:
    """The type of `_END`."""


_END = _End()
