"""The runs and their order: a round has each run once, and runs to compare are adjacent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.subjects import SUBJECTS, Subject
from benchmarks.workloads import WORKLOADS, Plan

GROWTH_WORKLOADS = ("int", "4k")
GROWTH_SUBJECTS = ("fission", "bare")
START_WORKLOADS = ("int",)


@dataclass(frozen=True)
class Selection:
    """The measurements that the user has selected."""

    kinds: Sequence[str]
    workloads: Sequence[str]
    subjects: Sequence[str]
    runs: int
    seconds: float
    growth_seconds: float

    def plan(self, kind: str, workload: str) -> Plan:
        """Return the plan of one run."""
        warmup, seconds = {
            "throughput": (1.0, self.seconds),
            "latency": (1.0, self.seconds),
            "start": (0.0, 0.5),
            "growth": (2.0, self.growth_seconds),
        }[kind]
        return Plan(kind, WORKLOADS[workload], warmup, seconds)


def runs(selection: Selection) -> Iterator[tuple[int, Subject, Plan]]:
    """Yield every run: round number, subject, plan. Growth is measured in the first round only."""
    for number in range(selection.runs):
        for kind in selection.kinds:
            if kind == "growth" and number:
                continue
            for workload in selection.workloads:
                for subject in _rotated(_subjects(selection, kind, workload), number):
                    yield number, subject, selection.plan(kind, workload)


def _subjects(selection: Selection, kind: str, workload: str) -> list[Subject]:
    if workload not in {"start": START_WORKLOADS, "growth": GROWTH_WORKLOADS}.get(kind, WORKLOADS):
        return []
    chosen = [SUBJECTS[name] for name in selection.subjects if kind != "growth" or name in GROWTH_SUBJECTS]
    return [subject for subject in chosen if kind in subject.kinds and workload in subject.workloads]


def _rotated(subjects: list[Subject], number: int) -> list[Subject]:
    shift = number % len(subjects) if subjects else 0
    return subjects[shift:] + subjects[:shift]
