"""One live pipe: bounded, never blocking, in order; whatever is lost is counted or was on a wire that was cut."""

from types import SimpleNamespace
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from channel_kit.pipe_machine import SHARE, content, head
from channel_kit.wire import Wire
from fission.channel.wire.frames import WIRE_RESET, Batch


class LiveRules(RuleBasedStateMachine):
    """A source that never waits, a wire that is cut, a source that is restarted with a new epoch."""

    channel: ClassVar[SimpleNamespace]

    @initialize(limit=st.sampled_from([0, 1, 3, 8]), room=st.sampled_from([0, 2, 5]))
    def begin(self, limit: int, room: int) -> None:
        self.limit = limit
        self.room = room
        self.begin_connection()
        self.waiting: list[
            tuple[int, tuple[int, int]]
        ] = []  # delivered and not worked off: connection, position
        self.incarnation = 1
        self.epoch, self.number = 1, 0
        self.finished = False
        self.last = (1, 0)  # of what was delivered
        self.delivered_blocks = 0
        self.lossy = False  # something was on a wire that was cut, or in a process that died
        self.sender = self.new_sender()
        self.connection = None
        self.wire = Wire(self.channel.Receiver(7, run="run", delivery="live", room=room), self.delivered)

    def begin_connection(self) -> None:
        """Count anew what is sent on one connection."""
        self.number_of_connection = getattr(self, "number_of_connection", 0) + 1
        self.told = False  # the sender knows how far the receiver is
        self.before = 0  # sent before it knew
        self.after = 0
        self.processed = 0

    def new_sender(self):
        self.written = 0
        return self.channel.Sender(
            7,
            run="run",
            incarnation=self.incarnation,
            delivery="live",
            max_queue=self.limit,
            room=self.room,
            retain=0,
            start=(self.epoch, 1),
        )

    def delivered(self, batches: list[Batch]) -> None:
        for batch in batches:
            for number, block in enumerate(batch.blocks, batch.first):
                assert (batch.epoch, number) > self.last
                assert bytes(block) == content(batch.epoch, number)
                assert batch.head == head(batch.epoch, number)
                self.last = (batch.epoch, number)
                self.delivered_blocks += 1
                self.waiting.append((self.number_of_connection, self.last))

    @invariant()
    def no_more_is_ahead_of_the_job_than_there_is_room(self) -> None:
        if hasattr(self, "sender") and self.room:
            assert self.after - max(0, self.processed - self.before) <= self.room

    @rule(share=SHARE)
    def work_off(self, share: int) -> None:
        """The job computes on some of what was delivered."""
        count = len(self.waiting) * share // 4
        gone, self.waiting = self.waiting[:count], self.waiting[count:]
        self.processed += sum(number == self.number_of_connection for number, _ in gone)
        if gone:
            self.wire.receiver.processed(*gone[-1][1])

    @invariant()
    def the_queue_is_bounded(self) -> None:
        if hasattr(self, "sender"):
            assert self.sender.counters.queued <= (self.limit or 1024)
            assert self.finished or self.sender.writable
            assert self.sender.released == self.sender.written
            counters = self.sender.counters
            assert self.written == counters.sent + counters.dropped + counters.queued

    @rule(counts=st.lists(st.integers(1, 6), min_size=1, max_size=4))
    def write(self, counts: list[int]) -> None:
        if self.finished:
            return
        for count in counts:
            last = self.number + count
            while self.number < last:
                self.write_list(last)

    def write_list(self, last: int) -> None:
        """Write blocks with equal heads, up to `last`, in one list."""
        numbers = [self.number + 1]
        plain = head(self.epoch, numbers[0]) & ~WIRE_RESET
        while numbers[-1] < last and head(self.epoch, numbers[-1] + 1) & ~WIRE_RESET == plain:
            numbers.append(numbers[-1] + 1)
        self.sender.write([content(self.epoch, n) for n in numbers], plain, 0.0, 0.0)
        self.number = numbers[-1]
        self.written += len(numbers)

    @rule()
    def restart_the_source(self) -> None:
        if self.epoch < 4 and not self.finished:
            if self.connection is not None:
                self.wire.sender_gone(self.connection, 0)
            self.connection = None
            self.lossy = True
            self.incarnation += 1
            self.epoch, self.number = self.epoch + 1, 0
            self.sender = self.new_sender()

    @rule()
    def reset(self) -> None:
        if self.epoch < 4 and not self.finished:
            self.epoch, self.number = self.epoch + 1, 0
            self.sender.reset(self.epoch)

    @rule()
    def finish(self) -> None:
        self.finished = True
        self.sender.finish()

    @rule(share=SHARE, limit=st.sampled_from([1, 1 << 20]))
    def carry(self, share: int, limit: int) -> None:
        if self.connection is None:
            self.connection = self.wire.connect(self.sender)
            self.begin_connection()
        sent = self.sender.counters.sent
        self.wire.pump_sender(self.sender, self.connection, limit)
        if self.told:
            self.after += self.sender.counters.sent - sent
        else:
            self.before += self.sender.counters.sent - sent
        self.wire.up(self.connection, len(self.connection.up) * share // 4)
        self.wire.pump_receiver(0.0)
        self.wire.down(self.sender, self.connection, len(self.connection.down) * share // 4)
        streaming = self.sender.state is self.channel.SenderState.STREAMING
        self.told |= streaming and not self.connection.down  # WELCOME and the first ACK are one

    @rule(counts=st.lists(st.integers(1, 6), min_size=1, max_size=6))
    def flow(self, counts: list[int]) -> None:
        """For a while nothing is late."""
        self.carry(4, 1 << 20)
        self.carry(4, 1 << 20)
        for count in counts:
            self.write([count])
            self.carry(4, 1 << 20)

    @rule(share=SHARE)
    def cut(self, share: int) -> None:
        if self.connection is not None:
            self.lossy |= len(self.connection.up) > 0
            self.wire.sender_gone(self.connection, len(self.connection.up) * share // 4)
            self.connection = None
            self.sender.disconnected()

    @rule()
    def the_receiver_notices_a_cut(self) -> None:
        for connection in self.wire.connections:
            self.lossy |= connection.sender_open or len(connection.up) > 0
            self.wire.receiver_gone(connection)

    def teardown(self) -> None:
        if not hasattr(self, "sender"):
            return
        self.finish()
        for _ in range(2000):  # rooms of two blocks
            if self.sender.finished:
                break
            connection = self.connection
            if connection is not None and not connection.receiver_open:
                self.cut(4)
            self.carry(4, 1 << 20)
            self.work_off(4)
            if self.wire.receiver.ended:
                self.wire.receiver.release(*self.wire.receiver.end)
        assert self.sender.finished
        assert self.sender.unreleased == (0, 0)
        assert self.wire.receiver.end == (self.epoch, self.number + 1)
        if not self.lossy:  # then every block was delivered, or dropped and counted
            counters = self.sender.counters
            assert counters.sent == self.delivered_blocks == self.wire.receiver.counters.delivered
            if not counters.dropped:
                assert self.last == (self.epoch, self.number) or not self.number


def live_machine(channel: SimpleNamespace) -> type[RuleBasedStateMachine]:
    """Return the machine for one channel under test."""
    return type("LiveMachine", (LiveRules,), {"channel": channel})
