"""Which runs there are, and in which order: a round has each run once, subjects side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.subjects import SUBJECTS, Subject
from benchmarks.workloads import WORKLOADS, Plan

GROWTH_WORKLOADS = ("int", "4k")
GROWTH_SUBJECTS = ("fission", "bare")
START_WORKLOADS = ("int",)


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    kinds: Sequence[str]
    workloads: Sequence[str]
    subjects: Sequence[str]
    runs: int
    seconds: float
    growth_seconds: float

    def plan(self, kind: str, workload: str) -> Plan:
        """Give the plan of one run."""
        warmup, seconds = {
            "throughput": (1.0, self.seconds),
            "latency": (1.0, self.seconds),
            "start": (0.0, 0.5),
            "growth": (2.0, self.growth_seconds),
        }[kind]
        return Plan(kind, WORKLOADS[workload], warmup, seconds)


def runs(wish: Wish) -> Iterator[tuple[int, Subject, Plan]]:
    """Yield every run: round number, subject, plan. Growth is measured in the first round only."""
    for number in range(wish.runs):
        for kind in wish.kinds:
            if kind == "growth" and number:
                continue
            for workload in wish.workloads:
                for subject in _rotated(_subjects(wish, kind, workload), number):
                    yield number, subject, wish.plan(kind, workload)


def _subjects(wish: Wish, kind: str, workload: str) -> list[Subject]:
    if workload not in {"start": START_WORKLOADS, "growth": GROWTH_WORKLOADS}.get(kind, WORKLOADS):
        return []
    chosen = [SUBJECTS[name] for name in wish.subjects if kind != "growth" or name in GROWTH_SUBJECTS]
    return [subject for subject in chosen if kind in subject.kinds and workload in subject.workloads]


def _rotated(subjects: list[Subject], number: int) -> list[Subject]:
    shift = number % len(subjects) if subjects else 0
    return subjects[shift:] + subjects[:shift]
