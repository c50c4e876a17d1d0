"""The handshake of one connection as a state object: it never blocks and ends in a checked peer, or in time.

```python
handshake = accept_tls(sock, context, deadline=now + 5.0)
while True:
    match handshake.step(now):
        case Step.WANTS_READ | Step.WANTS_WRITE: ...   # wait for that or for handshake.deadline; then again
        case Step.DONE: channel = handshake.channel()  # handshake.peer is the verified peer
        case Step.FAILED: log(handshake.error); handshake.close()
```
"""

import contextlib
import enum
import socket
import ssl
from collections.abc import Iterable

from fission.errors import LocalProtocolError
from fission.security._pump import Pump
from fission.security.channel import TlsChannel
from fission.security.errors import PeerError, PeerGoneError
from fission.security.explain import explain
from fission.security.roles import Peer, Role, normal_address, peer_role, require_address, require_role

__all__ = ["HANDSHAKE_SECONDS", "Step", "TlsHandshake", "accept_tls", "dial_tls"]

HANDSHAKE_SECONDS = 5.0
"""A good time until the deadline: slow devices need some 100 ms."""
_READ = 4096
_MOST_BYTES = 64 << 10
"""No valid handshake is longer."""


class Step(enum.Enum):
    """What the handshake needs next."""

    WANTS_READ = "wait until the socket is readable"
    WANTS_WRITE = "wait until the socket is writable"
    DONE = "take the channel"
    FAILED = "log the error and close"


class TlsHandshake:
    """One connection between its first byte and a peer whose certificate, role and host were checked.

    Make it with `accept_tls` or `dial_tls`. Call `step(now)` at once, and again whenever the socket is ready
    for what the step wants or `deadline` has come (in seconds of the same clock as `now`). After DONE `peer`
    is set and `channel()` gives the connection away. After FAILED `error` is one line for the log; stop
    polling the descriptor, then `close()`. Neither changes any more.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        deadline: float,
        roles: Iterable[Role],
        host: str | None,
        where: str,
    ) -> None:
        sock.setblocking(False)
        self.deadline = deadline
        self.peer: Peer | None = None
        self.error: PeerError | None = None
        self._sock = sock
        self._context = context
        self._roles = tuple(roles)
        self._host = host
        self._where = where
        self._received = 0
        self._complete = False
        self._pump: Pump | None = None

    def fileno(self) -> int:
        """Return the socket's file descriptor, to poll."""
        return self._sock.fileno()

    def step(self, now: float) -> Step:
        """Advance the handshake as far as possible without waiting."""
        if self.error is not None:
            return Step.FAILED
        if self.peer is not None:
            return Step.DONE
        try:
            if now >= self.deadline:
                raise PeerGoneError("it did not complete the TLS handshake in time", where=self._where)
            return self._advance()
        except BlockingIOError:
            return Step.WANTS_READ
        except PeerError as error:
            self.error = error
        except OSError as error:
            self.error = explain(error, self._where)
            self._say_why()
        return Step.FAILED

    def channel(self) -> TlsChannel:
        """Return the connection, once, after DONE; the handshake is used up."""
        pump, self._pump = self._pump, None
        if self.peer is None or pump is None:
            raise LocalProtocolError("the handshake is not done, or its channel was taken", where=self._where)
        return TlsChannel(pump, self.peer, self._where)

    def close(self) -> None:
        """Close the socket; not after `channel()`."""
        self._sock.close()

    def _advance(self) -> Step:
        pump = self._pump
        if pump is None:
            # no TLS state is created before the first byte arrives
            first = b"" if self._host is not None else self._receive()
            pump = self._pump = Pump(self._sock, self._context, host=self._host)
            pump.feed(first)
        while True:
            if not pump.flush():
                return Step.WANTS_WRITE
            if self._complete:
                self.peer = self._judge(pump.tls)
                return Step.DONE
            try:
                pump.tls.do_handshake()
                self._complete = True
            except ssl.SSLWantReadError:
                if not pump.waiting:
                    pump.feed(self._receive())

    def _receive(self) -> bytes:
        """Receive what may belong to the handshake. Raises BlockingIOError when nothing has arrived."""
        data = self._sock.recv(_READ)
        self._received += len(data)
        if not data:
            raise PeerGoneError(
                "it closed the connection before the handshake was complete", where=self._where
            )
        if self._received > _MOST_BYTES:
            raise PeerError("its TLS handshake does not end", where=self._where)
        return data

    def _judge(self, tls: ssl.SSLObject) -> Peer:
        try:
            peer = peer_role(tls)
            require_role(peer, *self._roles)
            if self._host is not None and peer.role is Role.NODE:
                require_address(peer, self._host)
        except PeerError as error:
            error.where = f"{self._where} ({error.where})" if error.where else self._where
            raise
        return peer

    def _say_why(self) -> None:
        """Send the alert, if the socket takes it, so that the other side can tell its user."""
        if self._pump is not None:
            with contextlib.suppress(OSError):
                self._pump.flush()


def accept_tls(
    sock: socket.socket,
    context: ssl.SSLContext,
    deadline: float,
    *,
    roles: Iterable[Role] = (Role.CLIENT, Role.NODE),
) -> TlsHandshake:
    """Begin the handshake of a connection that was accepted; `context` from `server_context`.

    The peer must have one of the roles.
    """
    return TlsHandshake(sock, context, deadline=deadline, roles=roles, host=None, where=_peer_text(sock))


def dial_tls(
    sock: socket.socket,
    context: ssl.SSLContext,
    deadline: float,
    *,
    host: str,
    roles: Iterable[Role] = (Role.CLIENT, Role.NODE),
) -> TlsHandshake:
    """Begin the handshake of a connection to `host`; its socket may still be connecting.

    `context` is from `client_context`. The peer must have one of the roles. A node's certificate must name
    `host`; the client's need not if the context was made with `check_host=False`.
    """
    host = normal_address(host)
    return TlsHandshake(sock, context, deadline=deadline, roles=roles, host=host, where=host)


def _peer_text(sock: socket.socket) -> str:
    try:
        address = sock.getpeername()
    except OSError:
        return "a connection that has gone"
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "a local connection"
