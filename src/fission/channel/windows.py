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
from fission.channel.ranges import Position, cut, size_of
from fission.channel.retained import BLOCK_COST, FRAME_BLOCKS, FRAME_BYTES, FRAME_COST, RetainedFrame, pieces
from fission.channel.wire.encoder import encode_lone
from fission.channel.wire.frames import WIRE_RESET, Batch, Buffer, Payload


def needed_blocks(block_count: int, downstream: Iterable[int] = ()) -> int:
    """Return how many blocks of a pipe its receiving job may hold before it can release the first one.

    A job releases a round only when its outputs are released, so that the block counts down the paths to the sinks multiply.
    `downstream` has the results for the receiving job's own outputs: those that are synchronous and exact.
    """
    return block_count * max(downstream, default=1)


class SendWindow:
    """Numbers blocks, retains them until they are released, and selects what to send next.

    `retain` bytes, and twice the `needed` blocks (at least 4), have to be kept before the window is full, and so many blocks
    must have been written after what the receiver has `durable`. Else jobs could wait for each other: a checkpoint that was taken
    in the middle of a round of the job downstream is of no use before that round is complete.
    """

    keeps = writes_lone = True

    def __init__(
        self, counters: PipeCounters, *, retain: int, needed: int = 1, start: Position = (1, 1)
    ) -> None:
        self.epoch, following = start
        self.last = following - 1
        self._start: Position = (self.epoch, self.last)
        self.released: Position = self._start
        self.acknowledged: Position = (0, 0)
        self.durable: Position = (0, 0)
        self.wanted: Position = start
        self.count = 0
        self.size = 0
        self.waiting = 0
        self._counters = counters
        self._retain = retain
        self._least = max(4, 2 * needed)
        self._sent: deque[RetainedFrame] = deque()
        self._queue: deque[RetainedFrame] = deque()

    @property
    def gone(self) -> Position:
        """Up to where a receiver cannot have anything any more."""
        return self.released

    @property
    def full(self) -> bool:
        """Whether so much is kept that the job should wait."""
        if self.size < self._retain or self.count < self._least:
            return False
        epoch, sqn = self.durable
        return self.last - (sqn if epoch == self.epoch else 0) >= self._least

    def write(self, blocks: list[Payload], head: int, mono: float, wall: float) -> int:
        """Number the blocks and queue them; return the number of the last one."""
        if not blocks:
            return self.last
        head &= ~WIRE_RESET
        times = (mono, wall)
        if not self.last:
            self._append(blocks[:1], head | WIRE_RESET, times)
            blocks = blocks[1:]
        if blocks:
            self._append(blocks, head, times)
        return self.last

    def write_lone(self, block: Payload, head: int, mono: float, wall: float) -> bytes | None:
        """Number one small block and return its frame, as sent; None when it has to go through `write` and `take`.

        What these two would do, without the detours: nothing waits, the block is not the first of its epoch and the
        receiver does not have it yet.
        """
        epoch, last = self.epoch, self.last
        position = (epoch, last + 1)
        if (
            self._queue
            or not last
            or position <= self.released
            or position < self.wanted
            or not self.writes_lone
        ):
            return None
        if type(block) is not bytes or len(block) >= FRAME_BYTES:
            return None
        self.last = first = last + 1
        size = len(block)
        head &= ~WIRE_RESET
        frame = encode_lone(epoch, first, head, mono, wall, block)
        entry = RetainedFrame(epoch, first, head, (mono, wall), [], size + BLOCK_COST + FRAME_COST)
        entry.count, entry.last, entry.sent, entry.data = 1, first, True, [frame]
        self._sent.append(entry)
        self.count += 1
        self.size += entry.size
        self._counters.sent += 1
        self._counters.bytes += size
        return frame

    def resume(self, after: Position) -> bool:
        """Number on after this position. False: blocks have been written already."""
        if (self.epoch, self.last) != self._start:
            return False
        self._start = after
        self.epoch, self.last = after
        self.released = max(after, self.acknowledged)
        return True

    def reset(self, epoch: int) -> None:
        """Begin with number 1 again. What is kept of older epochs stays until it is released."""
        self.epoch = epoch
        self.last = 0

    def release(self, position: Position) -> None:
        """Drop everything up to and including this position, sent or not."""
        if position > self.acknowledged:
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
        """Send again from this position on. False: a requested block has been released."""
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
        queue, counters = self._queue, self._counters
        epoch, wanted = self.wanted
        while queue and limit > 0:
            entry = queue.popleft()
            count = entry.count
            self.waiting -= count
            self._hand_out(entry)
            if entry.epoch < epoch or (entry.epoch == epoch and entry.last < wanted):
                continue  # the receiver has it; it is only kept
            out += entry.data or entry.encode()
            limit -= entry.size
            counters.bytes += entry.size - FRAME_COST - BLOCK_COST * count
            if entry.sent:
                counters.replayed += count
            else:
                entry.sent = True
                counters.sent += count
        return out

    def clear(self) -> None:
        """Forget everything that was written."""
        self._sent.clear()
        self._queue.clear()
        self.count = self.size = self.waiting = 0

    def _hand_out(self, entry: RetainedFrame) -> None:
        self._sent.append(entry)

    def _append(self, blocks: list[Payload], head: int, times: tuple[float, float]) -> None:
        first = self.last + 1
        count = len(blocks)
        self.last += count
        if (self.epoch, first) <= self.released:
            known = self.last if self.released[0] > self.epoch else min(self.last, self.released[1])
            blocks = blocks[known - first + 1 :]
            if not blocks:
                return
            first = known + 1
            count = len(blocks)
        size = size_of(blocks) + BLOCK_COST * count
        if count <= FRAME_BLOCKS and size <= FRAME_BYTES:
            self._keep(RetainedFrame(self.epoch, first, head, times, blocks, size))
            return
        for part in pieces(blocks, size):
            part_size = size_of(part) + BLOCK_COST * len(part)
            self._keep(RetainedFrame(self.epoch, first, head, times, part, part_size))
            first += len(part)

    def _keep(self, entry: RetainedFrame) -> None:
        self.count += entry.count
        self.waiting += entry.count
        queue = self._queue
        if queue:
            tail = queue[-1]
            if tail.absorb(entry):
                self.size += entry.size
                return
            if self.keeps:
                tail.close()
        entry.size += FRAME_COST
        self.size += entry.size
        queue.append(entry)

    def _release_from(self, entry: RetainedFrame, position: Position) -> bool:
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


