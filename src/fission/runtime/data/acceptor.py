"""Where connections come in: each is accepted, verified if we have a certificate, and says which pipe it is for.

Nobody is trusted before that. Who says nothing, or not the right thing, within `HELLO_SECONDS` is sent away, and only so
many may be on their way in at the same time: when there are more, the one that has been waiting longest must go. A real
sender needs milliseconds, and tries again.
"""

import errno
import socket
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from fission.channel.wire.frames import Frame
from fission.errors import ChannelError
from fission.runtime.sockets import transport
from fission.runtime.sockets.connection import Connection
from fission.runtime.sockets.poller import WRITE, Poller
from fission.runtime.sockets.rate_limited_log import RateLimitedLog
from fission.runtime.sockets.transport import ListeningSocket

if TYPE_CHECKING:
    from fission.runtime.sockets.tls import Certificate

HELLO_SECONDS = 5.0
"""Time for everything from being accepted to the HELLO."""

GUESTS = 128
"""Connections that may be on their way in, beside two for each input of the job."""

_AT_ONCE = 64  # accepted before others are served
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_INFO, _WARNING = 20, 30


class _Guest(NamedTuple):
    """A connection that has not said HELLO."""

    connection: Connection
    name: str
    deadline: float


class Acceptor:
    """Owns the listeners. `admit(connection, first, rest)` gets every connection that has said something.

    Call `open` once, then `tend` about twice a second. `admit` has to check what is said.
    """

    def __init__(
        self,
        listeners: Sequence[ListeningSocket],
        poller: Poller,
        admit: Callable[[Connection, Frame, Sequence[Frame]], None],
        *,
        log: Callable[[int, str], None],
        certificate: "Certificate | None" = None,
        guests: int = GUESTS,
    ) -> None:
        self._listeners = tuple(listeners)
        self._poller = poller
        self._admit = admit
        self._log = RateLimitedLog(log)
        self._certificate = certificate
        self._most = guests
        self._guests: dict[int, _Guest] = {}  # by descriptor, the oldest first
        self._paused = False

    def open(self) -> None:
        """Begin to accept connections."""
        self._paused = False
        for listener in self._listeners:
            self._poller.watch(listener.sock.fileno(), partial(self._accept, listener))

    def __len__(self) -> int:
        """Return how many connections are on their way in."""
        return len(self._guests)

    def close(self) -> None:
        """Accept nobody any more, and send away those who are on their way in."""
        for guest in self._guests.values():
            self._poller.drop(guest.connection)
        self._guests.clear()
        for listener in self._listeners:
            self._poller.forget(listener.sock.fileno())
            listener.sock.close()

    def tend(self, now: float) -> None:
        """Send away who has been here for too long; accept again after a pause."""
        while self._guests:
            oldest = next(iter(self._guests.values()))
            if now < oldest.deadline:
                break
            missing = oldest.connection.opening or "HELLO"
            self._send_away(oldest, f"{missing} was not complete after {HELLO_SECONDS:.0f} s")
        if self._paused:
            self.open()
        self._log.tend(now)

    def say(self, level: int, text: str) -> None:
        """Write a line about a stranger to the log, unless there are too many of them."""
        self._log.say(level, text, monotonic())

    # -- inside ------------------------------------------------------------------------------------------

    def _accept(self, listener: ListeningSocket, _event: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, peer = listener.sock.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error)
                return  # nobody waits any more, or who waited has gone
            self._receive(listener, sock, peer)

    def _pause(self, error: OSError) -> None:
        """There are no descriptors for those who wait; accepting at once again would only burn time."""
        self.say(_WARNING, f"no connection can be accepted: {error.strerror}")
        self._paused = True
        for listener in self._listeners:
            self._poller.forget(listener.sock.fileno())

    def _receive(self, listener: ListeningSocket, sock: socket.socket, peer: object) -> None:
        if len(self._guests) >= self._most:
            oldest = next(iter(self._guests.values()))
            self._send_away(oldest, f"{self._most} others want to come in and it has not said HELLO yet")
        now = monotonic()
        transport.tune(sock)
        if listener.endpoint.local or self._certificate is None:
            connection = Connection(sock)
        else:
            connection = self._certificate.accepted(sock, now + 2 * HELLO_SECONDS)  # `tend` comes before that
        name = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "a process of this machine"
        guest = self._guests[connection.fd] = _Guest(connection, name, now + HELLO_SECONDS)
        self._poller.watch(connection.fd, partial(self._event, guest))

    def _event(self, guest: _Guest, event: int) -> None:
        connection = guest.connection
        try:
            if event & WRITE:
                connection.flush()
            frames = connection.read() if event & ~WRITE else []
        except ChannelError as error:
            self._send_away(guest, f"it does not speak our protocol: {error}")
            return
        if frames:
            del self._guests[connection.fd]
            self._poller.forget(connection.fd)
            self._admit(connection, frames[0], frames[1:])
        elif not connection.closed:
            self._poller.want(connection)
        elif connection.error:
            self._send_away(guest, connection.error)
        else:
            self._send_away(guest, "it was closed before its HELLO", _INFO)

    def _send_away(self, guest: _Guest, reason: str, level: int = _WARNING) -> None:
        del self._guests[guest.connection.fd]
        self.say(level, f"a connection from {guest.name} was dropped: {reason}")
        self._poller.drop(guest.connection)
