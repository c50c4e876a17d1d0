"""The loop of a job that is a program: feeds rounds to it and reads its blocks, as fast as each side allows.

Nothing here waits for one pipe of the program while another could be served, so the program may read its inputs in any
order and write as late as it likes. What bounds the memory: a stretch of rounds is taken only when an input has run dry, and
nothing is read from an output whose window is full.
"""

import contextlib
import select
from collections.abc import Callable
from time import monotonic

from fission.channel.join import RoundBatch
from fission.channel.wire.frames import WIRE_FINISHED, WIRE_RESET, Payload
from fission.core.jobs import ExecutableJob
from fission.errors import PipeError
from fission.runtime.data.exchange import Exchange
from fission.runtime.data.ports import OutPort
from fission.runtime.programs.child import Child
from fission.runtime.programs.interest import Interest
from fission.runtime.programs.pipe_io import CHUNK, End, InputEnd, OutputEnd
from fission.runtime.programs.rounds import ENDLESS, Rounds
from fission.runtime.programs.watch import Watch

__all__ = ["ProgramLoop"]

LOOK_AHEAD = 16 << 20
"""Bytes that may be buffered for an input that the program does not read while it waits at another."""

_MANY = 1000
"""Unanswered rounds of a waiting program that are taken to stay unanswered."""

_RETRY, _RETRY_MOST = 0.005, 0.25
"""Seconds between two attempts to open a named pipe; a program may be slow, or never open an optional one."""

_LOOK = 0.002


