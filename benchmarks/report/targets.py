"""The goals of issue A and of design.md 8, and whether a result reaches them: the only typed numbers."""

from typing import NamedTuple

from benchmarks.report.result import Result, Spread
from benchmarks.subjects import BASELINE

_TCP, _TLS = "hosts-tcp", "hosts-tls"
BARE, NUMPY = "python", "python with numpy"


class Target(NamedTuple):
    """A goal for a figure of FISSION."""

    what: str
    kind: str
    workload: str
    figure: str
    goal: float
    """At least this (throughput) or at most this (everything else)."""
    now: bool
    """Goal of the first issue; else of design.md 8, which a later issue reaches."""
    base: str = ""
    """Compare the ratio to this subject, or to this figure of the same run if it begins with `/`."""
    unit: float = 1.0
    """Divides the measured figure."""
    over: str = ""
    """Subtract the size of this bare interpreter."""
    subject: str = "fission"

    def measured(self, result: Result) -> Spread:
        """Return the figure in the target's unit; empty when it was not measured."""
        if self.base.startswith("/"):
            runs = result.of(self.kind, self.workload, self.subject)
            pairs = [(one.figures.get(self.figure), one.figures.get(self.base[1:])) for one in runs]
            return Spread.of([above / below for above, below in pairs if above and below])
        if self.base:
            return result.ratio(self.kind, self.workload, self.subject, self.figure, self.base)
        runs = result.of(self.kind, self.workload, self.subject)
        values = [one.figures[self.figure] for one in runs if self.figure in one.figures]
        if not values:
            return Spread.of([])
        less = result.bare_memory[self.over] if self.over else 0.0
        return Spread.of([(value - less) / self.unit for value in values])

    def reached(self, spread: Spread) -> bool:
        """Whether the median reaches the goal."""
        return spread.median >= self.goal if self.kind == "throughput" else spread.median <= self.goal


TARGETS = (
    Target("int blocks/s", "throughput", "int", "rate", 200_000, now=True),
    Target("4 KB blocks/s", "throughput", "4k", "rate", 80_000, now=True),
    Target("int p50 (us)", "latency", "int", "p50", 250, now=True),
    Target("4 KB p50 (us)", "latency", "4k", "p50", 250, now=True),
    Target("start of a job process (ms)", "start", "int", "forward_age", 150, now=True, unit=1e-3),
    Target("slow sink, int: growth (MB/s)", "growth", "int", "growth", 0.1, now=True, unit=1e6),
    Target("slow sink, 4 KB: growth (MB/s)", "growth", "4k", "growth", 0.1, now=True, unit=1e6),
    Target("int blocks/s", "throughput", "int", "rate", 400_000, now=False),
    Target("int, part of the bare loop", "throughput", "int", "rate", 0.6, now=False, base=BASELINE),
    Target("4 KB blocks/s", "throughput", "4k", "rate", 200_000, now=False),
    Target("1 MB blocks/s", "throughput", "1m", "rate", 9_000, now=False),
    Target("16 MB blocks/s", "throughput", "16m", "rate", 450, now=False),
    *(
        Target(
            f"{title} blocks/s between hosts, TLS", "throughput", name, "rate", goal, now=False, subject=_TLS
        )
        for title, name, goal in (("int", "int", 150_000), ("4 KB", "4k", 30_000), ("1 MB", "1m", 200))
    ),
    *(
        Target(
            f"{title} between hosts, TLS as part of TCP",
            "throughput",
            name,
            "rate",
            0.5,
            now=False,
            base=_TCP,
            subject=_TLS,
        )
        for title, name in (("int", "int"), ("4 KB", "4k"), ("1 MB", "1m"), ("16 MB", "16m"))
    ),
    Target("int p50 (us)", "latency", "int", "p50", 150, now=False),
    Target("4 KB p50 (us)", "latency", "4k", "p50", 200, now=False),
    Target("1 MB p50 (us)", "latency", "1m", "p50", 500, now=False),
    Target("16 MB p50 (us)", "latency", "16m", "p50", 6_500, now=False),
    Target("int p99 / p50", "latency", "int", "p99", 3, now=False, base="/p50"),
    Target("4 KB p99 / p50", "latency", "4k", "p99", 3, now=False, base="/p50"),
    Target("1 MB p99 / p50", "latency", "1m", "p99", 3, now=False, base="/p50"),
    Target("16 MB p99 / p50", "latency", "16m", "p99", 3, now=False, base="/p50"),
    Target(
        "job, RSS over python (MB)",
        "latency",
        "int",
        "forward_rss",
        15,
        now=False,
        unit=1e6,
        over=BARE,
    ),
    Target("the same with numpy (MB)", "latency", "4k", "forward_rss", 15, now=False, unit=1e6, over=NUMPY),
    Target("`simulate` to the first block at the sink (s)", "start", "int", "first_block", 1.0, now=False),
)
