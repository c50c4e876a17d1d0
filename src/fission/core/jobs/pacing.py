"""The wait of a paced job, in its own process: the only place where jobs of this package read the clock to sleep."""

from __future__ import annotations

from time import monotonic, sleep, time

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from fission.core.jobs.pace import PaceClock

__all__ = ["wait_for"]


def wait_for(clock: PaceClock, *, repeating: bool) -> None:
    """Sleep until the next round of this clock is due."""
    seconds = clock.wait(monotonic(), time(), repeating=repeating)
    if seconds > 0:
        sleep(seconds)
