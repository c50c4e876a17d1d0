"""Positions in a stream, and queues of numbered blocks that are cut without touching single blocks.

A position is (epoch, sequence number); positions compare like tuples, because a newer epoch lies after everything
of an older one. Within an epoch blocks are numbered 1, 2, 3, ... without holes.
"""

from collections import deque
from collections.abc import Sequence
from itertools import chain, islice, repeat

from fission.channel.wire.frames import Batch, Payload

Position = tuple[int, int]
"""(epoch, sequence number or round)."""

LONG_AGO = float("-inf")
"""A time before every other."""

MERGE_LIMIT = 4096
"""A run stops growing at this many blocks, so that taking from its front stays cheap."""


def size_of(blocks: Sequence[Payload]) -> int:
    """Bytes of all payloads together."""
    first = blocks[0]
    if len(blocks) > 1 and type(first) is bytes and len(first) < 512:
        try:
            # Twice as fast as asking each small block for its length, and right for every buffer.
            return len(b"".join(blocks))  # type: ignore[arg-type] # TypeError is the answer for parts
        except TypeError:
            pass
    return sum(map(_size, blocks))


def _size(block: Payload) -> int:
    if isinstance(block, bytes):
        return len(block)
    if isinstance(block, tuple):
        return sum(map(_size, block))
    return memoryview(block).nbytes


def cut(batch: Batch, first: int) -> Batch:
    """Return the part of the batch that begins at sequence number `first`."""
    blocks = batch.blocks[first - batch.first :]
    return Batch(batch.epoch, first, batch.head, batch.mono, batch.wall, blocks)


class Run:
    """Consecutive blocks with one head: real ones in a list, or `count` times the same stand-in."""

    __slots__ = ("arrival", "blocks", "count", "head", "size", "stand_in")

    def __init__(
        self,
        head: int,
        blocks: list[Payload] | None,
        count: int,
        size: int,
        arrival: float,
        stand_in: Payload,
    ) -> None:
        self.head = head
        self.blocks = blocks
        self.count = count
        self.size = size
        self.arrival = arrival
        self.stand_in = stand_in

    def take(self, count: int) -> list[Payload]:
        """Remove and return the first `count` blocks (at most what is there)."""
        blocks = self.blocks
        self.count -= count
        if blocks is None:
            return list(repeat(self.stand_in, count))
        if not self.count:
            return blocks
        taken = blocks[:count]
        del blocks[:count]  # what has been taken may be large
        return taken


class RunQueue:
    """The blocks of one epoch that wait at one input, as runs of equal heads.

    `count` blocks and `size` bytes wait. `ahead` is the length of the run in front. `newest` is the payload that was
    appended last (before the first one: that of the queue before, or an initial one), `begun` the time when the
    first one came, or LONG_AGO. Runs only grow when `merge` is set: a run that grows forgets when its later blocks arrived.
    """

    __slots__ = ("_merge", "begun", "count", "newest", "runs", "size")

    def __init__(self, newest: Payload | None, *, merge: bool, begun: float | None = None) -> None:
        self.begun = begun
        self.runs: deque[Run] = deque()
        self.count = 0
        self.size = 0
        self.newest = newest
        self._merge = merge

    def append(self, head: int, blocks: list[Payload], size: int, now: float) -> None:
        """Put blocks with one head behind what waits. The list belongs to the queue from now on."""
        count = len(blocks)
        self.count += count
        self.size += size
        self.newest = blocks[-1]
        if self.begun is None:
            self.begun = now
        if self._merge and self.runs:
            last = self.runs[-1]
            if last.head == head and last.blocks is not None and len(last.blocks) < MERGE_LIMIT:
                last.blocks += blocks
                last.count += count
                last.size += size
                return
        self.runs.append(Run(head, blocks, count, size, now, b""))

    def append_stand_ins(self, head: int, stand_in: Payload, count: int, now: float) -> None:
        """Put `count` dummies behind what waits; they take no memory until they are taken."""
        self.count += count
        self.runs.append(Run(head, None, count, 0, now, stand_in))

    @property
    def ahead(self) -> int:
        """Number of blocks in front that share one head."""
        return self.runs[0].count if self.runs else 0

    def heads(self, count: int) -> tuple[int, ...]:
        """Return the heads of the first `count` blocks, which must be there."""
        each = chain.from_iterable(repeat(run.head, run.count) for run in self.runs)
        return tuple(islice(each, count))

    def arrival(self, count: int) -> float:
        """When the block number `count` from the front arrived."""
        runs = iter(self.runs)
        run = next(runs)
        while count > run.count:
            count -= run.count
            run = next(runs)
        return run.arrival

    def take(self, count: int) -> list[Payload]:
        """Remove and return the first `count` blocks, which must be there."""
        runs = self.runs
        run = runs[0]
        if run.count > count:
            self._pay(run, count)
            return run.take(count)
        self._pay(run, run.count)
        blocks = run.take(run.count)
        runs.popleft()
        while len(blocks) < count:
            run = runs[0]
            part = min(run.count, count - len(blocks))
            self._pay(run, part)
            blocks += run.take(part)
            if not run.count:
                runs.popleft()
        return blocks

    def clear(self) -> int:
        """Forget everything; return how many blocks that were."""
        count = self.count
        self.runs.clear()
        self.count = self.size = 0
        return count

    def _pay(self, run: Run, count: int) -> None:
        """Take the share of `count` blocks out of the sums."""
        share = run.size if count == run.count else run.size * count // run.count
        run.size -= share
        self.size -= share
        self.count -= count
