"""Reports on the jobs of a running network, and the observer that receives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fission.core.network import Network
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Status


@dataclass(slots=True)
class JobReport:
    """What is known of one job while its network runs. `node` is "" where there are no nodes.

    `round` is the last complete one of `epoch`; `rounds` counts those of all epochs, and `seen` of them were complete when we
    came (None: as many as we hear of first).
    """

    name: str
    state: str = "starting"
    round: int = 0
    epoch: int = 1
    rounds: int = 0
    seen: int | None = 0
    cpu_seconds: float = 0.0
    pipes: dict[int, dict[str, float]] = field(default_factory=dict)
    node: str = ""
    incarnation: int = 1
    gave_nothing: bool = False
    """Its first round returned None although it has outputs."""

    def hear(self, status: Status) -> None:
        """Take in what its process reports. In an epoch that is repeated after a restart it completes nothing new."""
        if status.epoch > self.epoch:
            self.epoch, self.round = status.epoch, 0
        if status.epoch == self.epoch:
            self.complete(status.rounds)
        self.pipes, self.cpu_seconds = status.pipes, status.cpu_seconds
        self.gave_nothing = self.gave_nothing or status.gave_nothing

    def complete(self, round: int) -> None:
        """Count the rounds of its epoch up to this one; one that is repeated after a restart counts once."""
        self.rounds += max(0, round - self.round)
        self.round = max(self.round, round)
        if self.seen is None:
            self.seen = self.rounds

    def rate(self, seconds: float) -> float:
        """Rounds per second, in the seconds since we came."""
        return (self.rounds - (self.seen or 0)) / seconds


def missing_output(network: Network, reports: Mapping[int, JobReport]) -> str:
    """Describe which sinks have received nothing because `run` of a job returned nothing; "" when there are none."""
    for id, report in reports.items():
        if not report.gave_nothing:
            continue
        reached = [id]
        for job in reached:
            reached += [
                edge.destination for edge in network.outputs_of(job) if edge.destination not in reached
            ]
        starved = [
            reports[job].name for job in reached if network.job(job).is_sink() and not reports[job].rounds
        ]
        if starved:
            return f"{', '.join(starved)} received nothing: run() of {report.name} returned None in its first round"
    return ""


class ProgressObserver(Protocol):
    """Receives what happens: a console, a log file, a test."""

    def line(self, job: int, line: OutputLine) -> None:
        """A job wrote a line."""

    def log(self, job: int | None, level: int, text: str) -> None:
        """Something worth a line in the log happened; levels of the `logging` module."""

    def status(self, states: dict[int, JobReport], seconds: float) -> None:
        """About twice a second: how far every job is, `seconds` after the start."""
