"""The two ends of a stream of numbered blocks: what is kept until acknowledged, and what is wanted next.

Rules
-----
1. The blocks of an epoch are numbered 1, 2, 3, ...; number 1, and no other, travels with the reset bit.
2. A sender keeps every block until it is released, in the encoded frames in which it travels.
3. The end of a stream takes the number after the last block, so that it is acknowledged like a block.
4. A receiver wants exactly one position next. Older is a duplicate, newer is a gap. The first block of a newer epoch is
   always welcome: what an older epoch still lacks has gone with its sender.
5. A released position may lie ahead of what was written: a restarted job writes again what its receiver has long had.
"""

from collections import deque
from collections.abc import Iterable

from fission.channel.counters import PipeCounters
from fission.channel.frames import WIRE_RESET, Batch, Buffer, Payload, encode_batch
from fission.channel.ranges import Position, cut, size_of

FRAME_BYTES = 64 << 10
FRAME_BLOCKS = 4096
LIVE_BLOCKS = 1024

_BLOCK_COST = 8
_FRAME_COST = 256
"""Bytes that a block and a frame cost beside their payload, so that many tiny blocks cannot outgrow `retain`."""


class Kept:
    """One frame of the window: its blocks while it can still grow, then its encoded form."""

    __slots__ = (
        "blocks",
        "count",
        "data",
        "epoch",
        "first",
        "gone",
        "head",
        "last",
        "mono",
        "sent",
        "size",
        "wall",
    )

    def __init__(
        self, epoch: int, first: int, head: int, mono: float, wall: float, blocks: list[Payload], size: int
    ) -> None:
        self.epoch = epoch
        self.first = first
        self.head = head
        self.mono = mono
        self.wall = wall
        self.blocks = blocks
        self.count = len(blocks)
        self.last = first + self.count - 1
        self.size = size
        self.gone = 0
        self.sent = False
        self.data: list[Buffer] | None = None

    def encode(self) -> list[Buffer]:
        """Return the frame as buffers; from the first call on it can no longer grow."""
        data = self.data
        if data is None:
            batch = Batch(self.epoch, self.first, self.head, self.mono, self.wall, self.blocks)
            data = self.data = encode_batch(batch)
            self.blocks = []
        return data


