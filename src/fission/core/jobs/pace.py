"""The schedule of a job that computes a fixed number of rounds per second. Pure: the time is an argument."""

from __future__ import annotations

from math import floor, inf

from fission.errors import JobDefinitionError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from typing import Any

__all__ = ["MOST_BEHIND", "PaceClock"]

MOST_BEHIND = 60.0
"""Seconds: a schedule that is further behind starts anew, as the clocks of two machines may differ by anything."""


class PaceClock:
    """Says when the next round is due: every `interval` seconds, or `hz` times per second, from the first round on.

    Call `wait` before each round and sleep for what it returns. A round that comes late delays no other one: with `catch_up`
    the rounds after it come at once until the schedule is kept again, so that none is missing; without, those that were
    missed are left out, and the next one has its place in the schedule.

    A clock may be part of a job's state. A copy that is unpickled, also on another machine, goes on with the same schedule
    by the wall clocks. Two clocks are equal when they keep the same pace.
    """

    __slots__ = ("_due", "_offset", "_wall_due", "catch_up", "interval")
    __hash__ = None  # type: ignore[assignment]  # it compares settings, and changes

    def __init__(
        self, hz: float | None = None, *, interval: float | None = None, catch_up: bool = True
    ) -> None:
        self.interval = _interval(hz, interval)
        self.catch_up = catch_up
        self._due: float | None = None
        self._wall_due: float | None = None
        self._offset = 0.0

    def wait(self, now: float, wall: float, *, repeating: bool = False) -> float:
        """Return the seconds until the next round is due, 0 when it is or was; each call is one round.

        `now` is the monotonic time, `wall` that of the wall clock. A round that is `repeating` has its place in the
        schedule, and is not waited for.
        """
        due = self._next(now, wall)
        if repeating:
            self._due = None if due is None else due + self.interval
            return 0.0
        if due is None or due - now > 2 * self.interval or now - due > MOST_BEHIND:
            due = now
        elif not self.catch_up and due < now:
            due += floor((now - due) / self.interval) * self.interval
        self._due = due + self.interval
        return max(0.0, due - now)

    def _next(self, now: float, wall: float) -> float | None:
        """The monotonic time of the next round; None when there has been no round yet."""
        self._offset = wall - now
        if self._wall_due is not None:
            self._due, self._wall_due = self._wall_due - self._offset, None
        return self._due

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PaceClock):
            return NotImplemented
        return (self.interval, self.catch_up) == (other.interval, other.catch_up)

    def __repr__(self) -> str:
        return f"PaceClock(interval={self.interval!r}, catch_up={self.catch_up!r})"

    def __getstate__(self) -> tuple[Any, ...]:
        due = self._wall_due if self._due is None else self._due + self._offset
        return self.interval, self.catch_up, due

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.interval, self.catch_up, self._wall_due = state
        self._due, self._offset = None, 0.0


def _interval(hz: object, interval: object) -> float:
    """Check the pace; return its seconds per round. Raises JobDefinitionError."""
    if (hz is None) == (interval is None):
        raise JobDefinitionError(
            "wrong pace",
            where="pace",
            expected="either hz or interval",
            found="both" if hz is not None else "neither",
        )
    name, value = ("hz", hz) if interval is None else ("interval", interval)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < inf:
        unit = "rounds per second" if name == "hz" else "seconds"
        raise JobDefinitionError(
            f"wrong {name}", where="pace", expected=f"{unit}, more than 0", found=repr(value)
        )
    return 1 / value if name == "hz" else float(value)
