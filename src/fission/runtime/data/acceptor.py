"""Accepts data connections: a connection is verified, if this machine has a certificate, and names its pipe in a HELLO.

Until its HELLO a connection is unauthenticated and counts against the limits of `runtime.sockets.admission`.
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
from fission.runtime.sockets.admission import Admission, AdmissionLimits
from fission.runtime.sockets.connection import Connection
from fission.runtime.sockets.poller import WRITE, Poller
from fission.runtime.sockets.rate_limited_log import RateLimitedLog
from fission.runtime.sockets.transport import ListeningSocket

if TYPE_CHECKING:
    from fission.runtime.sockets.tls import Certificate

_AT_ONCE = 64  # accepted before other sockets are served
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_INFO, _WARNING = 20, 30


class _Pending(NamedTuple):
    """A connection that has not sent a HELLO."""

    connection: Connection
    name: str


class Acceptor:
    """Owns the listeners. `admit(connection, first, rest)` receives every connection that has sent its first frames.

    Call `open` once, then `tend` about twice a second. `admit` has to check the frames.
    """

    def __init__(
        self,
        listeners: Sequence[ListeningSocket],
        poller: Poller,
        admit: Callable[[Connection, Frame, Sequence[Frame]], None],
        *,
        limits: AdmissionLimits,
        log: Callable[[int, str], None],
        certificate: "Certificate | None" = None,
    ) -> None:
        self._listeners = tuple(listeners)
        self._poller = poller
        self._admit = admit
        self._log = RateLimitedLog(log)
        self._certificate = certificate
        self._admission: Admission[int] = Admission(limits)  # by descriptor
        self._pending: dict[int, _Pending] = {}
        self._paused = False

    def open(self) -> None:
        """Begin to accept connections."""
        self._paused = False
        for listener in self._listeners:
            self._poller.watch(listener.sock.fileno(), partial(self._accept, listener))

    def __len__(self) -> int:
        """Return the number of unauthenticated connections."""
        return len(self._pending)

    def close(self) -> None:
        """Stop listening, and close the unauthenticated connections."""
        for pending in self._pending.values():
            self._poller.drop(pending.connection)
        self._pending.clear()
        for listener in self._listeners:
            self._poller.forget(listener.sock.fileno())
            listener.sock.close()

    def tend(self, now: float) -> None:
        """Close the connections whose time is over; accept again after a pause."""
        for descriptor, reason in self._admission.expire(now):
            missing = self._pending[descriptor].connection.opening or "HELLO"
            self._close(descriptor, f"{missing} is not complete: {reason}")
        if self._paused:
            self.open()
        self._log.tend(now)

    def report(self, level: int, text: str) -> None:
        """Write a line about an unauthenticated connection to the log, at a limited rate."""
        self._log.say(level, text, monotonic())

    # -- inside ------------------------------------------------------------------------------------------

    def _accept(self, listener: ListeningSocket, _event: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, peer = listener.sock.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error)
                return  # no connection waits any more, or the waiting one was closed
            self._receive(listener, sock, peer)

    def _pause(self, error: OSError) -> None:
        """Stop accepting until `tend`: without a free descriptor the listeners would stay readable and use all the time."""
        self.report(_WARNING, f"no connection can be accepted: {error.strerror}")
        self._paused = True
        for listener in self._listeners:
            self._poller.forget(listener.sock.fileno())

    def _receive(self, listener: ListeningSocket, sock: socket.socket, peer: object) -> None:
        now = monotonic()
        transport.tune(sock)
        if listener.endpoint.local or self._certificate is None:
            connection = Connection(sock)
        else:
            limit = now + 2 * self._admission.limits.seconds  # `tend` comes before that
            connection = self._certificate.accepted(sock, limit)
        host, name = ("", "a process of this machine")
        if isinstance(peer, tuple):
            host, name = str(peer[0]), f"{peer[0]}:{peer[1]}"
        descriptor = connection.fd
        self._pending[descriptor] = _Pending(connection, name)
        self._poller.watch(descriptor, partial(self._event, descriptor))
        for rejected, reason in self._admission.arrive(descriptor, host, descriptor, now):
            self._close(rejected, reason)

    def _event(self, descriptor: int, event: int) -> None:
        connection = self._pending[descriptor].connection
        try:
            if event & WRITE:
                connection.flush()
            frames = connection.read() if event & ~WRITE else []
        except ChannelError as error:
            self._close(descriptor, f"it does not speak our protocol: {error}")
            return
        if frames:
            del self._pending[descriptor]
            self._admission.leave(descriptor)
            self._poller.forget(descriptor)
            self._admit(connection, frames[0], frames[1:])
        elif not connection.closed:
            self._poller.want(connection)
        elif connection.error:
            self._close(descriptor, connection.error)
        else:
            self._close(descriptor, "it was closed before its HELLO", _INFO)

    def _close(self, descriptor: int, reason: str, level: int = _WARNING) -> None:
        pending = self._pending.pop(descriptor)
        self._admission.leave(descriptor)
        self.report(level, f"a connection from {pending.name} was closed: {reason}")
        self._poller.drop(pending.connection)