class SendWindow:
    """Numbers blocks, keeps them until they are released, and knows what is to be sent next.

    `retain` bytes and `least` blocks have to be kept before the window is full. `limit` > 0 makes it a live window: nothing
    that was sent is kept, and at most `limit` blocks wait; the oldest give way.
    """

    def __init__(
        self, counters: PipeCounters, *, retain: int, least: int = 4, limit: int = 0, start: Position = (1, 1)
    ) -> None:
        self.epoch, following = start
        self.last = following - 1
        self.released: Position = (self.epoch, self.last)
        self.acknowledged: Position = (0, 0)
        self.wanted: Position = start
        self.count = 0
        self.size = 0
        self.waiting = 0
        self._counters = counters
        self._retain = retain
        self._least = least
        self._limit = limit
        self._sent: deque[Kept] = deque()
        self._queue: deque[Kept] = deque()

    @property
    def full(self) -> bool:
        """Whether so much is kept that the job should wait."""
        return self.size >= self._retain and self.count >= self._least and not self._limit

    @property
    def empty(self) -> bool:
        """Whether everything has been handed out for sending."""
        return not self._queue

    def write(self, blocks: list[Payload], head: int, mono: float, wall: float) -> int:
        """Number the blocks and queue them; return the number of the last one."""
        head &= ~WIRE_RESET
        if not self.last and blocks:
            self._append(blocks[:1], head | WIRE_RESET, mono, wall)
            blocks = blocks[1:]
        if blocks:
            self._append(blocks, head, mono, wall)
        if self._limit:
            self._shed()
        return self.last

    def reset(self, epoch: int) -> None:
        """Number from 1 again. What is kept of older epochs stays until it is released."""
        self.epoch = epoch
        self.last = 0

    def release(self, position: Position) -> None:
        """Drop everything up to and including this position, sent or not."""
        if position <= self.acknowledged:
            return
        self.acknowledged = position
        if position <= self.released:
            return
        self.released = position
        sent, queue = self._sent, self._queue
        while sent and self._release_from(sent[0], position):
            sent.popleft()
        while queue and not sent and self._release_from(queue[0], position):
            self.waiting -= queue.popleft().count

    def replay_from(self, position: Position) -> bool:
        """Send again from this position on. False: a block that it asks for is gone for good."""
        self.wanted = position
        sent, queue = self._sent, self._queue
        while sent and (sent[-1].epoch, sent[-1].last) >= position:
            queue.appendleft(sent.pop())
            self.waiting += queue[0].count
        if position <= self.acknowledged:
            return False
        epoch, first = (queue[0].epoch, queue[0].first) if queue else (self.epoch, self.last + 1)
        return first == 1 or position >= (epoch, first)

    def take(self, limit: int) -> list[Buffer]:
        """Return the next frames to send, about `limit` bytes and at least one frame when there is one."""
        out: list[Buffer] = []
        queue, wanted, counters = self._queue, self.wanted, self._counters
        while queue and limit > 0:
            entry = queue.popleft()
            self.waiting -= entry.count
            if not self._limit:
                self._sent.append(entry)
            if (entry.epoch, entry.last) < wanted:
                continue
            out += entry.encode()
            limit -= entry.size
            counters.bytes += entry.size
            if entry.sent:
                counters.replayed += entry.count
            else:
                entry.sent = True
                counters.sent += entry.count
        return out

    def clear(self) -> None:
        """Nothing that was written is needed any more."""
        self._sent.clear()
        self._queue.clear()
        self.count = self.size = self.waiting = 0

    def _append(self, blocks: list[Payload], head: int, mono: float, wall: float) -> None:
        first = self.last + 1
        self.last += len(blocks)
        if (self.epoch, first) <= self.released:
            known = self.last if self.released[0] > self.epoch else min(self.last, self.released[1])
            blocks = blocks[known - first + 1 :]
            first = known + 1
            if not blocks:
                return
        size = size_of(blocks) + _BLOCK_COST * len(blocks)
        if len(blocks) <= FRAME_BLOCKS and size <= FRAME_BYTES:
            self._keep(first, head, mono, wall, blocks, size)
            return
        for part in _pieces(blocks, size):
            self._keep(first, head, mono, wall, part, size_of(part) + _BLOCK_COST * len(part))
            first += len(part)

    def _keep(
        self, first: int, head: int, mono: float, wall: float, blocks: list[Payload], size: int
    ) -> None:
        self.count += len(blocks)
        self.waiting += len(blocks)
        queue = self._queue
        if queue:
            tail = queue[-1]
            if (
                tail.data is None
                and tail.head == head
                and tail.epoch == self.epoch
                and tail.size + size <= FRAME_BYTES
                and tail.count + len(blocks) <= FRAME_BLOCKS
            ):
                tail.blocks += blocks
                tail.count += len(blocks)
                tail.last += len(blocks)
                tail.size += size
                self.size += size
                return
            if not self._limit:
                tail.encode()
        size += _FRAME_COST
        self.size += size
        queue.append(Kept(self.epoch, first, head, mono, wall, blocks, size))

    def _release_from(self, entry: Kept, position: Position) -> bool:
        """Account for what is released of this entry; True when it can go."""
        epoch, sqn = position
        if entry.epoch > epoch:
            return False
        gone = entry.count if entry.epoch < epoch else min(entry.count, max(0, sqn - entry.first + 1))
        self.count -= gone - entry.gone
        entry.gone = gone
        if gone < entry.count:
            return False
        self.size -= entry.size
        return True

    def _shed(self) -> None:
        """Live: let the oldest waiting blocks go until the rest fits."""
        queue = self._queue
        excess = self.waiting - self._limit
        while excess > 0:
            entry = queue[0]
            part = min(excess, entry.count)
            excess -= part
            self.waiting -= part
            self._counters.dropped += part
            if part == entry.count:
                queue.popleft()
            else:
                del entry.blocks[:part]
                entry.first += part
                entry.count -= part
                entry.size = size_of(entry.blocks) + _BLOCK_COST * entry.count + _FRAME_COST


def _pieces(blocks: list[Payload], size: int) -> Iterable[list[Payload]]:
    """Cut a list of this size into frames of about FRAME_BYTES and at most FRAME_BLOCKS."""
    count = len(blocks)
    frames = max(-(-size // FRAME_BYTES), -(-count // FRAME_BLOCKS))
    step = -(-count // frames)
    for start in range(0, count, step):
        part = blocks[start : start + step]
        actual = size_of(part) + _BLOCK_COST * len(part)
        if len(part) > 1 and actual > 2 * FRAME_BYTES:  # sizes differ much; terminates: at least 3 frames
            yield from _pieces(part, actual)
        else:
            yield part


class ReceiveWindow:
    """Knows the position that is wanted next and lets through what is new.

    `end` is the position of the end of the stream once it is known.
    """

    def __init__(self, counters: PipeCounters, *, start: Position = (1, 1)) -> None:
        self.wanted = start
        self.end: Position | None = None
        self._counters = counters

    def accept(self, batch: Batch) -> Batch | None:
        """Return what is new of this batch, or None. A gap is let through: ask `gap` before."""
        epoch, wanted = self.wanted
        first, last = batch.first, batch.last
        if batch.epoch == epoch:
            if last < wanted:
                self._counters.duplicates += batch.count
                return None
            if first < wanted:
                self._counters.duplicates += wanted - first
                batch = cut(batch, wanted)
        elif batch.epoch < epoch:
            self._counters.late += batch.count
            return None
        self.wanted = (batch.epoch, last + 1)
        self._counters.delivered += batch.count
        return batch

    def gap(self, epoch: int, first: int) -> bool:
        """Whether blocks are missing before a block, or an end, at this position."""
        wanted_epoch, wanted = self.wanted
        if epoch == wanted_epoch:
            return first > wanted
        return epoch > wanted_epoch and first > 1
