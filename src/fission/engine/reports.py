"""What is known of the jobs while a network runs, and who is told of it."""

from dataclasses import dataclass, field
from typing import Protocol

from fission.runtime.supervisor import OutputLine


@dataclass(slots=True)
class JobReport:
    """What is known of one job while its network runs. `node` is "" where there are no nodes."""

    name: str
    state: str = "starting"
    rounds: int = 0
    cpu_seconds: float = 0.0
    pipes: dict[int, dict[str, float]] = field(default_factory=dict)
    node: str = ""
    incarnation: int = 1


class Watcher(Protocol):
    """Who is told what happens: a console, a log file, a test."""

    def line(self, job: int, line: OutputLine) -> None:
        """A job wrote a line."""

    def log(self, job: int | None, level: int, text: str) -> None:
        """Something worth a line in the log happened; levels of the `logging` module."""

    def status(self, states: dict[int, JobReport], seconds: float) -> None:
        """About twice a second: how far every job is, `seconds` after the start."""
