"""Assigns the blocks of a program to rounds: its n-th block on any output belongs to the n-th round it was given.

Rounds are counted here from 0 without regard to epochs, as the program sees them: their *serial*. A program may be
many rounds late, and its outputs need not be equally late, so that one is still in an epoch that another has left.
"""

from collections import deque
from dataclasses import dataclass

from fission.channel.ranges import Position

__all__ = ["Rounds", "Run"]

ENDLESS = 1 << 62
"""The length of an open-ended run."""


@dataclass(slots=True)
class Run:
    """Rounds `serial`, `serial` + 1, ... of one epoch that have the same wire head."""

    serial: int
    epoch: int
    first: int
    count: int
    head: int

    @property
    def end(self) -> int:
        """The serial after the last one."""
        return self.serial + self.count


class Rounds:
    """`add` what the program is given; then ask with serials. `start` is the position before the first round."""

    def __init__(self, start: Position = (1, 0)) -> None:
        self._runs: deque[Run] = deque()
        self._start = start
        self.given = 0
        """Rounds that were added."""

    def add(self, epoch: int, first: int, count: int, head: int) -> int:
        """Add rounds `first`, `first` + 1, ...; return the serial of the first."""
        serial = self.given
        self._runs.append(Run(serial, epoch, first, count, head))
        self.given += count
        return serial

    def cut(self, serial: int) -> None:
        """Remove all rounds from this serial on; others may be added in their place."""
        while self._runs and self._runs[-1].serial >= serial:
            self._runs.pop()
        if self._runs and self._runs[-1].end > serial:
            self._runs[-1].count = serial - self._runs[-1].serial
        self.given = min(self.given, serial)

    def run_at(self, serial: int) -> Run:
        """The run from this serial on. Blocks that no round was given for go on where the last round ended."""
        for run in self._runs:
            if serial < run.end:
                ahead = serial - run.serial
                return Run(serial, run.epoch, run.first + ahead, run.count - ahead, run.head)
        epoch, number = self.position(self.given)
        return Run(serial, epoch, number + 1 + serial - self.given, ENDLESS, 0)

    def position(self, serial: int) -> Position:
        """Epoch and number of the last of the first `serial` rounds."""
        last = self._start
        for run in self._runs:
            if run.serial >= serial:
                break
            last = (run.epoch, run.first + min(serial, run.end) - run.serial - 1)
        return last

    def forget(self, serial: int) -> None:
        """Drop the rounds before this serial, which are no longer needed."""
        while len(self._runs) > 1 and self._runs[0].end <= serial:
            run = self._runs.popleft()
            self._start = (run.epoch, run.first + run.count - 1)
