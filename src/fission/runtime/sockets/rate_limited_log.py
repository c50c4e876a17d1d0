"""A log that strangers cannot flood: so many lines a second, then only how many more there were."""

from collections.abc import Callable

LINES = 10
"""Lines that are written within one second."""


class RateLimitedLog:
    """Call `say` for each line, and `tend` now and then: it tells how many lines were left out."""

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
        """Tell what was left out in the second that has passed."""
        if self._left_out and now >= self._second + 1.0:
            self._log(self._worst, f"{self._left_out} more lines like these within a second were left out")
            self._left_out = self._worst = 0
