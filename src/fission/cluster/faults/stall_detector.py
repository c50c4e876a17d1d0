"""Detects from outside that a job process makes no progress: by its reports, or because they stop. No clock, no process.

A process that is watched reports several times per timeout, also when nothing has changed: how far it is, and whether it is
computing. It counts as stalled

- when it has been computing the same round for the timeout: `run` does not return. A job that waits for blocks, or for room
  in its outputs, is not computing; so backpressure and an idle source stall nothing;
- when nothing was reported for the timeout: it is stopped (SIGSTOP), or its code holds the interpreter. What waits for such a
  process cannot be known, so silence counts even if it was idle when it was heard last.

The process that looks may be late itself; then the reports wait unread. The time by which a look came too late is given back.
"""

from enum import Enum, auto

from fission.channel.ranges import Position


class Stall(Enum):
    """Why a process counts as stalled."""

    COMPUTING = auto()
    """The round that it computes is not complete."""
    SILENT = auto()
    """It reports nothing."""


class StallDetector:
    """One process: `begin` with its first round, `report` what it reports, `look` every `period` seconds.

    Times are in seconds of one monotonic clock.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.period = min(1.0, timeout / 8)
        self.position: Position = (1, 0)
        """Epoch and number of the last complete round, as it was reported."""
        self._heard: float | None = None
        self._since: float | None = None
        self._looked = 0.0

    def begin(self, position: Position, now: float) -> None:
        """Watch from now on: rounds begin after this position."""
        self.position, self._heard, self._since, self._looked = position, now, None, now

    def report(self, position: Position, computing: bool | None, now: float) -> None:
        """Take in a report; `computing` is None where rounds are over, which ends the watch."""
        if self._heard is None:
            return
        if computing is None:
            self._heard = self._since = None
            return
        self._heard = now
        if not computing:
            self._since = None
        elif self._since is None or position != self.position:
            self._since = now
        self.position = position

    def look(self, now: float) -> Stall | None:
        """Return why the process counts as stalled, once; None as long as it does not."""
        if self._heard is None:
            return None
        late = max(0.0, now - self._looked - self.period)
        self._looked = now
        self._heard = min(now, self._heard + late)
        if self._since is not None:
            self._since = min(now, self._since + late)
        stall = None
        if now - self._heard >= self.timeout:
            stall = Stall.SILENT
        elif self._since is not None and now - self._since >= self.timeout:
            stall = Stall.COMPUTING
        if stall is not None:
            self._heard = self._since = None
        return stall
