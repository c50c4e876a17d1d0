"""How many lines of output a node passes on: bursts go through, floods are cut, and what is cut is counted. Pure."""

from collections import deque
from typing import Generic, TypeVar

LINES_PER_SECOND = 2000.0
BURST = 10_000
"""Lines that may come at once."""

KEPT = 1000
"""Lines that are kept for a client that is away."""

_Line = TypeVar("_Line")


class LineRateLimiter(Generic[_Line]):
    """Ask `passes` for each line while the client is there, `keep` the others, and hand over `kept` when it is back."""

    def __init__(self) -> None:
        self._room = float(BURST)
        self._last: float | None = None
        self._lines: deque[_Line] = deque()
        self._dropped = 0

    def passes(self, now: float, *, clear: bool = True) -> bool:
        """Whether another line may be sent at `now`; if not, it counts as dropped. `clear`: little waits on its way."""
        if self._last is not None:
            self._room = min(float(BURST), self._room + (now - self._last) * LINES_PER_SECOND)
        self._last = now
        if self._room < 1.0 or not clear:
            self._dropped += 1
            return False
        self._room -= 1.0
        return True

    def keep(self, line: _Line) -> None:
        """Keep a line for later; the oldest one goes when there are too many."""
        if len(self._lines) >= KEPT:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(line)

    def kept(self) -> list[_Line]:
        """Hand over the lines that were kept, oldest first."""
        lines, self._lines = list(self._lines), deque()
        return lines

    def dropped(self) -> int:
        """How many lines were dropped since the last call."""
        count, self._dropped = self._dropped, 0
        return count
