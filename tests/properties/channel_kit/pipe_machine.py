"""One exact pipe under every fault that is promised to be survived.

What is written is a function of (epoch, number), so that whatever is delivered can be checked without a copy of the
protocol: every epoch complete and in order, unless its source died without a replay.
"""

from types import SimpleNamespace
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from channel_kit.wire import Wire
from fission.channel.wire.frames import VERSION, WIRE_RESET, Batch, Hello
from fission.errors import RemoteProtocolError

SMALL = st.integers(0, 12)
SHARE = st.sampled_from([0, 1, 2, 3, 4, 4, 4])  # quarters of what is under way


def content(epoch: int, number: int) -> bytes:
    return b"%d.%d;" % (epoch, number) * (300 if number % 11 == 5 else 1)


def head(epoch: int, number: int) -> int:
    return 8 * (number % 7 == 3) | (WIRE_RESET if number == 1 else 0)


class Side:
    """A sender, the connection it uses, and what its job has written."""

    def __init__(self, sender, epoch: int, number: int) -> None:
        self.sender = sender
        self.connection = None
        self.epoch = epoch
        self.number = number
        self.start = (epoch, number)
        self.written: list[tuple[int, int]] = []


class PipeRules(RuleBasedStateMachine):
    """Rules of the world: jobs write, wires lose, processes die."""

    channel: ClassVar[SimpleNamespace]

    @initialize(
        retain=st.sampled_from([0, 40, 1 << 20, 1 << 20]),
        needed=st.sampled_from([1, 5]),
        counts=st.lists(st.integers(1, 9), max_size=3),
    )
    def begin(self, retain: int, needed: int, counts: list[int]) -> None:
        self.retain, self.needed = retain, needed
        self.now = 0.0
        self.incarnation = 1
        self.accepted = 0  # newest incarnation that was welcomed
        self.lengths: dict[int, int] = {}  # of epochs that are over
        self.front: dict[
            int, int
        ] = {}  # the furthest that any incarnation wrote: a deterministic job goes as far
        self.torn: set[int] = set()  # epochs whose end died with their source
        self.finished_at: tuple[int, int] | None = None
        self.log: list[tuple[int, int]] = []  # what the receiving job has, or has released
        self.zombies: list[Side] = []
        self.side = self.new_side(1, 0)
        self.wire = Wire(self.new_receiver((1, 1)), self.delivered, self.greeted)
        self.all_is_well(counts, 2)
        if self.wire.accepted is not None:
            self.somebody_skips_blocks(needed // 5, 1)

    def new_side(self, epoch: int, number: int) -> Side:
        sender = self.channel.Sender(
            7,
            run="run",
            incarnation=self.incarnation,
            retain=self.retain,
            needed=self.needed,
            start=(epoch, number + 1),
        )
        return Side(sender, epoch, number)

    def new_receiver(self, start: tuple[int, int]):
        return self.channel.Receiver(7, run="run", start=start, retain=self.retain, incarnation=self.accepted)

    @property
    def receiver(self):
        return self.wire.receiver

    # -- checks ------------------------------------------------------------------------------------------

    def delivered(self, batches: list[Batch]) -> None:
        for batch in batches:
            for number, block in enumerate(batch.blocks, batch.first):
                self.check_order(batch.epoch, number)
                assert bytes(block) == content(batch.epoch, number)
                assert batch.head == head(batch.epoch, number)
                self.log.append((batch.epoch, number))

    def check_order(self, epoch: int, number: int) -> None:
        last_epoch, last = self.log[-1] if self.log else (1, 0)
        if epoch == last_epoch:
            assert number == last + 1
            return
        assert epoch > last_epoch
        assert number == 1
        for between in range(last_epoch, epoch):
            have = last if between == last_epoch else 0
            assert between in self.torn or have == self.lengths[between], "the end of an epoch was lost"

    def greeted(self, hello: Hello, accepted: bool) -> None:
        assert accepted == (hello.incarnation >= self.accepted)
        if accepted:
            self.accepted = hello.incarnation

    @invariant()
    def everything_not_released_is_kept_and_nothing_else(self) -> None:
        if not hasattr(self, "side") or self.side.sender.done:
            return
        sender = self.side.sender
        released = sender.released
        assert sender.unreleased[0] == sum(position > released for position in self.side.written)
        if released > (self.side.start):
            assert released <= self.receiver.released

    @invariant()
    def a_window_is_full_only_when_it_holds_enough(self) -> None:
        if hasattr(self, "side") and not self.side.sender.writable and self.finished_at is None:
            assert self.side.sender.unreleased[0] >= max(4, 2 * self.needed)

    @rule(counts=st.lists(st.integers(1, 9), min_size=1, max_size=4), back=SMALL)
    def all_is_well(self, counts: list[int], back: int) -> None:
        """Blocks are written, carried and released; the last few of each lot are still under way."""
        for count in counts:
            self.connect()
            self.move(self.side, 4)
            self.move(self.side, 4)
            self.somebody_repeats_the_last_block()
            self.release(back)
            self.time_passes(0.05)
            self.write_some(self.side, count)

    # -- the sending job ---------------------------------------------------------------------------------

    @rule(counts=st.lists(st.integers(1, 9), min_size=1, max_size=4))
    def write(self, counts: list[int]) -> None:
        for count in counts:
            self.write_some(self.side, count)

    def write_some(self, side: Side, count: int) -> None:
        """Write blocks as the job would: again what it wrote before a restart, then new ones."""
        if not side.sender.writable:
            return
        if side.number == self.lengths.get(side.epoch):
            side.epoch, side.number = side.epoch + 1, 0
            side.sender.reset(side.epoch)
            return
        most = self.lengths.get(side.epoch, side.number + count) - side.number
        if side.epoch not in self.lengths and self.finished_at is not None:
            most = self.finished_at[1] - side.number
        last = side.number + max(0, min(count, most))
        while side.number < last:
            self.write_list(side, last)
        self.front[side.epoch] = max(side.number, self.front.get(side.epoch, 0))
        if self.finished_at == (side.epoch, side.number):
            side.sender.finish()

    def write_list(self, side: Side, last: int) -> None:
        """Write blocks with equal heads, up to `last`, in one list; a single one by the short way."""
        first = side.number + 1
        plain = head(side.epoch, first) & ~WIRE_RESET
        numbers = [first]
        while numbers[-1] < last and head(side.epoch, numbers[-1] + 1) & ~WIRE_RESET == plain:
            numbers.append(numbers[-1] + 1)
        blocks = [content(side.epoch, number) for number in numbers]
        given = plain | WIRE_RESET * (first % 3 == 0)  # the window knows better
        if len(blocks) == 1 and side.connection is not None and first % 2:
            side.connection.up += b"".join(side.sender.send(blocks, given, 0.0, 0.0))
        else:
            assert side.sender.write(blocks, given, 0.0, 0.0) == numbers[-1]
        side.number = numbers[-1]
        assert side.sender.written == (side.epoch, side.number)
        side.written += [(side.epoch, number) for number in numbers]

    def at_the_front(self) -> bool:
        """Whether the job is somewhere where no incarnation of it has been before, so that anything may happen."""
        side = self.side
        return (
            self.finished_at is None
            and side.epoch not in self.lengths
            and side.number == self.front.get(side.epoch, 0)
        )

    @rule()
    def reset(self) -> None:
        """Another source was restarted: all sources begin a new epoch."""
        side = self.side
        if self.at_the_front() and side.epoch < 5:
            self.lengths[side.epoch] = side.number
            side.epoch, side.number = side.epoch + 1, 0
            side.sender.reset(side.epoch)

    @rule(count=st.integers(0, 20), limit=st.sampled_from([1, 1 << 20]))
    def finish(self, count: int, limit: int) -> None:
        side = self.side
        if self.at_the_front() and side.sender.writable:
            self.connect()
            self.move(side, 4)
            self.write_some(side, count)
            self.finished_at = (side.epoch, side.number)
            side.sender.finish()
            self.move(side, 4, limit)

    @rule(back=SMALL)
    def restart_the_sending_job(self, back: int) -> None:
        """From a checkpoint: it computes and numbers the same rounds again."""
        epoch, released = self.receiver.released
        if released > self.lengths.get(epoch, released) or (epoch, released) > (
            self.side.epoch,
            self.side.number,
        ):
            return  # the END itself was released: there is nothing left to restart for
        if epoch in self.torn:
            return  # this epoch died with its source
        self.leave_a_zombie()
        self.side = self.new_side(epoch, max(0, released - back))
        self.resume_end()

    def resume_end(self) -> None:
        if self.finished_at == (self.side.epoch, self.side.number):
            self.side.sender.finish()

    @rule()
    def restart_the_sending_job_without_its_past(self) -> None:
        """A live source: it begins a new epoch, and what nobody has of the old one is lost."""
        if self.finished_at is not None:
            return
        newest = max([self.side.epoch, *self.lengths])
        if newest >= 5:
            return
        for epoch in range(1, newest + 1):
            self.lengths.setdefault(epoch, self.front.get(epoch, 0))
            self.torn.add(epoch)
        self.leave_a_zombie()
        self.side = self.new_side(newest + 1, 0)

    def leave_a_zombie(self) -> None:
        self.zombies.append(self.side)
        self.incarnation += 1

    @rule(which=SMALL, count=st.integers(0, 5), share=SHARE)
    def a_superseded_sender_goes_on(self, which: int, count: int, share: int) -> None:
        """A node that was cut off, or is only slow, still runs the old job."""
        if not self.zombies:
            return
        zombie = self.zombies[which % len(self.zombies)]
        if zombie.sender.refused:
            return
        if zombie.connection is None:
            zombie.connection = self.wire.connect(zombie.sender)
        elif count == 5:
            self.lose_sender(zombie, share)
            return
        if not self.torn and zombie.sender.writable and self.finished_at is None:
            self.write_some(zombie, count)
        self.move(zombie, share)

    # -- the receiving job -------------------------------------------------------------------------------

    @rule(back=SMALL)
    def release(self, back: int) -> None:
        """Everything but the last few blocks is stored elsewhere now."""
        if back < len(self.log):
            self.receiver.release(*self.log[len(self.log) - 1 - back])

    @rule()
    def restart_the_receiving_job(self) -> None:
        """From its restart point: it wants again what it has not released."""
        for connection in self.wire.connections:
            self.wire.receiver_gone(connection, process=True)
        epoch, number = self.receiver.released
        if self.receiver.end is not None and self.receiver.released >= self.receiver.end:
            return
        self.log = [position for position in self.log if position <= (epoch, number)]
        if number and not self.log:
            self.log = [(epoch, number)]
        self.wire.receiver = self.new_receiver((epoch, number + 1))

    # -- the wire ----------------------------------------------------------------------------------------

    @rule()
    def connect(self) -> None:
        if self.side.connection is None:
            self.side.connection = self.wire.connect(self.side.sender)

    @rule(share=SHARE, limit=st.sampled_from([1, 500, 1 << 20]))
    def carry(self, share: int, limit: int) -> None:
        self.move(self.side, share, limit)

    @rule(seconds=st.sampled_from([0.001, 0.05]))
    def time_passes(self, seconds: float) -> None:
        self.wire.pump_receiver(self.now)
        self.now += seconds
        self.wire.pump_receiver(self.now)
        deadline = self.receiver.deadline()
        assert deadline is None or deadline > self.now, "a deadline that passed unused"

    @rule()
    def an_acknowledgement_is_lost(self) -> None:
        """Everything is released, but the sender does not hear of it before the connection breaks."""
        self.release(0)
        self.time_passes(0.05)
        if self.side.connection is not None:
            self.lose_sender(self.side, 0)

    @rule(which=SMALL, share=SHARE)
    def bytes_of_an_old_connection_arrive(self, which: int, share: int) -> None:
        if self.wire.connections:
            connection = self.wire.connections[which % len(self.wire.connections)]
            self.wire.up(connection, len(connection.up) * share // 4)

    @precondition(lambda self: self.side.connection is not None)
    @rule(share=SHARE)
    def the_sender_notices_a_cut(self, share: int) -> None:
        self.lose_sender(self.side, share)

    @rule(which=SMALL)
    def the_receiver_notices_a_cut(self, which: int) -> None:
        if self.wire.connections:
            self.wire.receiver_gone(self.wire.connections[which % len(self.wire.connections)])

    def lose_sender(self, side: Side, share: int) -> None:
        assert side.connection is not None
        self.wire.sender_gone(side.connection, len(side.connection.up) * share // 4)
        side.connection = None
        side.sender.disconnected()

    def move(self, side: Side, share: int, limit: int = 1 << 20) -> None:
        """Let a part of what is under way arrive, in both directions."""
        connection = side.connection
        if connection is None:
            return
        self.wire.pump_sender(side.sender, connection, limit)
        self.wire.up(connection, len(connection.up) * share // 4)
        self.wire.pump_receiver(self.now)
        self.wire.down(side.sender, connection, len(connection.down) * share // 4)
        if not connection.receiver_open and not connection.up and not connection.down:
            self.lose_sender(side, 4)

    # -- a sender that breaks the protocol -------------------------------------------------------------------

    @precondition(lambda self: self.wire.accepted is not None and not self.receiver.ended)
    @rule(epochs=st.integers(0, 1), skipped=st.integers(1, 2))
    def somebody_skips_blocks(self, epochs: int, skipped: int) -> None:
        """A gap inside a connection is an error; the runtime closes the connection."""
        epoch, wanted = self.receiver.wanted
        first = skipped + 1 if epochs else wanted + skipped
        self.refused_batch(Batch(epoch + epochs, first, 0, 0.0, 0.0, [b"gap"]))

    @precondition(lambda self: self.wire.accepted is not None and not self.receiver.ended)
    @rule()
    def somebody_forgets_the_reset_bit(self) -> None:
        epoch, _ = self.receiver.wanted
        self.refused_batch(Batch(epoch + 1, 1, 0, 0.0, 0.0, [b"no reset"]))

    def refused_batch(self, batch: Batch) -> None:
        assert self.wire.accepted is not None
        try:
            self.receiver.receive(batch)
        except RemoteProtocolError:
            pass
        else:
            raise AssertionError("a broken rule was not noticed")
        self.wire.receiver_gone(self.wire.accepted)

    @rule()
    def somebody_repeats_the_last_block(self) -> None:
        """As a sender does that was told of less than was delivered."""
        epoch, wanted = self.receiver.wanted
        if self.wire.accepted is None or self.receiver.ended or wanted == 1:
            return
        number = wanted - 1
        last = Batch(epoch, number, head(epoch, number), 0.0, 0.0, [content(epoch, number)])
        assert self.receiver.receive(last) == []

    @precondition(lambda self: self.wire.accepted is not None and not self.receiver.ended)
    @rule()
    def somebody_repeats_an_old_epoch(self) -> None:
        epoch, _ = self.receiver.wanted
        if epoch > 1:
            assert self.receiver.receive(Batch(epoch - 1, 99, 0, 0.0, 0.0, [b"late"])) == []

    # -- in the end --------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Once the faults stop, everything arrives, is released, and nothing is kept."""
        if not hasattr(self, "side"):
            return
        side = self.side
        self.decide_the_end()
        lose_ack = len(self.log) % 2 == 0
        lose_end = not lose_ack
        for turn in range(2000):
            if side.sender.finished:
                break
            self.now += 1.0
            if side.connection is None:
                side.connection = self.wire.connect(side.sender)
            if lose_end and self.wire.pump_sender(side.sender, side.connection) and side.sender.end_sent:
                self.lose_sender(side, 0)
                lose_end = False
                continue
            self.move(side, 4, limit=1 if turn % 4 else 1 << 20)
            if self.wire.accepted is not None and not self.receiver.ended:
                self.somebody_repeats_an_old_epoch()
            if side.sender.writable and (side.epoch, side.number) < self.finished_at:
                self.write_some(side, 9)
            elif side.sender.writable:
                side.sender.finish()
            self.release_all(turn)
            if lose_ack and self.receiver.ended and self.receiver.released == self.receiver.end:
                self.an_acknowledgement_is_lost()
                lose_ack = False
        assert side.sender.finished, "the stream never ended"
        self.check_the_end(side)

    def decide_the_end(self) -> None:
        """Where the stream ends, if it was not decided yet: in an epoch of its own where that is possible."""
        side = self.side
        if self.at_the_front():
            self.reset()
            self.write_some(side, 9)
        if self.finished_at is None:
            epoch = max([side.epoch, *self.front, *(e + 1 for e in self.lengths)])
            self.finished_at = (epoch, self.front.get(epoch, 0))

    def release_all(self, turn: int) -> None:
        if self.receiver.ended and turn % 2:
            self.receiver.release(*self.receiver.end)
        elif self.log and self.log[-1][0] >= self.receiver.released[0]:
            self.receiver.release(*max(self.log[-1], self.receiver.released))

    def check_the_end(self, side: Side) -> None:
        assert side.sender.unreleased == (0, 0)
        assert self.receiver.ended
        last = self.finished_at
        assert last is not None
        assert not last[1] or self.log[-1] == last
        if self.accepted > 1:
            assert not self.receiver.hello(Hello(VERSION, "run", 7, self.accepted - 1))


def pipe_machine(channel: SimpleNamespace) -> type[RuleBasedStateMachine]:
    """Return the machine for one channel under test."""
    return type("PipeMachine", (PipeRules,), {"channel": channel})
