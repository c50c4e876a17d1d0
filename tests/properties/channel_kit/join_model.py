"""What a join has to give for streams that are known from beginning to end: a few lines that look at all of them at once.

On inputs without a deadline the rounds do not depend on when anything arrives, so that whatever order of arrival hypothesis
thinks of, what was taken so far has to be the beginning of what the model says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

from hypothesis import strategies as st

from fission.channel.wire.frames import WIRE_CORRUPTED, WIRE_FINISHED, WIRE_RESET, Batch

Block = tuple[int, bytes]
"""head, payload"""
Round = tuple[int, int, list[list[Block]]]
"""epoch, number, blocks per input"""


@dataclass
class Stream:
    """One input: `epochs` maps each epoch to its length, `lost` are (epoch, number) that never arrive."""

    name: int
    block_count: int
    live: bool
    dummy: bytes | None
    epochs: dict[int, int]
    lost: set[tuple[int, int]] = field(default_factory=set)
    end: str = ""  # "", "end" or "finished"

    def head(self, epoch: int, number: int) -> int:
        last = number == self.epochs[epoch] and epoch == max(self.epochs)
        return (
            WIRE_RESET * (number == 1)
            | 16 * (number % 5 == 4)
            | WIRE_FINISHED * (last and self.end == "finished")
        )

    def payload(self, epoch: int, number: int) -> bytes:
        return b"%d:%d:%d" % (self.name, epoch, number)

    def arriving(self) -> list[tuple[int, int]]:
        return [
            (e, n)
            for e in sorted(self.epochs)
            for n in range(1, self.epochs[e] + 1)
            if (e, n) not in self.lost
        ]

    def blocks(self, epoch: int) -> list[Block]:
        """All blocks of an epoch, dummies in the place of lost ones."""
        known = [n for n in range(1, self.epochs.get(epoch, 0) + 1) if (epoch, n) not in self.lost]
        return [self.block(epoch, number) for number in range(1, max(known, default=0) + 1)]

    def speechless(self, epoch: int) -> bool:
        """Whether it has neither a block nor a dummy up to this epoch, but later ones."""
        return self.dummy is None and bool(self.arriving()) and all(e > epoch for e, _ in self.arriving())

    def block(self, epoch: int, number: int) -> Block:
        """A block, or its dummy."""
        if number <= self.epochs.get(epoch, 0) and (epoch, number) not in self.lost:
            return self.head(epoch, number), self.payload(epoch, number)
        if self.dummy is not None:
            payload = self.dummy
        else:
            before = [self.payload(*position) for position in self.arriving() if position < (epoch, number)]
            payload = before[-1] if before else b"initial"
        return WIRE_CORRUPTED | WIRE_RESET * (number == 1), payload


def expected(streams: Sequence[Stream]) -> tuple[list[Round], bool]:
    """Return all rounds, and whether the join is finished after them."""
    rounds: list[Round] = []
    newest = [max((e for e, _ in stream.arriving()), default=1) for stream in streams]
    for epoch in sorted({1, *(e for stream in streams for e, _ in stream.arriving())}):
        if any(epoch > last for last in newest):
            break
        if any(stream.speechless(epoch) for stream in streams):
            continue
        full = [len(s.blocks(epoch)) // s.block_count for s in streams]
        final = [rounds_ for rounds_, last in zip(full, newest, strict=True) if last == epoch]
        for number in range(1, (min(final) if final else max(full)) + 1):
            span = [range((number - 1) * s.block_count + 1, number * s.block_count + 1) for s in streams]
            rounds.append(
                (
                    epoch,
                    number,
                    [[s.block(epoch, n) for n in ns] for s, ns in zip(streams, span, strict=True)],
                )
            )
    current = min(newest)
    made = max((number for epoch, number, _ in rounds if epoch == current), default=0)
    given_up = any(stream.speechless(current) for stream in streams)
    return rounds, any(
        stream.end
        and last == current
        and (given_up or len(stream.blocks(last)) // stream.block_count == made)
        for stream, last in zip(streams, newest, strict=True)
    )


@st.composite
def streams(draw: st.DrawFn) -> list[Stream]:
    """Some inputs of a join; often a single one that goes the short way to its end."""
    if not draw(st.integers(0, 3)):
        count = draw(st.sampled_from([1, 1, 2]))
        return [Stream(0, count, False, None, {1: draw(st.integers(2, 4))}, end="finished")]
    return [draw(stream(name)) for name in range(draw(st.sampled_from([1, 1, 2, 2, 3])))]


@st.composite
def stream(draw: st.DrawFn, name: int) -> Stream:
    """One input."""
    live = draw(st.sampled_from([False, False, True]))
    epochs = draw(st.dictionaries(st.integers(1, 3), st.integers(1, 9), min_size=1, max_size=3))
    if draw(st.booleans()):
        epochs = {1: epochs.get(1, 5), **epochs}
    made = Stream(
        name,
        draw(st.sampled_from([1, 1, 2, 3])),
        live,
        draw(st.sampled_from([None, b"dummy"])),
        epochs,
        end=draw(st.sampled_from(["", "end", "finished"])),
    )
    if live:
        everything = [(e, n) for e, count in epochs.items() for n in range(1, count + 1)]
        made.lost = set(draw(st.lists(st.sampled_from(everything), max_size=5)))
        if made.end == "finished":
            made.lost.discard((max(epochs), epochs[max(epochs)]))
    return made


def run(channel: SimpleNamespace, made: Sequence[Stream], choices: st.DataObject) -> None:
    """Offer the streams in some order, cut in some way; take in between; compare."""
    draw = choices.draw
    everything, finished = expected(made)
    rules = [
        channel.InputRule(
            block_count=s.block_count,
            delivery="live" if s.live else "exact",
            dummy=s.dummy,
            initial=b"initial",
        )
        for s in made
    ]
    join = channel.Join(rules)
    waiting = [s.arriving() for s in made]
    taken: list[Round] = []
    offered = [0] * len(made)
    used = [0] * len(made)
    while any(waiting):
        index = draw(st.sampled_from([i for i, rest in enumerate(waiting) if rest]))
        batch = next_batch(made[index], waiting[index], draw(st.integers(1, 8)))
        straight = join.straight(batch) if draw(st.booleans()) else None
        if straight is None:
            join.offer(index, batch, 0.0)
        else:
            note(straight, taken, used)
        offered[index] += batch.count
        if not waiting[index] and made[index].end == "end":
            join.end(index)
        if draw(st.booleans()):
            take(join, taken, used, draw(st.sampled_from([1, 2, 4096])))
            assert taken == everything[: len(taken)]
    for index, one in enumerate(made):
        if one.end == "end":
            join.end(index)
    take(join, taken, used, 4096)
    assert taken == everything
    assert join.finished == finished
    for index in range(len(made)):
        rest = join.leftover(index) if finished else join.leftover(index) + join.queued(index)[0]
        assert offered[index] + join.dummies(index) == used[index] + rest + join.late(index)


def next_batch(one: Stream, rest: list[tuple[int, int]], most: int) -> Batch:
    """Take up to `most` consecutive blocks with equal heads."""
    epoch, first = rest[0]
    head = one.head(epoch, first)
    blocks = []
    while (
        rest and len(blocks) < most and rest[0] == (epoch, first + len(blocks)) and one.head(*rest[0]) == head
    ):
        blocks.append(one.payload(*rest.pop(0)))
    return Batch(epoch, first, head, 0.0, 0.0, blocks)


def take(join, taken: list[Round], used: list[int], limit: int) -> None:
    """Take all there is."""
    while (stretch := join.take(0.0, limit)) is not None:
        assert 1 <= stretch.count <= limit
        note(stretch, taken, used)


def note(stretch, taken: list[Round], used: list[int]) -> None:
    """Write down the rounds of a stretch one by one."""
    for i in range(stretch.count):
        inputs = []
        for index, (heads, column) in enumerate(zip(stretch.heads, stretch.columns, strict=True)):
            size = len(heads)
            assert len(column) == size * stretch.count
            inputs.append(list(zip(heads, map(bytes, column[i * size : (i + 1) * size]), strict=True)))
            used[index] += size
        taken.append((stretch.epoch, stretch.first + i, inputs))
