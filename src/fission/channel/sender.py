"""The sending end of one pipe: numbers blocks, keeps them until released, replays what a receiver lacks."""

from fission.channel.conversation import (
    SENDER_LOCAL,
    SENDER_TABLE,
    STREAM_TABLE,
    SenderEvent,
    SenderState,
    StreamState,
)
from fission.channel.counters import PipeCounters
from fission.channel.lossy_windows import LIVE_BLOCKS, LiveWindow, OptionalWindow
from fission.channel.machine import Machine
from fission.channel.ranges import Position
from fission.channel.windows import SendWindow
from fission.channel.wire.encoder import encode_control
from fission.channel.wire.frames import (
    VERSION,
    Ack,
    Buffer,
    CheckpointRequest,
    Done,
    Durable,
    End,
    Frame,
    Hello,
    Payload,
    Refuse,
    Welcome,
)

_S, _E, _T = SenderState, SenderEvent, StreamState

_EVENT_OF: dict[type, SenderEvent] = {
    Welcome: _E.WELCOME,
    Ack: _E.ACK,
    Durable: _E.SECURED,
    Done: _E.DONE,
    Refuse: _E.REFUSE,
}


class Sender:
    """Write blocks at any time, connected or not, as long as `writable`; then send what `take` returns.

    After `connected` call `take` (it has the HELLO). Give every frame that arrives to `receive`, then call `take` again.
    When `refused` is set, close the connection and do not connect again: this job has been replaced. When `done` is True,
    close the connection; writing goes on for free. A job may end when its senders are `finished`.

    `start` is the position (epoch, number) of the first block that will be written. A job that is `resuming` does not
    know it yet: connect, wait until the sender is `settled`, then call `resume`. `needed` is the number of blocks that the
    receiving side needs before it can release any (see `needed_blocks`): whatever their size, so many are let through.
    For live pipes, `max_queue` blocks may wait here and `room` blocks at the receiver (see `live_room`). An "optional" one is
    never full, and keeps some blocks for a receiver that is restarted (see `OptionalWindow`).
    """

    def __init__(
        self,
        pipe: int,
        *,
        run: str,
        incarnation: int = 1,
        delivery: str = "exact",
        retain: int = 16 << 20,
        max_queue: int = 0,
        room: int = 0,
        needed: int = 1,
        start: Position = (1, 1),
        resuming: bool = False,
    ) -> None:
        self.counters = PipeCounters()
        self.refused = ""
        self.durable_advanced = False
        """Set when `durable` has advanced without a release; the exchange resets it."""
        self._lossy = delivery != "exact"
        self._repeat: Position | None = None
        self._who = (VERSION, run, pipe, incarnation)
        self._resuming = resuming
        self._anywhere = False
        self._window: SendWindow
        if delivery == "live":
            self._window = LiveWindow(self.counters, limit=max_queue or LIVE_BLOCKS, room=room, start=start)
        elif delivery == "optional":
            self._window = OptionalWindow(self.counters, retain=retain, start=start)
        else:
            self._window = SendWindow(self.counters, retain=retain, needed=needed, start=start)
        where = f"sender of pipe {pipe}"
        self._connection: Machine[SenderState, SenderEvent] = Machine(
            where, _S.IDLE, SENDER_TABLE, SENDER_LOCAL
        )
        self._stream: Machine[StreamState, SenderEvent] = Machine(where, _T.OPEN, STREAM_TABLE, SENDER_LOCAL)
        self._greet = False
        self._end_sent = False
        self._pressed = False

    # -- the job's side ----------------------------------------------------------------------------------

    def write(self, blocks: list[Payload], head: int, mono: float, wall: float) -> int:
        """Number the blocks, keep them and queue them; return the number of the last one.

        `head` is the wire head of all of them, without the reset bit, which the window sets itself. `mono` and `wall`
        are the send time of the first one in seconds. The list must not be changed afterwards.
        """
        self._stream.fire(_E.WRITE)
        last = self._window.write(blocks, head, mono, wall)
        if self.done:
            self._window.clear()
        self.counters.queued = self._window.waiting
        return last

    def send(self, blocks: list[Payload], head: int, mono: float, wall: float) -> list[Buffer]:
        """Do `write` and then `take`: the shortest way for one block that is alone."""
        if len(blocks) == 1 and self._connection.state is _S.STREAMING and self._stream.state is _T.OPEN:
            frame = self._window.write_lone(blocks[0], head, mono, wall)
            if frame is not None:
                return [frame]
        self.write(blocks, head, mono, wall)
        return self.take()

    def finish(self) -> None:
        """Let an END follow everything that was written. Go on calling `take` and `receive` until `finished`."""
        self._stream.fire(_E.FINISH)

    def reset(self, epoch: int) -> None:
        """Number from 1 again in a newer epoch. What was written before is still delivered first."""
        self._stream.fire(_E.RESET)
        if epoch <= self._window.epoch:
            self._stream.misused(
                "reset to an old epoch", expected=f"> {self._window.epoch}", found=str(epoch)
            )
        self._window.reset(epoch)

    def resume(self, after: Position) -> None:
        """Number the next block after this position; before the first write only.

        For a job that is restarted: it connects its outputs first, waits until each is `settled`, and chooses its
        restart point from what they say (see `ledger`). Call `take` afterwards.
        """
        if not self._window.resume(after):
            self._stream.misused("resumed after blocks were written", found=str(self.written))
        self._resuming = False
        self._greet = self._greet or (self._anywhere and self._connection.state is _S.GREETING)

    @property
    def writable(self) -> bool:
        """Whether the job should write more now (it may always, but memory grows)."""
        return self._stream.state is _T.OPEN and (not self._window.full or self.done)

    @property
    def done(self) -> bool:
        """Whether the receiver has reported that it needs no further blocks."""
        return self._connection.state is _S.DONE

    @property
    def finished(self) -> bool:
        """Whether nothing of this pipe is needed any more: END acknowledged, or DONE received."""
        if self._stream.state is _T.OPEN:
            return self.done
        return self.done or self._window.acknowledged >= self._end

    @property
    def end_sent(self) -> bool:
        """Whether the END has been given to this connection."""
        return self._end_sent

    @property
    def written(self) -> Position:
        """Position of the last block that was written; number 0 when there is none in this epoch."""
        return self._window.epoch, self._window.last

    @property
    def released(self) -> Position:
        """Up to where nothing will ever be asked for again, as far as the job depends on it: only exact pipes do."""
        if self._lossy or self.done:
            return self.written
        return self._window.released

    @property
    def durable(self) -> Position:
        """Up to where the receiver has durable what it made of our blocks."""
        return max(self._window.durable, self.released)

    @property
    def acknowledged(self) -> Position:
        """What the receiver has said to have released; (0, 0) as long as it has said nothing."""
        return self._window.acknowledged

    @property
    def settled(self) -> bool:
        """Whether the receiver has said all that a restart point depends on: `acknowledged`, or that it is up to us."""
        return self.done or self._anywhere or self.acknowledged != (0, 0)

    @property
    def wanted(self) -> Position:
        """What the receiver wanted next when it was last connected; where we begin, before that."""
        return self._window.wanted

    @property
    def horizon(self) -> Position | None:
        """Up to where the results of our blocks are known downstream; None as long as the receiver has not said so."""
        return self.written if self.done else self._repeat

    @property
    def waiting(self) -> bool:
        """Whether `take` has something to send now."""
        if self._connection.state is not _S.STREAMING:
            return self._greet
        return self._window.waiting > 0 or (self._stream.state is _T.ENDED and not self._end_sent)

    @property
    def unreleased(self) -> tuple[int, int]:
        """Blocks that are kept, and the bytes that they take."""
        return self._window.count, self._window.size

    # -- the connection's side ---------------------------------------------------------------------------

    @property
    def state(self) -> SenderState:
        """Where the conversation with the receiver stands."""
        return self._connection.state

    def connected(self) -> None:
        """A connection to the receiver stands; send what `take` returns now."""
        self._connection.fire(_E.CONNECTED)
        self._pressed = False
        self._greet = not self.done

    def disconnected(self) -> None:
        """Handle the loss of the connection, with everything in flight."""
        self._connection.fire(_E.DISCONNECTED)
        self._greet = self._end_sent = False
        self._anywhere = False

    def receiver_gone(self) -> None:
        """Handle the end of the receiving job as reported by the coordinator: like a DONE that never arrived."""
        self._connection.fire(_E.GONE)
        self._greet = False
        self._window.clear()
        self.counters.queued = 0

    def receive(self, frame: Frame) -> None:
        """Take in a frame from the receiver. Call `take` afterwards. On RemoteProtocolError close the connection."""
        event = _EVENT_OF.get(type(frame))
        if isinstance(frame, Welcome) and not frame.epoch:
            event = _E.ANYWHERE
        if event is None:
            self._connection.broken(
                "unexpected frame", expected="WELCOME, ACK, SECURED, DONE or REFUSE", found=repr(frame)
            )
        state = self._connection.fire(event)
        if isinstance(frame, Ack):
            self._window.release((frame.epoch, frame.sqn))
            self._pressed = False
        elif isinstance(frame, Durable):
            self._window.durable = max(self._window.durable, (frame.epoch, frame.sqn))
            self.durable_advanced = True
        elif state is _S.DONE:
            self._window.clear()
            self.counters.queued = 0
        elif event is _E.ANYWHERE:
            self._anywhere = True
            self._greet = not self._resuming
        elif isinstance(frame, Welcome):
            self._repeat = (frame.epoch, max(frame.repeat, frame.next - 1))
            self._welcome((frame.epoch, frame.next))
        elif isinstance(frame, Refuse):
            self.refused = frame.reason or "refused"

    def take(self, limit: int = 1 << 20) -> list[Buffer]:
        """Return what to write to the connection now, about `limit` bytes of it; [] when there is nothing."""
        if self._connection.state is not _S.STREAMING:
            if self._greet:
                self._greet = False
                released = (0, 0) if self._resuming else self._window.gone
                return [encode_control(Hello(*self._who, released))]
            return []
        window = self._window
        out = window.take(limit) if window.waiting else []
        if self._stream.state is _T.ENDED and not self._end_sent and not window.waiting:
            self._end_sent = True
            out.append(encode_control(End(*self._end)))
        self.counters.queued = window.waiting
        return out

    def request_checkpoint(self) -> list[Buffer]:
        """Return what asks the receiver for a release; [] if it was asked since the last one, or there is nothing to release."""
        if self._pressed or self._connection.state is not _S.STREAMING or not self._window.count:
            return []
        self._pressed = True
        return [encode_control(CheckpointRequest())]

    @property
    def _end(self) -> Position:
        """The END takes the number after the last block."""
        return self._window.epoch, self._window.last + 1

    def _welcome(self, wanted: Position) -> None:
        if not self._window.replay_from(wanted) and not self._lossy:
            self._connection.broken(
                "the receiver asks for a block that it has released",
                expected=f"a position after {self._window.released}",
                found=str(wanted),
            )
        self.counters.queued = self._window.waiting
