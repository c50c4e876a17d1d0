"""A log that peers cannot flood: a limited number of lines per second, then the number of suppressed ones."""

from collections.abc import Callable

LINES = 10
"""Lines per second."""


class RateLimitedLog:
    """Call `say` for each line, and `tend` regularly: it reports how many lines were suppressed."""

    def __init__(self, log: Callable[[int, str], None]) -> None:
        self._log = log
        self._second = 0.0
        self._lines = 0
        self._left_out = 0
        self._worst = 0

    def say(self, level: int, text: str, now: float) -> None:
        """Write the line, or count it."""
        self.tend(now)
        if now >= self._second + 1.0:
            self._second, self._lines = now, 0
        if self._lines < LINES:
            self._lines += 1
            self._log(level, text)
        else:
            self._left_out += 1
            self._worst = max(self._worst, level)

    def tend(self, now: float) -> None:
        """Report the lines that were suppressed in the last second."""
        if self._left_out and now >= self._second + 1.0:
            self._log(self._worst, f"{self._left_out} more lines like these within a second were left out")
            self._left_out = self._worst = 0
