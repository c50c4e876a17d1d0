"""A sink slower than its source, for a long time, on nodes joined by TLS: the source waits, and memory stays flat."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.endurance.census import census, job_processes
from benchmarks.endurance.growth import Growths
from benchmarks.exactness.project import JOBS, Case
from benchmarks.exactness.runs import Outcome, run_case

CASE = Case(elements=500, size=1000, slow=0.001)
"""Blocks of 4 KB, a connector whose state is kept every second, and a sink that takes at most 1,000 of them per second."""
_CENSUSES = 120
_SETTLE_SECONDS = 10.0
"""From the begin of all jobs until the first census: windows are full."""


@dataclass
class Slow:
    """What came of it; `problem` says what was wrong, "" if nothing."""

    seconds: float
    outcome: Outcome
    growths: Growths = field(default_factory=Growths)

    @property
    def problem(self) -> str:
        """What was lost, doubled or failed."""
        return self.outcome.problem or ("" if self.growths.all else "no census was taken")

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, and nothing grows."""
        return not self.problem and not self.growths.growing


def run_slow(seconds: float, say: Callable[[str], None]) -> Slow:
    """Run for so many seconds, then let the sink work off what has piled up."""
    growths = Growths()
    began = due = 0.0

    def watch(client: int, folder: Path, age: float) -> None:
        nonlocal began, due
        if not began and len(job_processes(client)) == len(JOBS):
            began = age
            due = age + min(_SETTLE_SECONDS, seconds / 4)
        if began and due <= age <= began + seconds:
            due = max(due + max(1.0, seconds / _CENSUSES), age)
            figures = census(client, folder)
            growths.add((age - began) / 60, figures)
            total = sum(figure for what, figure in figures.items() if what.endswith(": rss"))
            say(
                f"{age - began:.0f} of {seconds:.0f} s: {total:.1f} MB in all, {figures['jobs: rss']:.1f} in jobs"
            )

    return Slow(seconds, run_case(CASE, 0, seconds, watch), growths)
