"""Predefined jobs: a counting source, a clock, forwarding and distributing."""

from __future__ import annotations

from fission.core.jobs.python import PythonJob
from fission.errors import JobDefinitionError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from fission.core.pipes.base import BasePipe

__all__ = ["ClockJob", "DistributingJob", "ForwardingJob", "SourceJob"]


class SourceJob(PythonJob):
    """Counts: `start`, `start + step`, ..., a value every `delay` seconds without drift. After a restart it counts on.

    Values that were delayed come at once, so that two sources stay aligned. It does not wait again before values that have
    arrived already.
    """

    def __init__(
        self,
        start: Any = 1,
        step: Any = 1,
        delay: float = 1,
        *,
        inputs: Iterable[BasePipe] | None = None,
        outputs: Iterable[BasePipe] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(inputs, outputs, name=name)
        _check_seconds(self, "delay", delay)
        self.start = start
        self.step = step
        self.delay = delay
        self.next_value = start

    def run(self) -> Iterator[Any]:
        """Yield one value after the other; a fresh generator goes on where the last one stopped."""
        while True:
            if self.delay:
                self.pace(interval=self.delay)
            value = self.next_value
            self.next_value = value + self.step
            yield value

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Remove `snapshot` and `restore` from a subclass with its own `run`, unless it defines them itself."""
        super().__init_subclass__(**kwargs)
        if "run" in vars(cls):
            for name in {"snapshot", "restore"} - vars(cls).keys():
                setattr(cls, name, None)

    def snapshot(self) -> Any:
        """Return the next value, which is all that a restart needs."""
        return self.next_value

    def restore(self, state: Any) -> None:
        """Continue with this value."""
        self.next_value = state


class ForwardingJob(PythonJob):
    """Forwards every input to the output at the same position."""

    def run(self, *values: Any) -> Any:
        """Return what came in."""
        return values


class DistributingJob(PythonJob):
    """Sends its one input to all outputs."""

    def run(self, value: Any) -> Any:
        """Return the value once per output (it may be a tuple itself)."""
        return (value,) * len(self.outputs)


class ClockJob(PythonJob):
    """Computes one round per `clock_interval` seconds, without drift.

    Without inputs it numbers its ticks 1, 2, 3, ...; with inputs it is a `ForwardingJob` that sets the pace.
    Ticks that were missed are left out: after a late one, the next one has its place in the schedule. After a restart it
    does not wait for ticks that were sent before. An interval of 0 does not wait at all.
    """

    def __init__(
        self,
        clock_interval: float = 0.04,
        *,
        inputs: Iterable[BasePipe] | None = None,
        outputs: Iterable[BasePipe] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(inputs, outputs, name=name)
        _check_seconds(self, "clock_interval", clock_interval)
        self.clock_interval = clock_interval
        self.ticks = 0

    def run(self, *values: Any) -> Any:
        """Wait for the next tick and return its number, or what came in."""
        if self.clock_interval:
            self.pace(interval=self.clock_interval, catch_up=False)
        self.ticks += 1
        return values or self.ticks


def _check_seconds(job: PythonJob, setting: str, value: object) -> None:
    if not isinstance(value, int | float) or not 0 <= value < float("inf"):  # false for NaN
        raise JobDefinitionError(
            f"wrong {setting}",
            where=f"job {job.name}",
            expected="a finite number of seconds, 0 or more",
            found=repr(value),
        )
