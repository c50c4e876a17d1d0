"""A connection that carries messages, in an asyncio loop: over TLS, or over a bare socket with SECURITY = "off"."""

import asyncio
import contextlib
import errno
import socket
import threading
from collections import deque
from typing import Any, Protocol

from fission.engine.transport.framing import LARGEST_MESSAGE, Assembler, Lane, Outbox
from fission.errors import RunError
from fission.security import Peer, TlsChannel
from fission.serialization.msgpack_codec import decode, encode

__all__ = ["Channel", "MessageStream", "PlainChannel", "StreamClosed", "tune"]

_READ = 256 << 10
_READ_AT_ONCE = 4 << 20
"""Others want to be served too."""
_UNREAD = 64 << 20
"""When so many bytes wait for `receive`, nothing more is read from the connection."""
_UNSENT = 256 << 20
"""Who lets so many bytes wait does not keep up."""
_LARGE = 64 << 10
_KERNEL_QUEUE = 128 << 10
"""What waits should wait here, where a pulse can overtake it."""


class StreamClosed(RunError):  # noqa: N818 - reads as what happened
    """The connection is closed; the text gives the reason."""


class Channel(Protocol):
    """What a `TlsChannel` has."""

    peer: Peer | None
    error: Any
    wants_write: bool

    def fileno(self) -> int: ...  # noqa: D102
    def pending(self) -> int: ...  # noqa: D102
    def recv_into(self, buffer: memoryview) -> int: ...  # noqa: D102
    def send(self, buffer: bytes) -> int: ...  # noqa: D102
    def flush(self) -> bool: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class PlainChannel:
    """A socket with the methods of a `TlsChannel`."""

    peer: Peer | None = None
    error = None
    wants_write = False

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self.fileno = sock.fileno
        self.recv_into = sock.recv_into
        self.send = sock.send
        self.close = sock.close

    def pending(self) -> int:
        """Nothing is held back here."""
        return 0

    def flush(self) -> bool:
        """Nothing is held back here."""
        return True


