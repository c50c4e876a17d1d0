"""The receiving end of one pipe: one connection at a time, duplicates dropped, releases reported to the sender."""

from collections import deque

from fission.channel.conversation import RECEIVER_LOCAL, RECEIVER_TABLE, ReceiverEvent, ReceiverState
from fission.channel.counters import PipeCounters
from fission.channel.machine import Machine
from fission.channel.ranges import Position
from fission.channel.retained import BLOCK_COST, FRAME_COST
from fission.channel.windows import ReceiveWindow
from fission.channel.wire.encoder import encode_control
from fission.channel.wire.frames import (
    VERSION,
    WIRE_RESET,
    Ack,
    Batch,
    Buffer,
    CheckpointRequest,
    Done,
    Durable,
    End,
    Frame,
    Hello,
    Welcome,
)

ACK_BLOCKS = 256
ACK_SECONDS = 0.02

_S, _E = ReceiverState, ReceiverEvent


class Receiver:
    """Give the HELLO of every new connection to `hello`, all later frames of the one that was accepted to `receive`.

    Send what `take` returns, at the latest at `deadline`. Call `release` for what will never be needed again, even if
    this job is restarted, and `done` when the job has ended: until then the sender keeps its END, and the upstream job
    with it. After `done` go on reading until the sender closes.

    `start` is the position of the first block that is wanted: after a restart the one after the checkpoint. What lies
    before it counts as released. A receiver that is not `placed` does not know it yet: it keeps its sender waiting until
    `place` is called. If nothing else tells where to begin, call `ask`, and see what is `offered`. `incarnation` is the
    oldest incarnation of the sender that is accepted, `announced` the newest one (None for any). `retain` is the sender's
    window in bytes; releases are reported before an eighth of it has gathered. On a live pipe with `room` the sender
    receives how far the job is: call `processed`.
    """

    def __init__(
        self,
        pipe: int,
        *,
        run: str,
        delivery: str = "exact",
        start: Position = (1, 1),
        retain: int = 16 << 20,
        incarnation: int = 0,
        announced: int | None = None,
        placed: bool = True,
        room: int = 0,
    ) -> None:
        self.counters = PipeCounters()
        self.incarnation = incarnation
        self._announced = announced
        self.refusal = ""
        self.offered: Position | None = None
        """Up to where the sender has nothing to send any more; None as long as it has not said so."""
        self._placed = placed
        self._ask = False
        self._pipe = pipe
        self._run = run
        self._lossy = delivery != "exact"
        self._live = delivery == "live"
        self._repeat: Position = (0, 0)
        self._retain = retain
        self._window = ReceiveWindow(self.counters, start=start)
        self._machine: Machine[ReceiverState, ReceiverEvent] = Machine(
            f"receiver of pipe {pipe}", _S.IDLE, RECEIVER_TABLE, RECEIVER_LOCAL
        )
        self._connected = False
        self._welcome = False
        self._say_done = False
        self._released: Position = (start[0], start[1] - 1)
        self._reported: Position = (0, 0)
        self._secured: Position = (0, 0)
        self._say_secured = False
        self._pressed = False
        self._report_bound = 0.0
        self._room = room
        self._worked_off: Position = self._released
        self._worked_off_told: Position = (0, 0)
        self._weights: deque[tuple[int, int, int]] = deque()
        self._unreleased_bytes = 0
        self._untold_bytes = 0

    # -- the connection's side ---------------------------------------------------------------------------

    def hello(self, frame: Hello) -> bool:
        """Handle the HELLO of a new connection. True: it replaces any older one: close that, then send what `take` returns.

        False: send Refuse(`refusal`) on the new connection and close it; an older one goes on.
        """
        self.refusal = self._objection(frame)
        if self.refusal:
            return False
        self._machine.fire(_E.HELLO)
        self.incarnation = frame.incarnation
        self._connected = self._welcome = True
        self._hear(frame)
        self._reported = self._worked_off_told = (0, 0)
        self._pressed = False
        self._say_secured = True
        self._say_done = self._machine.state is _S.DONE
        return True

    def announce(self, incarnation: int) -> None:
        """The sender has this incarnation now; older ones are refused by their successor's HELLO."""
        self._announced = max(self._announced or 0, incarnation)

    def is_early(self, frame: Hello) -> bool:
        """Whether a HELLO has an incarnation that was not announced yet: close its connection, so that it tries again."""
        return self._announced is not None and frame.incarnation > self._announced

    def disconnected(self) -> None:
        """Handle the loss of the connection. The answer to the next HELLO names the position to continue from."""
        self._machine.fire(_E.DISCONNECTED)
        self._connected = self._welcome = False
        self.offered = None

    def receive(self, frame: Frame) -> list[Batch]:
        """Take in a frame of the accepted connection; return what it delivers: in order, nothing twice.

        After an END `ended` is set. Call `take` afterwards. On RemoteProtocolError close the connection.
        """
        if isinstance(frame, Batch):
            if self._simply_next(frame):
                return [frame]
            if self._machine.fire(_E.DATA) is _S.DONE:
                return []
            return self._data(frame)
        if isinstance(frame, Hello) and not self._placed:
            self._welcome = True
            self._hear(frame)
            return []
        if isinstance(frame, CheckpointRequest):
            self._machine.fire(_E.PRESS)
            self._pressed = True
            return []
        if not isinstance(frame, End):
            self._machine.broken("unexpected frame", expected="DATA, PRESS or END", found=repr(frame))
        if self._machine.fire(_E.END) is not _S.DONE:
            self._check_end((frame.epoch, frame.next))
        return []

    def take(self, now: float) -> list[Buffer]:
        """Return what to write to the connection now; [] when there is nothing yet."""
        if not self._connected:
            return []
        if self._machine.state is _S.DONE:
            if not self._say_done:
                return []
            self._say_done = False
            return [encode_control(Done())]
        if not self._placed:
            if not self._asks:
                return []
            self._welcome = False
            return [encode_control(Welcome(0, 0))]
        out: list[Buffer] = []
        if self._welcome:
            self._welcome = False
            epoch, repeat = self._repeat
            out.append(encode_control(Welcome(*self.wanted, repeat if epoch == self.wanted[0] else 0)))
        if self._released > self._reported and self._due(now):
            self._reported = self._released
            self._report_bound = 0.0
            self._untold_bytes = 0
            out.append(encode_control(Ack(*self._reported)))
        elif self._room and self._makes_room():
            self._worked_off_told = self._worked_off
            out.append(encode_control(Ack(*self._worked_off)))
        if self._say_secured:
            self._say_secured = False
            if self._secured > self._reported:
                out.append(encode_control(Durable(*self._secured)))
        return out

    def deadline(self) -> float | None:
        """When `take` must be called at the latest; None when nothing is due."""
        if not self._connected:
            return None
        if self._machine.state is _S.DONE:
            return 0.0 if self._say_done else None
        if not self._placed:
            return 0.0 if self._asks else None
        if self._welcome:
            return 0.0
        if self._say_secured:
            return 0.0
        return None if self._quiet() else self._report_bound

    # -- the job's side ----------------------------------------------------------------------------------

    def ask(self) -> None:
        """Let a sender that waits for us choose where to begin, if it does not know it either."""
        self._ask = True

    def place(self, start: Position, repeat: int = 0) -> None:
        """Begin with this block; everything before it counts as released. Once only, and before anything has come.

        `repeat`: the results of the blocks of this epoch up to this one are known downstream (see `Welcome`).
        """
        if self._placed:
            self._machine.misused("placed twice", expected=str(self.wanted), found=str(start))
        self._placed = True
        self._window = ReceiveWindow(self.counters, start=start)
        self._released = self._worked_off = (start[0], start[1] - 1)
        self._repeat = (start[0], repeat)
        self._welcome = self._connected

    def release(self, epoch: int, sqn: int) -> None:
        """Everything up to here will never be needed again: not by this job, nor by its successor after a restart.

        The number of `end` releases the END as well.
        """
        position = (epoch, sqn)
        if position <= self._released:
            return
        limit = self.wanted if self.ended else (self.wanted[0], self.wanted[1] - 1)
        if position > limit and not self._lossy:
            self._machine.misused(
                "released what never came", expected=f"at most {limit}", found=str(position)
            )
        self._released = position
        self._pressed = False
        weights = self._weights
        while weights and weights[0][:2] <= position:
            size = weights.popleft()[2]
            self._unreleased_bytes -= size
            self._untold_bytes += size

    def processed(self, epoch: int, sqn: int) -> None:
        """The job has computed on everything up to here. For live pipes with `room`; nothing is released by that."""
        self._worked_off = max(self._worked_off, (epoch, sqn))

    def mark_durable(self, epoch: int, sqn: int) -> None:
        """What was made of the blocks up to here is stored, here or downstream; `release` may follow later."""
        if (epoch, sqn) > self._secured:
            self._secured = (epoch, sqn)
            self._say_secured = True

    def done(self) -> None:
        """Handle the end of the receiving job: everything counts as released."""
        if self._machine.state is not _S.DONE:
            self._machine.fire(_E.DONE)
            self._say_done = True
            self._weights.clear()
            self._unreleased_bytes = 0

    @property
    def state(self) -> ReceiverState:
        """Where the conversation with the sender stands."""
        return self._machine.state

    @property
    def placed(self) -> bool:
        """Whether it is known where to begin."""
        return self._placed

    @property
    def wanted(self) -> Position:
        """The position that is wanted next."""
        return self._window.wanted

    @property
    def released(self) -> Position:
        """Up to where everything is released."""
        return self._released

    @property
    def lost(self) -> bool:
        """Whether required blocks were released: the sender offers only later ones. That would be a bug."""
        offered = self.offered
        if offered is None or self._lossy or not self._placed or self._machine.state is _S.DONE:
            return False
        return offered[1] > 0 and offered >= self.wanted

    @property
    def end(self) -> Position | None:
        """Position of the END, once it has come: the number after the last block."""
        return self._window.end

    @property
    def ended(self) -> bool:
        """Whether everything up to the end of the stream has been delivered."""
        return self._window.end is not None

    @property
    def checkpoint_requested(self) -> bool:
        """Whether half of the sender's window is delivered but not released, or the sender presses: time for a checkpoint."""
        return self._pressed or 2 * self._unreleased_bytes >= self._retain

    # -- inside ------------------------------------------------------------------------------------------

    @property
    def _asks(self) -> bool:
        return self._ask and self._welcome and self.offered is None

    def _hear(self, frame: Hello) -> None:
        self.offered = frame.released if frame.released > (0, 0) else None

    def _objection(self, frame: Hello) -> str:
        if frame.version != VERSION:
            return f"protocol version {frame.version}, expected {VERSION}"
        if frame.run != self._run:
            return "another run"
        if frame.pipe != self._pipe:
            return f"pipe {frame.pipe}, expected {self._pipe}"
        if frame.incarnation < self.incarnation:
            return f"start {frame.incarnation} of its sender was replaced by start {self.incarnation}"
        return ""

    def _simply_next(self, batch: Batch) -> bool:
        """Accept a batch that is just what is wanted, as nearly all are: what `_data` would do, in one step."""
        window = self._window
        first = batch.first
        if (
            first != window.next
            or batch.epoch != window.epoch
            or first == 1
            or window.end is not None
            or self._lossy
            or self._machine.state is not _S.STREAMING
        ):
            return False
        size = batch.nbytes
        window.next = following = first + len(batch.blocks)
        counters = self.counters
        counters.delivered += following - first
        counters.bytes += size
        size += FRAME_COST + BLOCK_COST * (following - first)
        self._unreleased_bytes += size
        self._weights.append((batch.epoch, following - 1, size))
        return True

    def _data(self, batch: Batch) -> list[Batch]:
        window = self._window
        if not self._placed:
            self._machine.broken("blocks before a WELCOME", found=str((batch.epoch, batch.first)))
        if batch.first == 1 and not batch.head & WIRE_RESET:
            self._machine.broken("the first block of an epoch has no reset bit")
        if window.gap(batch.epoch, batch.first) and not self._lossy:
            found = str((batch.epoch, batch.first))
            self._machine.broken("blocks are missing", expected=str(window.wanted), found=found)
        if window.end is not None and (batch.epoch, batch.last) >= window.end:
            found = str((batch.epoch, batch.last))
            self._machine.broken("blocks after the end", expected=f"before {window.end}", found=found)
        new = window.accept(batch)
        if new is None:
            return []
        size = new.nbytes
        self.counters.bytes += size
        if not self._lossy:
            size += FRAME_COST + BLOCK_COST * new.count
            self._unreleased_bytes += size
            self._weights.append((new.epoch, new.last, size))
        return [new]

    def _check_end(self, end: Position) -> None:
        window = self._window
        if (end < window.wanted or window.gap(*end)) and not self._lossy:
            what = "the stream does not end where its blocks end"
            self._machine.broken(what, expected=str(window.wanted), found=str(end))
        window.finish(end)

    def _makes_room(self) -> bool:
        """Whether so much was worked off that the sender has to know: it has a quarter of the room to go on, or more."""
        (epoch, sqn), told = self._worked_off, self._worked_off_told
        return epoch != told[0] or sqn - told[1] >= max(1, self._room // 4)

    def _quiet(self) -> bool:
        """Whether nothing is reported to the sender: on a live pipe only END is acknowledged."""
        if self._live and (self._window.end is None or self._released < self._window.end):
            return True
        return self._released <= self._reported

    def _due(self, now: float) -> bool:
        if self._quiet():
            return False
        if self.ended or self._untold_bytes * 8 >= self._retain or self._reported[0] != self._released[0]:
            return True
        if self._released[1] - self._reported[1] >= ACK_BLOCKS:
            return True
        if not self._report_bound:
            self._report_bound = now + ACK_SECONDS
        return now >= self._report_bound