class ReceiveWindow:
    """Knows the position that is wanted next and lets through what is new.

    `end` is the position of the end of the stream once it is known.
    """

    def __init__(self, counters: PipeCounters, *, start: Position = (1, 1)) -> None:
        self.epoch, self.next = start
        self.end: Position | None = None
        self._counters = counters

    @property
    def wanted(self) -> Position:
        """The position that is wanted next."""
        return self.epoch, self.next

    def gap(self, epoch: int, first: int) -> bool:
        """Whether blocks are missing before a block at this position."""
        if epoch == self.epoch:
            return first > self.next
        return epoch > self.epoch and first > 1

    def accept(self, batch: Batch) -> Batch | None:
        """Return what is new of this batch, or None. A gap is let through: ask `gap` before."""
        first = batch.first
        following = first + len(batch.blocks)
        if batch.epoch == self.epoch:
            known = min(self.next, following) - first
            if known > 0:
                self._counters.duplicates += known
                if following <= self.next:
                    return None
                batch = cut(batch, self.next)
        elif batch.epoch < self.epoch:
            self._counters.late += batch.count
            return None
        self.epoch = batch.epoch
        self.next = following
        self._counters.delivered += len(batch.blocks)
        return batch

    def finish(self, end: Position) -> None:
        """The stream ends here: nothing more is wanted."""
        self.end = max(end, self.wanted)
        self.epoch, self.next = self.end
