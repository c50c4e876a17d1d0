"""Copies some blocks of an output for a watcher, at the cost of one comparison per batch, and of none without a watcher."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from fission.channel.ranges import Position
from fission.channel.wire.frames import Payload, payload_size
from fission.core.pipes import BasePipe
from fission.monitor.token_bucket import TokenBucket

MOST_WAITING = 64
"""Copied blocks that wait to be described; more are dropped."""

MOST_BYTES = 8 << 20
"""Bytes of several blocks that wait to be described; a single one may be larger."""


@dataclass(frozen=True, slots=True)
class TappedBlock:
    """A block that was sent at `position`. It is a reference: encoded blocks are never changed."""

    pipe: BasePipe
    position: Position
    payload: Payload


class PipeTap:
    """Takes at most `rate` blocks per second of one output: `offer` is called with the exchange's lock held, `take` by a thread.

    `wake` is called when a block waits; it must not block.
    """

    def __init__(self, pipe: BasePipe, rate: float, wake: Callable[[], None]) -> None:
        self._pipe = pipe
        self._wake = wake
        self._bucket = TokenBucket(rate, 1.0)
        self._next = 0.0
        self._waiting: deque[TappedBlock] = deque()
        self._bytes = 0

    def limit(self, rate: float) -> None:
        """Take at most so many blocks per second from now on."""
        if rate != self._bucket.rate:
            self._bucket = TokenBucket(rate, 1.0)

    def offer(self, blocks: Sequence[Payload], last: Position) -> None:
        """Take what the rate allows of blocks that have just been numbered; the last of them is at `last`."""
        now = monotonic()
        if now < self._next or not self._bucket.take(1.0, now):
            return
        self._next = now + 0.95 / self._bucket.rate  # nothing is granted earlier
        size = payload_size(blocks[-1])
        if self._waiting and (len(self._waiting) >= MOST_WAITING or self._bytes + size > MOST_BYTES):
            return
        self._bytes += size
        self._waiting.append(TappedBlock(self._pipe, last, blocks[-1]))
        self._wake()

    def take(self) -> TappedBlock | None:
        """Return the next block that waits, if there is one."""
        if not self._waiting:
            return None
        block = self._waiting.popleft()
        self._bytes = max(0, self._bytes - payload_size(block.payload)) if self._waiting else 0
        return block
