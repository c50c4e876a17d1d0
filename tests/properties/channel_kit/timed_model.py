"""Joins of live inputs with deadlines: what time may and may not do."""

from types import SimpleNamespace

from hypothesis import strategies as st

from fission.channel.wire.frames import WIRE_CORRUPTED, WIRE_RESET, Batch

STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, 2), st.floats(0.0, 0.5)),
    min_size=1,
    max_size=25,
)
"""input, blocks, blocks that are lost before them, seconds that pass before they arrive"""

DEADLINE = 0.4


def payload(index: int, number: int) -> bytes:
    return b"%d:%d" % (index, number)


class Arrivals:
    """Input 0 is exact, inputs 1 and 2 are live; when which block arrived."""

    def __init__(self, channel: SimpleNamespace, block_counts: tuple[int, int, int]) -> None:
        self.counts = block_counts
        live = [
            channel.InputRule(block_count=count, delivery="live", deadline=DEADLINE)
            for count in block_counts[1:]
        ]
        self.join = channel.Join([channel.InputRule(block_count=block_counts[0]), *live])
        self.now = 0.0
        self.at: list[dict[int, float]] = [{}, {}, {}]
        self.last = [0, 0, 0]
        self.used = [0, 0, 0]
        self.rounds = 0

    def arrive(self, index: int, count: int, lost: int) -> None:
        first = self.last[index] + 1 + (lost if index else 0)
        self.last[index] = first + count - 1
        numbers = range(first, self.last[index] + 1)
        self.at[index] |= dict.fromkeys(numbers, self.now)
        for part in (numbers[:1], numbers[1:]) if first == 1 else (numbers,):
            if part:
                head = WIRE_RESET * (part[0] == 1)
                blocks = [payload(index, number) for number in part]
                self.join.offer(index, Batch(1, part[0], head, 0.0, 0.0, blocks), self.now)

    def take(self) -> None:
        """Take all rounds that are due; check each block of them."""
        while (stretch := self.join.take(self.now)) is not None:
            assert (stretch.epoch, stretch.first) == (1, self.rounds + 1)
            for i in range(stretch.count):
                number = stretch.first + i
                for index, (heads, column) in enumerate(zip(stretch.heads, stretch.columns, strict=True)):
                    size = self.counts[index]
                    blocks = column[i * size : (i + 1) * size]
                    for at, (head, block) in enumerate(
                        zip(heads, blocks, strict=True), (number - 1) * size + 1
                    ):
                        self.check(number, index, at, head, bytes(block))
            self.rounds += stretch.count
        deadline = self.join.deadline()
        assert deadline is None or deadline > self.now

    def check(self, number: int, index: int, at: int, head: int, block: bytes) -> None:
        self.used[index] += 1
        assert bool(head & WIRE_RESET) == (at == 1)
        if not head & WIRE_CORRUPTED:
            assert block == payload(index, at)
            return
        assert index, "a dummy on an exact input"
        assert at not in self.at[index], "a dummy for a block that was there in time"
        if at < self.last[index]:
            return  # lost on the way
        waited_since = max(
            self.at[other][n]
            for other, size in enumerate(self.counts)
            if other != index and number * size <= self.last[other]
            for n in range((number - 1) * size + 1, number * size + 1)
            if n in self.at[other]
        )
        assert self.now >= waited_since + DEADLINE

    def wait(self, seconds: float) -> None:
        """Let time pass; look whenever the join asks for it."""
        until = self.now + seconds
        while (deadline := self.join.deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.take()
        self.now = until

    def close(self) -> None:
        """After long enough, every round has been made of which the exact input has its part."""
        self.wait(1000.0)
        self.take()
        if self.at[1] and self.at[2]:
            assert self.rounds >= self.last[0] // self.counts[0]
        for index in range(3):
            there = len(self.at[index]) + self.join.dummies(index)
            assert there == self.used[index] + self.join.queued(index)[0] + self.join.late(index)


def run(
    channel: SimpleNamespace, steps: list[tuple[int, int, int, float]], counts: tuple[int, int, int]
) -> None:
    """Let blocks arrive as the steps say, and take rounds as a runtime would."""
    arrivals = Arrivals(channel, counts)
    for index, count, lost, seconds in steps:
        arrivals.wait(seconds)
        arrivals.arrive(index, count, lost)
        arrivals.take()
    arrivals.close()
