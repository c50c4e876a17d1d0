"""What an engine tells: events, each about one job."""

from dataclasses import dataclass

from fission.runtime.supervisor import Event


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to, or was said by, job `job` (its id)."""

    job: int
    event: Event
