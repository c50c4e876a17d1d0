"""The sending side of a job: connections to the receivers of its outputs, made again when they break."""

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic, time

from fission.channel.frames import Payload
from fission.errors import ChannelError
from fission.runtime import transport
from fission.runtime.connection import Connection
from fission.runtime.poller import GONE, READ, WRITE, Poller
from fission.runtime.ports import OutPort

_RETRY_FIRST, _RETRY_MOST = 0.005, 0.5


class Outgoing:
    """All outputs of a job. The caller holds the exchange's lock."""

    def __init__(self, ports: Sequence[OutPort], poller: Poller, log: Callable[[int, str], None]) -> None:
        self.ports = tuple(ports)
        self.unwanted = False
        """There are outputs, and none of their receivers wants anything more."""
        self._poller = poller
        self._log = log

    @property
    def writable(self) -> bool:
        """Whether every output can take more blocks."""
        for port in self.ports:  # noqa: SIM110 - a generator costs as much as all of this, for every lone block
            if not port.sender.writable and not port.sender.finished:
                return False
        return True

    @property
    def finished(self) -> bool:
        """Whether nothing that was sent is needed any more.

        Asynchronous outputs are only sent to their end: who reads them may be waiting for us, in a loop.
        """
        return all(port.sender.finished or (port.pipe.ASYNC and _flushed(port)) for port in self.ports)

    def route(self, pipe: int, address: str) -> None:
        """The receiver of output `pipe` listens at `address`."""
        for port in self.ports:
            if port.pipe.id == pipe:
                port.address = address
                port.retry_at = 0.0
                port.retries = 0

    def receiver_gone(self, pipe: int) -> None:
        """The job that receives output `pipe` has finished."""
        for port in self.ports:
            if port.pipe.id == pipe:
                port.address = None
                port.sender.receiver_gone()
                self._look_who_is_done()

    def hand_over(self) -> None:
        """Move pending blocks into the windows, and the windows into the sockets."""
        for port in self.ports:
            connection = port.connection
            if connection is None:
                self.write_pending(port)
                if port.address is not None and monotonic() >= port.retry_at:
                    self._connect(port, port.address)
            elif connection.backlog:
                self.write_pending(port)
            elif port.pending or port.sender.waiting:
                self._send(port, connection)

    def write_pending(self, port: OutPort) -> None:
        """Move what the job has appended into the window."""
        blocks = _drain(port)
        if blocks:
            port.sender.write(blocks, port.head, monotonic(), time())

    def begin_epoch(self, epoch: int) -> None:
        """Number from 1 again."""
        for port in self.ports:
            self.write_pending(port)
            port.sender.reset(epoch)

    def end(self) -> None:
        """Let the END follow what was written."""
        for port in self.ports:
            self.write_pending(port)
            port.sender.finish()

    def deadline(self) -> float | None:
        """When a broken connection is to be tried again: call `hand_over` then."""
        times = [p.retry_at for p in self.ports if p.connection is None and p.address is not None]
        return min(times, default=None)

    # -- inside ------------------------------------------------------------------------------------------

    def _send(self, port: OutPort, connection: Connection) -> None:
        """Send what is pending and what waits in the window, as much as the socket takes."""
        sender, pending = port.sender, port.pending
        blocks = [pending.popleft()] if len(pending) == 1 else _drain(port)
        buffers = sender.send(blocks, port.head, monotonic(), time()) if blocks else sender.take()
        while buffers:
            connection.send(buffers)
            if connection.backlog:
                self._poller.want(connection)
                return
            if not sender.waiting:
                return
            buffers = sender.take()

    def _connect(self, port: OutPort, address: str) -> None:
        try:
            sock = transport.connect(address)
        except OSError:
            self._retry_later(port)
            return
        connection = Connection(sock)
        port.connection = connection
        port.sender.connected()
        self._poller.watch(connection.fd, partial(self._event, port, connection))
        self._send(port, connection)

    def _retry_later(self, port: OutPort) -> None:
        port.retry_at = monotonic() + min(_RETRY_MOST, _RETRY_FIRST * 2**port.retries)
        port.retries = min(port.retries + 1, 10)

    def _event(self, port: OutPort, connection: Connection, event: int) -> None:
        try:
            if event & (READ | GONE):
                for frame in connection.read():
                    port.retries = 0
                    port.sender.receive(frame)
                if port.sender.done:
                    self._look_who_is_done()
            if event & WRITE:
                connection.flush()
                self._poller.want(connection)
        except ChannelError as error:
            self._log(30, f"pipe {port.pipe.id}: {error}")
            connection.closed = True
        if connection.closed:
            self._poller.drop(connection)
            port.connection = None
            port.sender.disconnected()
            if port.sender.done or port.sender.refused:
                port.address = None
            self._retry_later(port)

    def _look_who_is_done(self) -> None:
        self.unwanted = all(port.sender.done for port in self.ports)


def _drain(port: OutPort) -> list[Payload]:
    """Take the blocks that are pending now; the job's thread may append more meanwhile."""
    take, count = port.pending.popleft, len(port.pending)
    return [take() for _ in range(count)] if count else []


def _flushed(port: OutPort) -> bool:
    """Whether the END has left."""
    return port.sender.end_sent and port.connection is not None and not port.connection.backlog
