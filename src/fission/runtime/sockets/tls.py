"""TLS connections, for processes that have a certificate; others do not import this module, because `ssl` is slow to load."""

import socket
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from fission.channel.wire.frames import Buffer, Frame
from fission.runtime.sockets.connection import Connection
from fission.security import (
    PeerError,
    PeerGoneError,
    Step,
    TlsChannel,
    TlsHandshake,
    accept_tls,
    client_context,
    dial_tls,
    find_identity,
    is_at,
    server_context,
)


class Certificate:
    """The certificate of this machine, ready for both sides of a connection. Raises CertificateError."""

    def __init__(self, folder: str) -> None:
        files = find_identity(Path(folder))
        self._server = server_context(files)
        self._client = client_context(
            files, check_host=False
        )  # `dial_tls` checks it, where there is a host to check

    def accepted(self, sock: socket.socket, deadline: float) -> Connection:
        """The connection of a socket that was accepted; the handshake fails after the deadline by itself."""
        return TlsConnection(sock, accept_tls(sock, self._server, deadline))

    def dialled(self, sock: socket.socket, host: str, deadline: float) -> Connection:
        """The connection of a socket that may still be connecting to `host`."""
        return TlsConnection(sock, dial_tls(sock, self._client, deadline, host=host))


class TlsConnection(Connection):
    """Used like a `Connection`: what is sent waits until the other side is verified, and nothing is read before.

    `read` and `flush` go on with the handshake. Ask the poller to `want` it after each of them.
    """

    tls = True

    def __init__(self, sock: socket.socket, handshake: TlsHandshake) -> None:
        super().__init__(sock)
        self._handshake = handshake
        self._channel: TlsChannel | None = None
        self._shaking_writes = True
        self.opening = "the TLS handshake"

    @property
    def wants_write(self) -> bool:
        """Whether `flush` is to be called when the socket is writable."""
        if self._channel is None:
            return self._shaking_writes
        return self.backlog > 0 or self._channel.wants_write

    @property
    def unread(self) -> bool:
        """Whether `read` would give more although the socket is not readable."""
        return self._channel is not None and self._channel.pending() > 0

    def comes_from(self, node: str) -> bool:
        """Whether the certificate of the other side belongs to this node (`LOCAL` for the client)."""
        peer = self._handshake.peer
        return peer is not None and is_at(peer, node)

    def read(self) -> list[Frame]:
        """Return the frames that have arrived, once the other side is verified."""
        channel = self._open()
        if channel is None:
            return []
        frames = super().read()
        self._explain(channel)
        return frames

    def send(self, buffers: Sequence[Buffer]) -> None:
        """Send buffers behind what already waits."""
        if self._channel is not None:
            super().send(buffers)
            self._explain(self._channel)
            return
        for buffer in buffers:
            self._queue(memoryview(buffer))

    def flush(self) -> None:
        """Send as much as the socket takes now, including records of TLS itself."""
        channel = self._open()
        if channel is None:
            return
        super().flush()
        if not self._out and channel.wants_write:
            try:
                channel.flush()
            except OSError:
                self.closed = True
        self._explain(channel)

    def _open(self) -> TlsChannel | None:
        """Continue the handshake; return the channel once it is complete."""
        if self._channel is not None or self.closed:
            return self._channel
        step = self._handshake.step(monotonic())
        self._shaking_writes = step is Step.WANTS_WRITE
        if step is Step.FAILED:
            self.closed = True
            self.error = _reason(self._handshake.error)
        elif step is Step.DONE:
            self.opening = ""
            self._channel = self._sock = self._handshake.channel()
            super().flush()
        return self._channel

    def _explain(self, channel: TlsChannel) -> None:
        if self.closed and not self.error:
            self.error = _reason(channel.error)


def _reason(error: PeerError | None) -> str:
    """What is wrong with the other side; nothing when the connection just broke. Others know better where."""
    if error is None or isinstance(error, PeerGoneError):
        return ""
    return str(PeerError(error.what, found=error.found, expected=error.expected, hint=error.hint))
