"""The sending side of a job: connections to the receivers of its outputs, renewed when they break."""

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING

from fission.channel.conversation import SenderState
from fission.channel.ranges import Position
from fission.channel.wire.frames import Payload
from fission.errors import ChannelError, RunError
from fission.runtime.data.ports import OutPort
from fission.runtime.sockets import transport
from fission.runtime.sockets.connection import Connection
from fission.runtime.sockets.endpoints import Endpoint, choose
from fission.runtime.sockets.poller import GONE, READ, WRITE, Poller

if TYPE_CHECKING:
    from fission.runtime.sockets.tls import Certificate

CONNECT_SECONDS = 5.0
"""Seconds for a connection to be established, including its TLS handshake, before it is retried."""

SILENT_SECONDS = 1.0
"""Seconds from when a machine is known not to answer until that is reported."""

_RETRY_FIRST, _RETRY_MOST = 0.005, 0.5
_RETRIES_TOLD = 10  # after about 2 s


class Outgoing:
    """All outputs of a job. The caller holds the exchange's lock.

    `machine` is the address of ours: receivers with the same one are reached by their Unix socket.
    """

    def __init__(
        self,
        ports: Sequence[OutPort],
        poller: Poller,
        log: Callable[[int, str], None],
        machine: str = "",
        certificate: "Certificate | None" = None,
    ) -> None:
        self.ports = tuple(ports)
        self.held = False
        """Blocks that are written stay in the windows until this is False again."""
        self.cancelled = False
        """Whether there are outputs, and all of their receivers have finished."""
        self._poller = poller
        self._log = log
        self._machine = machine
        self._certificate = certificate

    @property
    def writable(self) -> bool:
        """Whether every output can take more blocks."""
        for port in self.ports:  # noqa: SIM110 - a generator costs as much as all of this, for every lone block
            if not port.sender.writable and not port.sender.finished:
                return False
        return True

    @property
    def finished(self) -> bool:
        """Whether all that was sent is released. Live optional outputs have no acknowledgements: they are sent to their end."""
        return all(port.sender.finished or (_unacknowledged(port) and _flushed(port)) for port in self.ports)

    def route(self, pipe: int, address: str) -> None:
        """The receiver of output `pipe` listens at `address`; the connection to its earlier address is closed."""
        endpoint = choose(address, self._machine)
        if not endpoint.local and (endpoint.kind == "tls") != (self._certificate is not None):
            raise RunError(
                "one of the two machines has a certificate for data connections and the other has none",
                where=f"pipe {pipe} to {endpoint}",
            )
        for port in self.ports:
            if (
                port.pipe.id == pipe and not port.sender.refused
            ):  # a refusal is final, wherever the receiver is
                if port.connection is not None and port.endpoint != endpoint:
                    self._lose(port, port.connection)
                port.endpoint = endpoint
                port.retry_at = 0.0
                port.retries = 0
                port.heard, port.silent = monotonic(), 0.0

    def receiver_gone(self, pipe: int) -> None:
        """Handle the end of the job that receives output `pipe`."""
        for port in self.ports:
            if port.pipe.id == pipe:
                port.endpoint = None
                port.sender.receiver_gone()
                self._look_who_is_done()

    def hand_over(self) -> None:
        """Move pending blocks into the windows, and the windows into the sockets."""
        for port in self.ports:
            connection = port.connection
            if connection is None:
                self.write_pending(port)
                if port.endpoint is not None and monotonic() >= port.retry_at:
                    self._connect(port, port.endpoint)
            elif connection.backlog or (self.held and port.sender.state is SenderState.STREAMING):
                self.write_pending(port)
            elif port.pending or port.sender.waiting:
                self._send(port, connection)

    def resume(self, after: Position) -> None:
        """Number the first blocks after this position; after a restart, before anything is written."""
        for port in self.ports:
            port.sender.resume(after)

    def request_checkpoint(self) -> None:
        """Request a release from all receivers with unreleased blocks."""
        for port in self.ports:
            connection = port.connection
            if connection is not None and not connection.backlog:
                buffers = port.sender.request_checkpoint()
                if buffers:
                    connection.send(buffers)
                    self._poller.want(connection)

    def write_pending(self, port: OutPort) -> None:
        """Move what the job has appended into the window."""
        blocks = _drain(port)
        if blocks:
            port.sender.write(blocks, port.head, monotonic(), time())
            if port.tap is not None:
                port.tap.offer(blocks, port.sender.written)

    def begin_epoch(self, epoch: int, only: OutPort | None = None) -> None:
        """Number from 1 again, on all outputs or on one."""
        for port in self.ports if only is None else (only,):
            self.write_pending(port)
            port.sender.reset(epoch)

    def end(self) -> None:
        """Send END after the written blocks."""
        for port in self.ports:
            self.write_pending(port)
            port.sender.finish()

    def deadline(self) -> float | None:
        """When a broken connection is retried next: call `hand_over` then."""
        times = [p.retry_at for p in self.ports if p.connection is None and p.endpoint is not None]
        return min(times, default=None)

    def tend(self, now: float) -> None:
        """Close connections that time out or whose peer is gone; call it about twice a second."""
        for port in self.ports:
            connection = port.connection
            self._listen_for(port, now)
            if connection is None:
                continue
            if port.stands_by is not None and now >= port.stands_by:
                doing = connection.opening or "connecting"
                self._complain(port, f"{doing} was not complete after {CONNECT_SECONDS:.0f} s")
            elif connection.unheard():
                self._complain(port, "the machine at the other end does not answer any more")
            else:
                continue
            self._lose(port, connection)

    # -- inside ------------------------------------------------------------------------------------------

    def _listen_for(self, port: OutPort, now: float) -> None:
        """Find out whether the receiver's machine answers."""
        expected = port.endpoint is not None and not port.endpoint.local and not port.sender.done
        if not expected or (port.connection is not None and port.connection.answers()):
            port.heard = now
        silent = now - port.heard
        port.silent = silent if silent >= SILENT_SECONDS else 0.0

    def _send(self, port: OutPort, connection: Connection) -> None:
        """Send pending blocks and the window, as much as the socket accepts."""
        sender, pending = port.sender, port.pending
        blocks = [pending.popleft()] if len(pending) == 1 else _drain(port)
        buffers = sender.send(blocks, port.head, monotonic(), time()) if blocks else sender.take()
        if port.tap is not None and blocks:
            port.tap.offer(blocks, sender.written)
        while buffers:
            connection.send(buffers)
            if connection.backlog:
                self._poller.want(connection)
                return
            if not sender.waiting:
                return
            buffers = sender.take()

    def _connect(self, port: OutPort, endpoint: Endpoint) -> None:
        try:
            sock = transport.connect(endpoint)
        except OSError:
            self._retry_later(port)
            return
        port.stands_by = monotonic() + CONNECT_SECONDS
        if endpoint.local or self._certificate is None:
            connection = Connection(sock)
        else:
            deadline = port.stands_by + CONNECT_SECONDS  # `tend` comes before that
            connection = self._certificate.dialled(sock, endpoint.host, deadline)
        port.connection = connection
        port.sender.connected()
        self._poller.watch(connection.fd, partial(self._event, port, connection))
        self._send(port, connection)
        self._poller.want(connection)
        if not connection.backlog:
            port.stands_by = None

    def _retry_later(self, port: OutPort) -> None:
        port.retry_at = monotonic() + min(_RETRY_MOST, _RETRY_FIRST * 2**port.retries)
        port.retries = min(port.retries + 1, _RETRIES_TOLD)
        if port.retries == _RETRIES_TOLD and not port.complaint:
            self._complain(port, "cannot connect; it is tried again twice a second")

    def _event(self, port: OutPort, connection: Connection, event: int) -> None:
        if port.silent:  # between two looks it may have answered, and closed the connection
            self._listen_for(port, monotonic())
        try:
            if event & (READ | GONE):
                for frame in connection.read():
                    port.retries = 0
                    port.complaint = ""
                    port.sender.receive(frame)
                if port.sender.done:
                    self._look_who_is_done()
            if event & WRITE:
                connection.flush()
            if event & WRITE or connection.tls:
                self._poller.want(connection)
        except ChannelError as error:
            self._log(30, f"pipe {port.pipe.id}: {error}")
            connection.closed = True
        if port.stands_by is not None and not connection.backlog:
            port.stands_by = None
        if connection.closed:
            if connection.error:
                self._complain(port, connection.error)
            self._lose(port, connection)

    def _lose(self, port: OutPort, connection: Connection) -> None:
        self._poller.drop(connection)
        port.connection = port.stands_by = None
        port.sender.disconnected()
        if port.sender.done or port.sender.refused:
            port.endpoint = None
        self._retry_later(port)

    def _complain(self, port: OutPort, text: str) -> None:
        """Log a new reason of a failed connection once; it is retried twice a second."""
        if text != port.complaint:
            port.complaint = text
            self._log(30, f"pipe {port.pipe.id} to {port.endpoint}: {text}")

    def _look_who_is_done(self) -> None:
        self.cancelled = all(port.sender.done for port in self.ports)


def _drain(port: OutPort) -> list[Payload]:
    """Take the blocks that are pending now; the job's thread may append more meanwhile."""
    take, count = port.pending.popleft, len(port.pending)
    return [take() for _ in range(count)] if count else []


def _unacknowledged(port: OutPort) -> bool:
    return port.pipe.ASYNC and port.pipe.DELIVERY == "live"


def _flushed(port: OutPort) -> bool:
    """Whether END has been sent."""
    return port.sender.end_sent and port.connection is not None and not port.connection.backlog
