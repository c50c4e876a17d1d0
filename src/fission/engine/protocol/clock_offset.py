"""Estimates how far a clock of a peer is ahead of ours, from the times of requests and answers. No clock, no socket.

A peer that answers with its time at some moment between request and answer bounds the offset: it is within half of the
round trip of what a symmetric path would give (RFC 5905, section 8, with one time stamp of the peer). The sample
with the shortest round trip is the best one, until it is too old for the drift of the clocks, or a clock was set: then
a new sample excludes the offset of the old one.
"""

from dataclasses import dataclass

__all__ = ["ClockEstimate", "ClockOffset", "NodeClocks"]

_DRIFT = 200e-6
"""Seconds per second by which two clocks without correction drift apart at most."""


@dataclass(frozen=True, slots=True)
class ClockEstimate:
    """`offset` is the peer's time minus ours, in seconds; the true offset is within `error` of it."""

    offset: float
    error: float


@dataclass(frozen=True, slots=True)
class NodeClocks:
    """How far the clocks of a node are ahead of the client's: the wall clock, which may jump, and the monotonic one."""

    wall: ClockEstimate
    monotonic: ClockEstimate


class ClockOffset:
    """The estimate for one peer. Call `add` for each answer; `estimate` is None before the first one."""

    def __init__(self) -> None:
        self._best: ClockEstimate | None = None
        self._at = 0.0

    def add(self, sent: float, remote: float, round_trip: float, now: float) -> None:
        """Take in a sample: our time when the request was sent, the peer's time in its answer, of the clocks to compare.

        `round_trip` and `now` are in seconds of a monotonic clock.
        """
        sample = ClockEstimate(remote - (sent + round_trip / 2), round_trip / 2)
        best = self.estimate(now)
        excluded = best is not None and abs(best.offset - sample.offset) > best.error + sample.error
        if best is None or excluded or sample.error <= best.error:
            self._best, self._at = sample, now

    def estimate(self, now: float) -> ClockEstimate | None:
        """Return the best estimate; its error grows with its age."""
        if self._best is None:
            return None
        return ClockEstimate(self._best.offset, self._best.error + max(0.0, now - self._at) * _DRIFT)
