"""Windows of senders that never make their job wait: those of live and of optional pipes."""

from collections import deque

from fission.channel.counters import PipeCounters
from fission.channel.ranges import Position, size_of
from fission.channel.retained import BLOCK_COST, FRAME_COST, RetainedFrame
from fission.channel.windows import SendWindow
from fission.channel.wire.frames import Buffer, Payload

LIVE_BLOCKS = 1024
"""Blocks that may wait on a live pipe without `MAX_QUEUE`."""
OPTIONAL_BLOCKS = 1024
"""Blocks of an optional pipe that are kept until they are acknowledged."""


def live_room(max_queue: int, block_count: int) -> int:
    """Return how many blocks of a live pipe may be under way or wait at the receiver: those of two rounds at least.

    `max_queue` is in blocks, 0 for the default.
    """
    return max(max_queue or LIVE_BLOCKS, 2 * block_count)


class LiveWindow(SendWindow):
    """The window of a live pipe: what was sent is forgotten, at most `limit` blocks wait, the oldest give way.

    To a receiver that reports its progress (by ACK) at most `room` unprocessed blocks are sent: more would
    only age in flight. With room 0, and before the first report, any number is sent.
    """

    keeps = writes_lone = False

    def __init__(
        self, counters: PipeCounters, *, limit: int, room: int = 0, start: Position = (1, 1)
    ) -> None:
        super().__init__(counters, retain=0, start=start)
        self._limit = limit
        self._room = room
        self._reported = False
        self._ahead: deque[tuple[Position, int]] = deque()  # last block and number of blocks of what was sent
        self._sent_ahead = 0

    @property
    def gone(self) -> Position:
        """Everything but what waits."""
        if self._queue:
            return self._queue[0].epoch, self._queue[0].first - 1
        return self.epoch, self.last

    @property
    def full(self) -> bool:
        """Never: the job is not made to wait."""
        return False

    def write(self, blocks: list[Payload], head: int, mono: float, wall: float) -> int:
        """Number the blocks and queue them; drop the oldest that wait when there are too many."""
        last = super().write(blocks, head, mono, wall)
        excess = self.waiting - self._limit
        while excess > 0:
            excess -= self._shed(excess)
        return last

    def take(self, limit: int) -> list[Buffer]:
        """Return the next frames to send, as far as the receiver has room."""
        if not self._reported:
            return super().take(limit)
        out: list[Buffer] = []
        while limit > 0 and self._queue and (room := self._room - self._sent_ahead) > 0:
            if self._queue[0].count > room:
                self._split(room)
            limit -= self._queue[0].size
            out += super().take(1)
        return out

    def release(self, position: Position) -> None:
        """The receiver has worked off everything up to here."""
        waiting = self.waiting
        super().release(position)
        self._counters.dropped += waiting - self.waiting  # an old epoch that it has left
        self._reported = self._room > 0
        ahead = self._ahead
        while ahead and ahead[0][0] <= position:
            self._sent_ahead -= ahead.popleft()[1]
        if ahead:
            last, count = ahead[0]
            rest = last[1] - position[1] if last[0] == position[0] else count
            if rest < count:
                ahead[0] = last, rest
                self._sent_ahead -= count - rest

    def replay_from(self, position: Position) -> bool:
        """Go on with a receiver that is connected anew: nothing is under way to it."""
        self._reported = False
        self._ahead.clear()
        self._sent_ahead = 0
        return super().replay_from(position)

    def _hand_out(self, entry: RetainedFrame) -> None:
        self.count -= entry.count
        self.size -= entry.size
        if self._reported:
            self._ahead.append(((entry.epoch, entry.last), entry.count))
            self._sent_ahead += entry.count

    def _split(self, count: int) -> None:
        """Let the entry in front have only so many blocks, and another one the rest."""
        long = self._queue[0]
        blocks = long.blocks[:count]
        size = size_of(blocks) + BLOCK_COST * count
        times = (long.mono, long.wall)
        self._queue.appendleft(
            RetainedFrame(long.epoch, long.first, long.head, times, blocks, size + FRAME_COST)
        )
        long.behead(count)
        long.size -= size
        self.size += FRAME_COST

    def _shed(self, count: int) -> int:
        """Drop up to `count` of the oldest blocks; return how many."""
        entry = self._queue[0]
        if count < entry.count:
            entry.behead(count)
        else:
            count = entry.count
            self.size -= entry.size
            self._queue.popleft()
        self.count -= count
        self.waiting -= count
        self._counters.dropped += count
        return count


class OptionalWindow(SendWindow):
    """The window of an optional pipe: blocks are kept until the receiver has stored them, but the job never waits for that.

    At most `OPTIONAL_BLOCKS` blocks and `retain` bytes are kept, and one block of any size. Beyond it the oldest give way: a
    receiver that is restarted may lack them.
    """

    writes_lone = False  # every block goes through `write`, which bounds the window

    @property
    def full(self) -> bool:
        """Never: the job is not made to wait."""
        return False

    def write(self, blocks: list[Payload], head: int, mono: float, wall: float) -> int:
        """Number the blocks and queue them; drop the oldest that are kept when there are too many."""
        last = super().write(blocks, head, mono, wall)
        while self.count > OPTIONAL_BLOCKS or self.size > self._retain:
            excess = self.count - OPTIONAL_BLOCKS
            if excess <= 0 and len(self._sent) + len(self._queue) == 1:
                break
            self._drop_oldest(excess)
        return last

    def _drop_oldest(self, excess: int) -> None:
        """Forget the oldest frame; of one that can still grow only so many blocks as there are too many."""
        entry = (self._sent or self._queue)[0]
        count = entry.count - entry.gone
        if entry.data is None and not entry.gone and 0 < excess < entry.count:
            count = excess
            size = size_of(entry.blocks[:excess]) + BLOCK_COST * excess
            entry.behead(excess)
            entry.size -= size
            self.size -= size
            self.waiting -= excess
        elif self._sent:
            self.size -= self._sent.popleft().size
        else:
            self.size -= self._queue.popleft().size
            self.waiting -= entry.count
        self.count -= count
        if not entry.sent:
            self._counters.dropped += count
