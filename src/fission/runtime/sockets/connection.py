"""One data connection: a non-blocking socket, the decoder of what arrives, and what waits to leave."""

import socket
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from fission.channel.wire.decoder import FrameDecoder
from fission.channel.wire.frames import Buffer, Frame
from fission.runtime.sockets.transport import answers, timed_out, unheard

_IOV = 512
_READ_LIMIT = 4 << 20


class Stream(Protocol):
    """What moves the bytes: a non-blocking socket, or TLS upon one."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Receive into the buffer; 0 at the end."""

    def send(self, buffer: Buffer, /) -> int:
        """Send from the beginning of the buffer; return how many bytes have left."""

    def sendmsg(self, buffers: Sequence[Buffer], /) -> int:
        """The same with several buffers."""

    def close(self) -> None:
        """Close it."""


class Connection:
    """Moves bytes; knows nothing of pipes.

    `read` when the socket is readable, `send` to write, `flush` when it is writable again. `closed` is set
    once the other side has gone or the socket failed; the owner then closes and forgets the connection.
    """

    tls = False
    """Whether `TlsConnection` has to be asked what it waits for after each reading."""
    opening = ""
    """What is not done yet before bytes can be moved."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock: Stream = sock
        self._raw = sock
        self._decoder = FrameDecoder()
        self._out: deque[memoryview] = deque()
        self.fd = sock.fileno()
        self.local = sock.family == socket.AF_UNIX
        self.backlog = 0
        self.closed = False
        self.error = ""
        """Why it was closed, when that is worth a line in the log."""

    @property
    def wants_write(self) -> bool:
        """Whether `flush` is to be called when the socket is writable."""
        return self.backlog > 0

    @property
    def unread(self) -> bool:
        """Whether `read` would give more although the socket is not readable."""
        return False

    def comes_from(self, node: str) -> bool:  # noqa: ARG002 - `TlsConnection` has a certificate to look at
        """Whether the other side may be this node; without certificates it may be any."""
        return True

    def unheard(self) -> bool:
        """Whether the other side has not even acknowledged what was sent, for so long that it has to be gone."""
        return unheard(self._raw)

    def answers(self) -> bool:
        """Whether the other machine has accepted the connection and acknowledges what is sent; see `transport.answers`."""
        return answers(self._raw)

    def timed_out(self) -> bool:
        """Whether the connection is over because the other machine has not answered."""
        return timed_out(self._raw)

    def read(self) -> list[Frame]:
        """Return the frames that have arrived, reading until the socket is empty or 4 MiB were read.

        Raises RemoteProtocolError when the bytes are no frames.
        """
        frames: list[Frame] = []
        decoder, recv_into = self._decoder, self._sock.recv_into
        taken = 0
        while taken < _READ_LIMIT:
            buffer = decoder.get_buffer()
            try:
                count = recv_into(buffer)
            except BlockingIOError:
                break
            except OSError:
                self.closed = True
                break
            if count == 0:
                self.closed = True
                break
            frames += decoder.buffer_updated(count)
            taken += count
            if count < len(buffer):
                break
        return frames

    def send(self, buffers: Sequence[Buffer]) -> None:
        """Send buffers behind what already waits; what the socket does not take now is in `backlog`."""
        if len(buffers) == 1 and not self._out:
            (only,) = buffers
            try:
                sent = self._sock.send(only)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.closed = True
                return
            if sent < len(only):
                self._queue(memoryview(only)[sent:])
            return
        for buffer in buffers:
            self._queue(memoryview(buffer))
        self.flush()

    def _queue(self, view: memoryview) -> None:
        self.backlog += view.nbytes
        self._out.append(view)

    def flush(self) -> None:
        """Send as much as the socket takes now."""
        out = self._out
        while out:
            try:
                if len(out) == 1:
                    sent = self._sock.send(out[0])
                else:
                    sent = self._sock.sendmsg([out[i] for i in range(min(len(out), _IOV))])
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            self.backlog -= sent
            while sent:
                head = out[0]
                if head.nbytes > sent:
                    out[0] = head[sent:]
                    return
                sent -= head.nbytes
                out.popleft()

    def close(self) -> None:
        """Close the socket; what was not sent is forgotten (the sender's window still has it)."""
        self.closed = True
        self._out.clear()
        self.backlog = 0
        self._sock.close()