class ProgramLoop:
    """Start it after the job's `setup`, then `run` it until the job's stream has ended; `close` in any case."""

    def __init__(self, job: ExecutableJob, exchange: Exchange, log: Callable[[int, str], None]) -> None:
        self._job = job
        self._exchange = exchange
        self._log = log
        size = job.head_size if job.HEAD else 0
        self._inputs = [InputEnd(port, size) for port in exchange.inputs]
        self._joined = [end for end in self._inputs if end.port.mailbox is None]
        # Optional inputs come first: the program may read them once it has its round.
        self._served = sorted(self._inputs, key=lambda end: end.port.mailbox is None)
        outputs = exchange.outputs[: len(job.outputs)]
        self._outputs = [OutputEnd(port, size) for port in outputs]
        self._bells = exchange.outputs[len(outputs) :]  # outputs of the emulator: one block per round
        self._rounds = Rounds(exchange.progress)
        self._complete = 0
        self._last = ENDLESS
        """Serial of the round after which the program has finished."""
        self._surplus = 0
        self._closing = False
        self._fed = False
        """The join has no more rounds."""
        self._hungry = False
        """The join has no round now."""
        self._loose = False
        """There is no block for each round, see `_let_go`."""
        self._interest = Interest()
        self._child: Child | None = None
        self._started = monotonic()
        self._cpu_seconds = 0.0
        self._watch = Watch(job, self._inputs, self._outputs, log)
        self.epoch, self.round = exchange.progress
        self._begun = self.epoch  # the newest epoch of an origin
        for out in self._outputs:
            out.epoch = self.epoch

    # -- called by the process ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the program. Raises RunError when that is not possible."""
        self._child = child = Child(self._job, self._inputs, self._outputs)
        self._watch.child = child
        self._interest.watch(child.pidfd)
        self._interest.watch(child.stderr)
        if not self._joined:
            self._begin(self.epoch, self.round + 1)
        self._exchange.watch(self._interest.fileno())

    def run(self) -> None:
        """Serve the program until it has ended. Raises RunError when it fails, PipeError for what is no block."""
        exchange, watch = self._exchange, self._watch
        try:
            while not self._over():
                busy = self._turn()
                if exchange.outgoing.cancelled:
                    return
                due = watch.check(look_ahead=LOOK_AHEAD)
                exchange.turn(wait=not busy, due=self._due(due))
            watch.judge()
            self._settle()
        except PipeError as error:
            watch.blame(error)
            raise
        finally:
            self.close()

    def close(self) -> None:
        """End the program, if it still runs."""
        self._exchange.forget(self._interest.fileno())
        ends: list[End] = [*self._inputs, *self._outputs]
        for end in ends:
            end.close()
        if self._child is not None:
            self._child.stop()
        self._interest.close()

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the program."""
        if self._child is not None:
            self._cpu_seconds = max(self._cpu_seconds, self._child.cpu_seconds())
        return self._cpu_seconds

    @property
    def computing(self) -> bool:
        """Whether the program leaves blocks unread although its outputs have room; a source has to write."""
        if self._loose or not all(out.wanted for out in self._outputs):
            return False
        with contextlib.suppress(OSError):  # the I/O thread may ask while the pipe is being closed
            return not self._joined or not all(end.drained for end in self._joined)
        return False

    # -- one turn ----------------------------------------------------------------------------------------

    def _over(self) -> bool:
        child = self._child
        return child is None or (child.code is not None and all(end.ended for end in self._outputs))

    def _turn(self) -> bool:
        """Do everything that is possible without waiting; return whether anything was done."""
        self._hear()
        busy = False
        if self._exchange.epoch > self._begun and not self._joined:
            self._begin(self._exchange.epoch, 1)
        if not self._closing and self._wants_to_end():
            self._closing = True
        if not self._closing:
            busy |= self._take_rounds()
        if not self._closing or self._fed:
            self._take_mail()
        for end in self._served:
            if end.queued and end.flush():
                self._watch.moved()
                busy = True
            if self._closing and not end.closed and not (self._fed and self._needed(end)):
                self._interest.forget(end)
                end.close()
        for out in self._outputs:
            busy |= self._take_blocks(out)
        self._count()
        self._interest.update(self._inputs, self._outputs)
        return busy

    def _hear(self) -> None:
        """Handle the polled events of the program."""
        child = self._child
        if child is None:
            return
        child.open_inputs()
        for fd, end, event in self._interest.events():
            if fd == child.pidfd:
                child.reap()
                self._interest.unwatch(fd)
                self._program_ended()
            elif fd == child.stderr:
                if not child.listen():
                    self._interest.unwatch(fd)
            elif end is not None:  # else it was forgotten just now
                self._ready(end, event)

    def _ready(self, end: End, event: int) -> None:
        if isinstance(end, OutputEnd):
            end.ready = True
        elif event & select.EPOLLERR:
            self._interest.forget(end)
            end.give_up()

    def _program_ended(self) -> None:
        """The program has ended: it reads no more input, but what it has written is still to be read."""
        for end in self._inputs:
            self._interest.forget(end)
            end.give_up()
        for out in self._outputs:
            if out.path and not out.opened and not self._anything(out):
                self._interest.forget(out)
                out.close()

    def _anything(self, out: OutputEnd) -> bool:
        """Whether a named pipe has been opened; before that nothing can be read, not even its end."""
        if out.fd is None:
            return False
        poll = select.poll()
        poll.register(out.fd, select.POLLIN)
        return bool(poll.poll(0))

    def _wants_to_end(self) -> bool:
        """Whether no more rounds will be given to the program, or it accepts none."""
        child, incoming = self._child, self._exchange.incoming
        if child is None or child.code is not None or any(out.ended for out in self._outputs):
            return True
        if self._complete >= self._last:
            return True
        return self._fed if self._joined else bool(self._inputs) and incoming.finished and not incoming.mail

    def _needed(self, end: InputEnd) -> bool:
        """Whether an input has to stay open a while, although no rounds will come any more.

        As long as the program has rounds to read, it may also read its asynchronous inputs.
        """
        if end.port.mailbox is not None:
            return not all(one.closed for one in self._joined)
        return bool(end.queued) or (len(self._joined) < len(self._inputs) and not end.drained)

    # -- in ----------------------------------------------------------------------------------------------

    def _take_rounds(self) -> bool:
        """Take rounds from the join when an input has run dry."""
        joined, exchange = self._joined, self._exchange
        self._hungry = False
        if not joined:
            return False
        live = any(end.live for end in joined)
        if live:
            if not all(end.drained for end in joined):
                return False
        elif min(end.queued for end in joined) >= CHUNK or max(end.queued for end in joined) >= LOOK_AHEAD:
            return False
        stretch = exchange.take(1 if live else 4096)
        self._hungry = stretch is None
        if stretch is None:
            self._fed = exchange.incoming.finished
            return False
        self._give(stretch)
        return True

    def _give(self, stretch: RoundBatch) -> None:
        head = 0
        for heads in stretch.heads:
            for one in heads:
                head |= one
        serial = self._rounds.add(stretch.epoch, stretch.first, stretch.count, head)
        for end, column, heads in zip(self._joined, stretch.columns, stretch.heads, strict=True):
            end.offer(serial, stretch.count, column, heads)

    def _take_mail(self) -> None:
        """Write received blocks to the asynchronous inputs, one at a time, oldest first."""
        for end in self._inputs:
            mailbox = end.port.mailbox
            if mailbox is not None and len(mailbox) and end.fd is not None and end.drained:
                payload = mailbox.take()
                if payload is not None:
                    end.offer(0, 1, [payload], (0,))

    # -- out ---------------------------------------------------------------------------------------------

    def _take_blocks(self, out: OutputEnd) -> bool:
        """Read from an output and pass on complete blocks; return whether there were any."""
        if not out.ready or not out.wanted:
            return False
        runs = out.read()
        if runs:
            self._watch.moved()
        for head, blocks in runs:
            self._hand_on(out, head, blocks)
        return bool(runs)

    def _hand_on(self, out: OutputEnd, given: int, blocks: list[Payload]) -> None:
        """Put blocks into the output, with the heads that belong to their rounds."""
        exchange, port = self._exchange, out.port
        while blocks and out.produced < self._last:
            run = self._rounds.run_at(out.produced)
            part, blocks = (
                (blocks, []) if run.count >= len(blocks) else (blocks[: run.count], blocks[run.count :])
            )
            if run.epoch != out.epoch:
                if out.epoch:
                    exchange.begin_epoch_of(port, run.epoch)
                out.epoch = run.epoch
            head = run.head
            if self._job.HEAD:
                head = (given & ~WIRE_RESET) | (run.head & (WIRE_RESET | WIRE_FINISHED))
            if head & WIRE_FINISHED:
                blocks = part[1:] + blocks
                part = part[:1]
                self._last = out.produced + 1
            if port.head != head:
                exchange.set_head(port, head)
            port.pending.extend(part)
            out.produced += len(part)
        self._surplus += len(blocks)

    # -- rounds ------------------------------------------------------------------------------------------

    def _begin(self, epoch: int, first: int) -> None:
        """Without inputs that are waited for, the blocks of the program are the rounds, from now on in this epoch."""
        self._begun = epoch
        rounds = self._rounds
        rounds.cut(max((out.produced for out in self._outputs), default=0))
        if first == 1:
            rounds.add(epoch, 1, 1, WIRE_RESET)
            first = 2
        rounds.add(epoch, first, ENDLESS, 0)

    def _count(self) -> None:
        """Find the rounds that are complete, and report them to the exchange."""
        complete = ENDLESS
        for end in self._joined:
            read = end.written if self._outputs else end.written - end.unread()
            complete = min(complete, end.rounds(read))
        for out in self._outputs:
            complete = min(complete, out.produced)
        if ENDLESS > complete > self._complete:
            for bell in self._bells:
                self._ring(bell, complete - self._complete)
            self._complete = complete
            self.epoch, self.round = self._exchange.progress = self._rounds.position(complete)
            self._rounds.forget(complete)
        if self._exchange.incoming.live:  # what the program was given waits for nothing more from us
            given = min(end.rounds(end.written) for end in self._joined)
            self._exchange.processed(*self._rounds.position(given))
        if self._outputs and self._joined:
            self._let_go()

    def _ring(self, bell: OutPort, rounds: int) -> None:
        bell.pending.extend([bell.encode(True)] * rounds)

    def _let_go(self) -> None:
        """A program that writes fewer blocks than rounds must not make its senders keep everything for ever."""
        if not self._loose:
            many = self._rounds.given - self._complete > _MANY
            if not (many or any(end.port.receiver.checkpoint_requested for end in self._joined)):
                return
            if not self._watch.idle() or not all(end.drained for end in self._joined):
                return
        given = min(end.rounds(end.written) for end in self._joined)
        if not self._loose:
            self._loose = True
            self._log(
                30,
                f"its program has read {given} rounds and written {self._complete} blocks to an output: as there"
                " is not one block for each round, nothing that it has read will be repeated after a failure",
            )
        self._exchange.release_inputs(*self._rounds.position(given))

    # -- waiting and the end -----------------------------------------------------------------------------

    def _due(self, due: float | None) -> float | None:
        """The next time to check, even without an event."""
        times = [due]
        if self._hungry:
            times.append(self._exchange.incoming.round_due())
        if any(end.fd is None and not end.closed for end in self._inputs):
            now = monotonic()
            times.append(now + min(_RETRY_MOST, max(_RETRY, (now - self._started) / 10)))
        closing = self._closing and self._fed and len(self._joined) < len(self._inputs)
        if (self._bells or closing) and not all(end.drained for end in self._joined):
            times.append(monotonic() + _LOOK)
        return min((time for time in times if time is not None), default=None)

    def _settle(self) -> None:
        """The program has ended successfully: the rounds that it has not answered count as not computed."""
        incoming = self._exchange.incoming
        if self._inputs and not incoming.finished:
            self._log(20, "its program has ended before its inputs")
        missing = self._rounds.given - self._complete
        if self._outputs and self._joined and incoming.finished and missing and not self._loose:
            self._log(30, f"its program has ended without a block for each of its last {missing} rounds")
        if self._surplus:
            self._log(20, f"{self._surplus} blocks that its program wrote after the last round were dropped")
        if not self._outputs and self._joined and incoming.finished:
            self.epoch, self.round = self._exchange.progress = self._rounds.position(self._rounds.given)


def started(job: ExecutableJob, exchange: Exchange, log: Callable[[int, str], None]) -> ProgramLoop:
    """Make the loop of a job and start its program. Raises RunError."""
    loop = ProgramLoop(job, exchange, log)
    try:
        loop.start()
    except BaseException:
        loop.close()
        raise
    return loop