class MessageStream:
    """Plain data in both directions over a channel that is ready.

    `send` never waits; `await receive()` gives the next message; `heard` is the loop's time at which anything
    arrived last, be it a part of a message. Whatever ends the connection is the `reason`, the first one counts:
    `receive` raises it when all that had arrived before is taken. `await close()` in any case. `where` is the other
    side's address and port, `local` our own address, `peer` what its certificate says (None in clear text).

    Until `trust()` the other side may only send small messages. `beat()` may be called in any thread, everything else
    in the loop's.
    """

    def __init__(self, channel: "Channel | TlsChannel", where: str, local: str) -> None:
        self.where = where
        self.local = local
        self.peer = channel.peer
        self.reason = ""
        self.refusal: RunError | None = None
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.heard = self._loop.time()
        self._channel = channel
        self._fd = channel.fileno()
        self._space = memoryview(bytearray(_READ))
        self._assembler = Assembler()
        self._arrived: deque[bytes] = deque()
        self._unread = 0
        self._something = asyncio.Event()
        self._lock = threading.Lock()  # for the outbox and the channel
        self._outbox = Outbox()
        self._current = b""
        self._writing = False
        self._flushing = False
        self._reading = True
        self._loop.add_reader(self._fd, self._readable)
        self._loop.call_soon(self._readable)  # what came with the end of the handshake makes nothing readable

    @property
    def closed(self) -> bool:
        """True when nothing goes out any more."""
        return bool(self.reason)

    @property
    def unsent(self) -> int:
        """Bytes of messages that wait to be sent."""
        return self._outbox.size + len(self._current)

    def trust(self) -> None:
        """From now on messages may be large."""
        self._assembler.largest = LARGEST_MESSAGE

    def send(self, message: Any, *, bulk: bool = False) -> None:
        """Send plain data; a large one that is `bulk` may be overtaken.

        Raises RunError for what is no plain data, StreamClosed when it cannot be sent.
        """
        data = encode(message)
        if len(data) > LARGEST_MESSAGE:
            raise RunError(
                "this message is too large", expected=f"{LARGEST_MESSAGE} bytes", found=f"{len(data)}"
            )
        if self.reason:
            raise self._why()
        if self.unsent > _UNSENT:
            self.abort("it does not keep up with what is sent to it")
            raise self._why()
        with self._lock:
            self._outbox.put(data, Lane.BULK if bulk and len(data) > _LARGE else Lane.ORDERED)
        self._flush_soon()

    def beat(self) -> None:
        """Give a sign of life. Never waits for the loop: what it leaves undone, the loop does when it turns."""
        with self._lock:
            if self.reason:
                return
            self._outbox.pulse()
            try:
                for _ in range(2):  # the rest of what is being sent, then the pulse
                    self._send_piece()
            except BlockingIOError:
                pass
            except OSError:
                return  # the loop meets it when it reads
            rest = bool(self._current or self._outbox)
        if rest:
            with contextlib.suppress(RuntimeError):  # the loop was closed
                self._loop.call_soon_threadsafe(self._flush_soon)

    async def receive(self) -> Any:
        """Return the next message. Raises StreamClosed; also for a message that is no plain data."""
        while not self._arrived:
            if self.reason:
                raise self._why()
            self._something.clear()
            await self._something.wait()
        data = self._arrived.popleft()
        self._unread -= len(data)
        if not self._reading and self._unread < _UNREAD // 2 and not self.reason:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)
            self._loop.call_soon(self._readable)
        try:
            return decode(data)
        except RunError as error:
            self.abort(str(error))
            raise self._why() from None

    def abort(self, reason: str) -> None:
        """Close at once; what was not sent is lost."""
        if self.reason:
            return
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        with self._lock:
            self.reason = reason
            self._channel.close()
        self.ended.set()
        self._something.set()

    async def close(self, reason: str, seconds: float = 0.5) -> None:
        """Send what waits, for so many seconds at most, and close."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.unsent and not self.reason:
                    self._something.clear()
                    await self._something.wait()
        self.abort(reason)

    def _why(self) -> StreamClosed:
        return StreamClosed(self.reason, where=self.where)

    def _readable(self) -> None:
        """Take what is there, up to a bound."""
        channel, room = self._channel, _READ_AT_ONCE
        try:
            while self._reading and not self.reason:
                with self._lock:
                    count = channel.recv_into(self._space)
                    more = channel.pending() > 0
                if not count:
                    self.abort("the connection was closed")
                    return
                self._take(self._space[:count])
                room -= count
                if count < _READ and not more:
                    break
                if room <= 0:
                    self._loop.call_soon(self._readable)
                    break
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(error)
            return
        if channel.wants_write:
            self._flush_soon()

    def _take(self, data: memoryview) -> None:
        self.heard = self._loop.time()
        try:
            messages = self._assembler.feed(data)
        except RunError as error:
            self.abort(str(error))
            return
        if messages:
            self._arrived.extend(messages)
            self._unread += sum(map(len, messages))
            self._something.set()
            if self._unread > _UNREAD:
                self._reading = False
                self._loop.remove_reader(self._fd)

    def _flush_soon(self) -> None:
        """Send at the end of this turn of the loop: what is said in one turn leaves together."""
        if not self._writing and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self.reason:
            return
        try:
            with self._lock:
                while self._send_piece():
                    pass
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._fd, self._flush)
            return
        except OSError as error:
            self._fail(error)
            return
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)
        self._something.set()

    def _fail(self, error: OSError) -> None:
        """End the connection because of an error of the channel, which TLS may explain."""
        known = self._channel.error
        if isinstance(known, RunError):
            self.refusal = known
            self.abort(known.what)
        else:
            self.abort(f"the connection failed ({error.strerror or error})")

    def _send_piece(self) -> bool:
        """Send what comes next; False when there is nothing. Raises OSError."""
        channel = self._channel
        if not self._current:
            if channel.wants_write and not channel.flush():
                raise BlockingIOError(errno.EAGAIN, "the socket takes no more")
            self._current = self._outbox.take()
        if not self._current:
            return False
        self._current = self._current[channel.send(self._current) :]
        return True


def tune(sock: socket.socket) -> None:
    """Set what every link wants: no delay by Nagle's algorithm, and a short queue in the kernel."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _KERNEL_QUEUE)
