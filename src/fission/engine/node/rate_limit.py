"""Limits the rate of output lines: bursts pass, floods are cut and counted. Pure."""

from collections import deque
from typing import Generic, TypeVar

LINES_PER_SECOND = 2000.0
BURST = 10_000
"""Lines that may arrive at once."""

KEPT = 1000
"""Lines that are buffered for an absent client."""

KEPT_SIZE = 4 << 20
"""Characters of all lines that are buffered for an absent client."""

_Line = TypeVar("_Line")


class LineRateLimiter(Generic[_Line]):
    """Call `passes` for each line while the client is present, `keep` otherwise; `kept` returns the buffered lines."""

    def __init__(self) -> None:
        self._room = float(BURST)
        self._last: float | None = None
        self._lines: deque[tuple[_Line, int]] = deque()
        self._size = 0
        self._dropped = 0

    def passes(self, now: float, *, clear: bool = True) -> bool:
        """Return whether another line may be sent at `now`; else count it as dropped. `clear`: the queue is short."""
        if self._last is not None:
            self._room = min(float(BURST), self._room + (now - self._last) * LINES_PER_SECOND)
        self._last = now
        if self._room < 1.0 or not clear:
            self._dropped += 1
            return False
        self._room -= 1.0
        return True

    def keep(self, line: _Line, size: int) -> None:
        """Buffer a line of so many characters; drop the oldest ones when there are too many."""
        self._lines.append((line, size))
        self._size += size
        while len(self._lines) > KEPT or self._size > KEPT_SIZE:
            _, dropped = self._lines.popleft()
            self._size -= dropped
            self._dropped += 1

    def kept(self) -> list[_Line]:
        """Return and forget the buffered lines, oldest first."""
        lines = [line for line, _ in self._lines]
        self._lines.clear()
        self._size = 0
        return lines

    def dropped(self) -> int:
        """Return the number of lines dropped since the last call."""
        count, self._dropped = self._dropped, 0
        return count
