"""The receiving side of a job: from accepted connections to rounds."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from fission.channel.admissions import Admissions
from fission.channel.join import Join, RoundBatch
from fission.channel.ranges import Position
from fission.channel.wire.encoder import encode_control
from fission.channel.wire.frames import Batch, Frame, Hello, Refuse
from fission.errors import ChannelError, RunError
from fission.runtime.data.acceptor import Acceptor
from fission.runtime.data.ports import InPort, input_rule
from fission.runtime.sockets.admission import limits_for
from fission.runtime.sockets.connection import Connection
from fission.runtime.sockets.descriptors import descriptor_limit
from fission.runtime.sockets.poller import GONE, READ, WRITE, Poller
from fission.runtime.sockets.transport import ListeningSocket

if TYPE_CHECKING:
    from fission.runtime.sockets.tls import Certificate


class Incoming:
    """All inputs of a job: the synchronous ones meet in `join`, the others have mailboxes. Call `begin` before `take`.

    The caller holds the exchange's lock. While `eager` is set, the job waits for just one round and gets what
    comes without a detour. Connections are accepted once `acceptor` is open.
    """

    def __init__(
        self,
        ports: Sequence[InPort],
        listeners: Sequence[ListeningSocket],
        poller: Poller,
        log: Callable[[int, str], None],
        certificate: "Certificate | None" = None,
        sources: Mapping[int, int] | None = None,
    ) -> None:
        self.ports = tuple(ports)
        self.joined = tuple(port for port in self.ports if port.mailbox is None)
        self.join: Join | None = None
        self.eager = False
        self.admissions: Admissions | None = None
        """Where blocks of logged inputs arrive."""
        self.closing = False
        """The last round is computed; later blocks are read and dropped."""
        self.live = tuple(port for port in self.joined if port.pipe.DELIVERY == "live")
        self._sources = dict(sources or {})  # the sending job of each pipe
        self._nodes: dict[int, str] = {}  # its node, where the client has announced it
        self._by_pipe = {port.pipe.id: port for port in self.ports}
        self._straight: RoundBatch | None = None  # comes before what the join has
        self._poller = poller
        self._log = log
        self.acceptor = Acceptor(
            listeners,
            poller,
            self._arrived,
            limits=limits_for(descriptor_limit(), expected=2 * len(self.ports)),
            log=log,
            certificate=certificate,
        )

    def take(self, limit: int = 4096) -> RoundBatch | None:
        """Return computable rounds, at most `limit`, or None. Resumes reading from inputs that have room."""
        stretch = self._straight
        if stretch is not None:
            self._straight = None
            return stretch
        if self.join is None:
            return None
        stretch = self.join.take(monotonic(), limit)
        if stretch is not None:
            for port in self.joined:
                if port.paused and not port.crowded(*self.join.queued(port.index)):
                    self._pause(port, paused=False)
        return stretch

    @property
    def finished(self) -> bool:
        """Whether the stream has ended: `take` has returned None and this is True."""
        if self.join is not None:
            return self.join.finished
        return all(port.ended for port in self.ports)

    def ask(self) -> None:
        """Request from all senders the position from which they can send, also from those that wait for this side."""
        for port in self.joined:
            port.receiver.ask()

    def offers(self) -> list[tuple[Position, int]] | None:
        """Return what the senders have released, with the block counts; None until all have reported.

        Live inputs, which may have gaps, are asked only if there are no others.
        """
        offers: list[tuple[Position, int]] = []
        for port in [one for one in self.joined if one.pipe.DELIVERY == "exact"] or self.joined:
            if port.receiver.offered is None:
                return None
            offers.append((port.receiver.offered, port.pipe.BLOCK_COUNT))
        return offers

    def begin(self, point: Position, *, place: bool, horizon: Position = (0, 0)) -> None:
        """Start after this point; `place`: the receivers do not know it yet. Call it once, before the first `take`.

        `horizon`: the results of the rounds up to this one are known downstream.
        """
        epoch, number = point
        if place:
            for port in self.joined:
                count = port.pipe.BLOCK_COUNT
                port.receiver.place(
                    (epoch, number * count + 1), repeat=horizon[1] * count if horizon[0] == epoch else 0
                )
                self._check_lost(port)
        if self.joined:
            self.join = Join([input_rule(port.pipe) for port in self.joined], start=(epoch, number + 1))

    def place_optional(self, admissions: Admissions) -> None:
        """Request from the senders of logged inputs what the restored mailboxes and the log lack."""
        for port in self.ports:
            if port.logged and not port.receiver.placed:
                port.receiver.place(admissions.wanted(port.pipe.id))

    def announce(self, placed: Mapping[int, tuple[int, str]]) -> None:
        """Take in the newest incarnation and the node of jobs: connections of our senders are accepted from there alone."""
        for pipe, job in self._sources.items():
            port = self._by_pipe.get(pipe)
            if port is not None and job in placed:
                incarnation, self._nodes[pipe] = placed[job]
                port.receiver.announce(incarnation)

    def sender_gone(self, pipe: int) -> None:
        """Handle the end of an asynchronous input's sender, which will send no END."""
        port = self._by_pipe.get(pipe)
        if port is not None and port.mailbox is not None:
            port.ended = True

    def release(self, pipe: int, epoch: int, sqn: int) -> None:
        """Release the blocks of an input up to this one."""
        self._by_pipe[pipe].receiver.release(epoch, sqn)

    def processed(self, epoch: int, number: int) -> None:
        """Report a computed round to the senders of live pipes, which may send more."""
        for port in self.live:
            port.receiver.processed(epoch, number * port.pipe.BLOCK_COUNT)

    def mark_durable(self, point: Position) -> None:
        """Report that the results of the rounds up to this one are stored, here or downstream."""
        epoch, number = point
        for port in self.joined:
            port.receiver.mark_durable(epoch, number * port.pipe.BLOCK_COUNT)

    def acknowledge(self) -> None:
        """Send the acknowledgements that are due."""
        now = 0.0
        for port in self.ports:
            connection = port.connection
            if connection is not None:
                now = now or monotonic()
                buffers = port.receiver.take(now)
                if buffers:
                    connection.send(buffers)
                    self._poller.want(connection, paused=port.paused)

    def deadline(self) -> float | None:
        """When `acknowledge` has something to do without new blocks."""
        times = [port.receiver.deadline() for port in self.ports]
        return min((time for time in times if time is not None), default=None)

    def round_due(self) -> float | None:
        """When `take` returns a round without new blocks."""
        return None if self.join is None else self.join.deadline()

    @property
    def mail(self) -> bool:
        """Whether any mailbox holds a block."""
        return any(port.mailbox for port in self.ports)

    @property
    def backlog(self) -> bool:
        """Whether acknowledgements are queued for a socket."""
        return any(port.connection is not None and port.connection.backlog for port in self.ports)

    def tend(self, now: float) -> None:
        """Close connections whose peer is gone, and those that do not authenticate; call it about twice a second.

        The sender alone would notice late: while it waits for room, it asks ever more seldom.
        """
        self.acceptor.tend(now)
        for port in self.ports:
            if port.connection is not None and port.connection.unheard():
                port.lost_at = now
                self._lose(port, port.connection)

    # -- connections -------------------------------------------------------------------------------------

    def _arrived(self, connection: Connection, first: Frame, rest: Sequence[Frame]) -> None:
        """Handle the first frames of a new connection, which must name its pipe."""
        port = self._by_pipe.get(first.pipe) if isinstance(first, Hello) else None
        if not isinstance(first, Hello) or port is None:
            self._refuse(connection, "no such pipe here")
        elif port.receiver.is_early(first) or not self._from_its_node(connection, first.pipe):
            self.acceptor.report(
                30,
                f"pipe {first.pipe}: a connection was closed: the client has not announced incarnation "
                f"{first.incarnation} of its sender at this place",
            )
            self._poller.drop(connection)  # without a REFUSE: a sender that is only early tries again
        elif not port.receiver.hello(first):
            self._refuse(connection, f"pipe {first.pipe}: {port.receiver.refusal}")
        else:
            self._adopt(port, connection, rest)

    def _from_its_node(self, connection: Connection, pipe: int) -> bool:
        node = self._nodes.get(pipe)
        return node is None or connection.comes_from(node)

    def _adopt(self, port: InPort, connection: Connection, frames: Sequence[Frame]) -> None:
        if port.connection is not None:
            self._poller.drop(port.connection)
        port.connection = connection
        port.lost_at = None
        port.local = connection.local
        port.lag, port.lag_of = 0.0, 0
        port.paused = False
        self._poller.watch(connection.fd, partial(self._event, port, connection))
        try:
            self._take_in(port, frames)
        except ChannelError as error:
            self._broken(port, connection, error)
        self._poller.want(connection, paused=port.paused)
        self._check_lost(port)

    def _check_lost(self, port: InPort) -> None:
        receiver = port.receiver
        if receiver.lost:
            raise RunError(
                "blocks are gone that this job has not worked off",
                where=f"pipe {port.pipe.id}, from incarnation {receiver.incarnation} of its sender",
                expected=f"from block {receiver.wanted[1]} of epoch {receiver.wanted[0]} on",
                found=f"the sender has nothing up to {receiver.offered}",
                hint="Was the job's stored state lost? Start the network with --fresh",
            )

    def _refuse(self, connection: Connection, reason: str) -> None:
        self.acceptor.report(30, f"a connection was refused: {reason}")
        connection.send([encode_control(Refuse(reason))])
        self._poller.drop(connection)

    def _event(self, port: InPort, connection: Connection, event: int) -> None:
        try:
            if event & WRITE:
                connection.flush()
                self._poller.want(connection, paused=port.paused)
            if event & (READ | GONE):
                self._take_in(port, connection.read())
                if connection.tls:
                    self._poller.want(connection, paused=port.paused)
        except ChannelError as error:
            self._broken(port, connection, error)
        if connection.closed and port.connection is connection:
            if connection.error:
                self._log(30, f"pipe {port.pipe.id}: {connection.error}")
            if connection.timed_out():
                port.lost_at = monotonic()
            self._lose(port, connection)

    def _broken(self, port: InPort, connection: Connection, error: ChannelError) -> None:
        self._log(30, f"pipe {port.pipe.id}: {error}")
        self._lose(port, connection)

    def _lose(self, port: InPort, connection: Connection) -> None:
        self._poller.drop(connection)
        port.connection = None
        port.receiver.disconnected()

    # -- what they bring ---------------------------------------------------------------------------------

    def _take_in(self, port: InPort, frames: Sequence[Frame]) -> None:
        now = monotonic()
        receiver, mailbox = port.receiver, port.mailbox
        for frame in frames:
            for batch in receiver.receive(frame):
                port.lag, port.lag_of = now - batch.mono, receiver.incarnation
                if port.logged and self.admissions is not None:
                    self.admissions.arrive(port.pipe.id, batch)
                elif mailbox is not None:
                    for block in batch.blocks:
                        mailbox.put(block)
                    receiver.release(batch.epoch, batch.last)
                elif self.join is not None and not self.closing:
                    self._offer(port, self.join, batch, now)
        if receiver.end is not None and not port.ended:
            port.ended = True
            if mailbox is not None and not port.logged:
                receiver.release(*receiver.end)
            if mailbox is None and self.join is not None:
                self.join.end(port.index)

    def _offer(self, port: InPort, join: Join, batch: Batch, now: float) -> None:
        if self.eager and self._straight is None:
            self._straight = join.straight(batch)
            if self._straight is not None:
                return
        join.offer(port.index, batch, now)
        if not port.paused and port.crowded(*join.queued(port.index)):
            self._pause(port, paused=True)

    def _pause(self, port: InPort, *, paused: bool) -> None:
        port.paused = paused
        if port.connection is not None:
            self._poller.want(port.connection, paused=paused)
