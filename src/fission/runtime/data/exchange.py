"""Moves blocks between one job and its neighbors, on behalf of the job's own thread.

Who pumps. The job's thread pumps whenever it is in here: when it waits for a round, and between rounds. While
it is in user code for long, the I/O thread pumps instead (`IoThread`). One lock keeps them apart; the job's
thread never waits for another thread to move a lone block, which is what keeps latency low.
"""

import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING

from fission.channel.join import RoundBatch
from fission.channel.ledger import Ledger
from fission.channel.ranges import Position
from fission.runtime.data.incoming import Incoming
from fission.runtime.data.outgoing import Outgoing
from fission.runtime.data.ports import OutPort
from fission.runtime.data.repetition import MOST_ROUNDS, Repetition
from fission.runtime.messages import LOG_EPOCH
from fission.runtime.sockets.poller import Poller

if TYPE_CHECKING:
    from fission.runtime.checkpointing.checkpoints import Checkpoints

SLICE = 0.0002
"""Seconds that a block may be held back to be sent together with later ones while the job computes."""

REPORT_INTERVAL = 0.5
"""Seconds between two status reports."""


class Exchange:
    """The job's thread calls `begin`, `next_rounds`, `append` on a port's pending blocks, `service`, finally `finish`.

    `report` is called about twice a second. The loop reports epoch and number of the last complete round, with `complete`,
    before it calls in here. `resuming`: senders and receivers do not know yet where they begin; call `settle`, and `offers`
    if that yields nothing, before `begin`.
    """

    def __init__(
        self,
        incoming: Incoming,
        outgoing: Outgoing,
        *,
        poller: Poller,
        report: Callable[[], None],
        resuming: bool = False,
    ) -> None:
        self.lock = threading.Lock()
        self.incoming = incoming
        self.outgoing = outgoing
        self.inputs = incoming.ports
        self.outputs = outgoing.ports
        self.progress: Position = (1, 0)
        """The last complete round."""
        self.epoch = 0
        """The newest epoch that an origin was ordered to begin."""
        self.repeated = 0
        """After a restart: the last round whose blocks the receivers already have."""
        self.serviced_at = monotonic()
        """When the job's thread last used the exchange."""
        self.waiting = False
        """The job's thread is inside the exchange."""
        self.parked = False
        """The I/O thread sleeps until `unpark` is set."""
        self.unpark = threading.Event()
        self._ledger = Ledger((), {}, stateful=False)
        self._resuming = resuming
        self._checkpoints: Checkpoints | None = None
        self._poller = poller
        self._report = report
        self._report_at = self.serviced_at + REPORT_INTERVAL
        self._handed_over = False  # since the last pump
        self._backing = [p for p in self.outputs if not p.pipe.ASYNC and p.pipe.DELIVERY == "exact"]
        self.repetition = Repetition(self.inputs, self._backing, resuming=resuming)

    # -- what the job's thread calls ---------------------------------------------------------------------

    def settle(self) -> tuple[list[Position], bool]:
        """Wait until every exact receiver has reported its releases; return them, and whether one has no record of them."""
        with self.lock:
            senders = [port.sender for port in self._backing]
            while not all(sender.settled for sender in senders):
                self._wait()
            said = [sender.acknowledged for sender in senders if not sender.done]
            return [position for position in said if position != (0, 0)], (0, 0) in said

    def offers(self) -> list[tuple[Position, int]]:
        """Wait for what the senders of all synchronous inputs have released; [] if all receivers have finished."""
        with self.lock:
            self.incoming.ask()
            while not self.outgoing.cancelled:
                offers = self.incoming.offers()
                if offers is not None:
                    return offers
                self._wait()
            return []

    def begin(self, point: Position, *, stateful: bool, stored: Position = (0, 0)) -> None:
        """Start after this point: number rounds from there. Call it once, before the first round.

        `stored` is the last round of which a predecessor has stored the state.
        """
        with self.lock:
            self.progress = point
            counts = {port.pipe.id: port.pipe.BLOCK_COUNT for port in self.incoming.joined}
            self._ledger = Ledger([p.pipe.id for p in self._backing], counts, stateful, start=point)
            if self._resuming:
                self.repetition.stored = stored
                wanted = [p.sender.wanted for p in self._backing]
                self.repeated = max((sqn - 1 for epoch, sqn in wanted if epoch == point[0]), default=0)
                self.outgoing.resume(point)
            if not (self._resuming and self.outgoing.cancelled):
                self.incoming.begin(point, place=self._resuming, horizon=self.repetition.horizon or stored)
            self.hand_over()

    def next_rounds(self) -> RoundBatch | None:
        """Wait for rounds that can be computed; return None at the end of the stream."""
        incoming = self.incoming
        with self.lock:
            self.hand_over()
            self._wait_for_room()
            self._admit()
            limit = self.repetition.limit(self.progress)
            incoming.eager = limit == MOST_ROUNDS
            while (stretch := incoming.take(limit)) is None:
                if incoming.finished or self.outgoing.cancelled:
                    return None
                self._wait(incoming.round_due())
                self._admit()  # what is stored before the round comes does not delay its results
            incoming.eager = False
            self._admit()
            self._leave()
            return stretch

    def wait_for_mail(self) -> bool:
        """Wait for a block in any mailbox; return False at the end of the stream."""
        incoming = self.incoming
        with self.lock:
            self.hand_over()
            self._wait_for_room()
            while True:
                self._admit()
                if incoming.mail:
                    break
                if (incoming.finished and not self.repetition.arrived) or self.outgoing.cancelled:
                    return False
                self._wait()
            self._leave()
            return True

    def keep(self, checkpoints: "Checkpoints", *, stored: bool) -> None:
        """Start checkpointing the job, from its state after `begin`; `stored`: that state is already stored elsewhere."""
        with self.lock:
            if self.repetition.optional is not None:
                self.incoming.place_optional(self.repetition.optional.admissions)
            checkpoints.begin(self.progress, stored=stored)
            self._ledger.stateful = checkpoints.keeping
            self._checkpoints = checkpoints

    def complete(self, epoch: int, round: int) -> None:
        """Record that all rounds up to this one are computed and their outputs appended."""
        checkpoints = self._checkpoints
        if checkpoints is not None and not checkpoints.keeping:
            with self.lock:
                self._ledger.stateful = checkpoints.appeared(self._ledger)
        self.progress = (epoch, round)

    def set_head(self, port: OutPort, head: int) -> None:
        """Set the head of the blocks that are appended from now on."""
        with self.lock:
            self.outgoing.write_pending(port)
            port.head = head

    def begin_epoch(self, epoch: int) -> None:
        """Number the outputs from 1 again, in a new epoch."""
        with self.lock:
            self.progress = (epoch, 0)
            self.repeated = 0
            self.outgoing.begin_epoch(epoch)

    def service(self) -> float:
        """Call between rounds, at the latest at the time that the last call returned.

        Sends what is pending, takes in what has come, waits while an output is full. Returns the monotonic
        time at which to call again.
        """
        with self.lock:
            self.hand_over()
            if self.pump(0.0):
                self.hand_over()
            self.report_if_due()
            self._look()
            self._wait_for_room()
            self._admit()
            self._leave()
        return self.serviced_at + SLICE

    # -- what the loop of a program calls, which waits for more than rounds --------------------------------

    def watch(self, fd: int) -> None:
        """Let `turn` return when `fd` is readable."""
        with self.lock:
            self._poller.watch(fd, lambda _event: None)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`."""
        with self.lock:
            self._poller.forget(fd)

    def take(self, limit: int) -> RoundBatch | None:
        """Return available rounds, at most `limit`; None if there are none."""
        with self.lock:
            return self.incoming.take(limit)

    def turn(self, *, wait: bool, due: float | None) -> None:
        """Send pending blocks and read received ones; with `wait`, block until something happens or until `due`."""
        with self.lock:
            self.hand_over()
            if wait:
                self._wait(due)
            elif self.pump(0.0):
                self.hand_over()
            self.report_if_due()
            self._leave()

    def begin_epoch_of(self, port: OutPort, epoch: int) -> None:
        """Start a new epoch on one output: the outputs of a program need not be at the same round."""
        with self.lock:
            self.outgoing.begin_epoch(epoch, port)

    def release_inputs(self, epoch: int, round: int) -> None:
        """Release the inputs up to a round although its outputs have not been released."""
        with self.lock:
            for port in self.incoming.joined:
                self.incoming.release(port.pipe.id, epoch, round * port.pipe.BLOCK_COUNT)

    def processed(self, epoch: int, round: int) -> None:
        """Let the senders of live inputs send more, although this round is not complete."""
        with self.lock:
            self.incoming.processed(epoch, round)

    def finish(self) -> None:
        """End all outputs and wait until everything sent is processed downstream."""
        incoming, outgoing = self.incoming, self.outgoing
        with self.lock:
            self._checkpoints = None  # `run` may have begun a round that it did not complete
            incoming.closing = True
            for port in self.inputs:
                if port.mailbox is not None:  # never replayed; and a loop must not wait for itself
                    port.receiver.done()
            outgoing.end()
            self.hand_over()
            while not outgoing.finished:
                self._wait()
            for port in incoming.joined:  # not earlier: until now a successor of ours would have needed them
                port.receiver.done()
            self.hand_over()
            while incoming.backlog:
                self._wait()

    # -- what both threads call, holding the lock --------------------------------------------------------

    def pump(self, timeout: float) -> bool:
        """Handle sockets that are ready; wait for one up to `timeout` seconds.

        Call `hand_over` afterwards, but first compute: a round that is ready is more urgent than acknowledgements.
        Returns whether anything was ready.
        """
        self._handed_over = False
        return self._poller.poll(timeout)

    def hand_over(self) -> None:
        """Move pending blocks into windows, windows and acknowledgements into sockets."""
        self._handed_over = True
        if self.repetition.optional is not None:
            self.repetition.acknowledge()
            self.outgoing.held = self.repetition.held
        self.outgoing.hand_over()
        ledger = self._ledger
        ledger.computed(*self.progress)
        durable_advanced = False
        for port in self._backing:
            sender = port.sender
            ledger.output_released(port.pipe.id, *sender.released)
            durable_advanced |= sender.durable_advanced
            sender.durable_advanced = False
        for pipe, (epoch, sqn) in ledger.releases().items():
            self.incoming.release(pipe, epoch, sqn)
        if self.incoming.live:
            self.incoming.processed(*self.progress)
        if durable_advanced and not ledger.stateful:
            self.incoming.mark_durable(min(port.sender.durable for port in self._backing))
        self.incoming.acknowledge()

    def stored(self, position: Position) -> None:
        """Record that the state after this round is stored elsewhere, or a version of the log of optional inputs."""
        if position[0] == LOG_EPOCH:
            if self.repetition.optional is not None:
                self.repetition.optional.stored(position[1])
        elif self._checkpoints is not None:
            self._ledger.stored(*position)
            self._checkpoints.stored(position, self._ledger.restart)
            self.incoming.mark_durable(position)

    def report_if_due(self) -> float:
        """Report when it is due, and maintain connections that are not established. Returns the time."""
        now = monotonic()
        if now >= self._report_at:
            self._report_at = now + REPORT_INTERVAL
            self._report()
            self.incoming.tend(now)
            self.outgoing.tend(now)
        return now

    def counters(self) -> Mapping[int, dict[str, float]]:
        """Return the counters of every pipe of this job, by pipe id; inputs have `queued` and `lag`.

        An input with a `sender` (its incarnation) comes from another machine: its `lag` is our monotonic time at the arrival
        minus the sender's when it sent. The client knows both clocks.
        """
        report: dict[int, dict[str, float]] = {}
        join = self.incoming.join
        for port in self.inputs:
            counts = report[port.pipe.id] = port.receiver.counters.as_dict()
            counts["lag"] = port.lag
            if not port.local:
                counts["sender"] = port.lag_of
            if port.mailbox is not None:
                counts["queued"] = len(port.mailbox)
                counts["dropped"] += port.mailbox.dropped
                waiting, dropped = self.repetition.counted(port.pipe.id) if port.logged else (0, 0)
                counts["queued"] += waiting
                counts["dropped"] += dropped
            elif join is not None:
                counts["queued"] = join.queued(port.index)[0]
                counts["dummies"] = join.dummies(port.index)
                counts["late"] += join.late(port.index)
        for out_port in self.outputs:
            report[out_port.pipe.id] = out_port.sender.counters.as_dict()
        return report

    def silent(self) -> dict[int, float]:
        """Return the pipes whose other machine does not answer, by id, with the seconds for which that is known."""
        now = monotonic()
        ends = {port.pipe.id: port.silent for port in self.outputs if port.silent}
        for port in self.inputs:
            if port.lost_at is not None and not port.ended:
                ends[port.pipe.id] = now - port.lost_at
        return ends

    # -- inside ------------------------------------------------------------------------------------------

    def _wait(self, due: float | None = None) -> None:
        """Serve the sockets until something happens, the next deadline, or `due`."""
        if not self._handed_over:
            self.hand_over()
        now = self.report_if_due()
        until = self._report_at
        look = self._look()
        held = self.repetition.deadline()
        for moment in (due, look, held, self.incoming.deadline(), self.outgoing.deadline()):
            if moment is not None and moment < until:
                until = moment
        self.waiting = True
        self.pump(max(0.0, until - now))

    def _look(self) -> float | None:
        """Take checkpoints that are due, and request them downstream if a sender needs a release; return the next time."""
        checkpoint_requested = False
        for port in self.incoming.joined:
            checkpoint_requested |= port.receiver.checkpoint_requested
        if checkpoint_requested:
            self.outgoing.request_checkpoint()
        if self._checkpoints is None:
            return None
        return self._checkpoints.look(self.progress, self._ledger, checkpoint_requested=checkpoint_requested)

    def _admit(self) -> None:
        """Let the next round use what has arrived at optional inputs; hold its results back until that is stored."""
        if self.repetition.optional is not None:
            self.repetition.admit(self.progress, self._ledger.restart)
            self.outgoing.held = self.repetition.held

    def _wait_for_room(self) -> None:
        """Wait until every output takes more."""
        while not self.outgoing.writable:
            self.outgoing.request_checkpoint()
            self._admit()  # a sender that ends waits until its blocks are stored, and may be who makes room
            self._wait()

    def _leave(self) -> None:
        """Leave for user code: from now on the I/O thread serves the sockets."""
        self.serviced_at = monotonic()
        if self.waiting:
            self.waiting = False
            if self.parked:
                self.unpark.set()
