"""Jobs that are needed again and again: a counting source, a clock, forwarding and distributing."""

from __future__ import annotations

from time import monotonic, sleep

from fission.core.jobs.python import PythonJob
from fission.errors import JobDefinitionError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from fission.core.pipes.base import BasePipe

__all__ = ["ClockJob", "DistributingJob", "ForwardingJob", "SourceJob"]


class SourceJob(PythonJob):
    """Counts: `start`, `start + step`, ... with `delay` seconds between two values. After a restart it counts on.

    It does not wait again before values that have arrived already.
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
            value = self.next_value
            self.next_value = value + self.step
            yield value
            if self.delay and not self.repeating:
                sleep(self.delay)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class with a `run` of its own has a state of its own, and says itself what that is."""
        super().__init_subclass__(**kwargs)
        if "run" in vars(cls):
            for name in {"snapshot", "restore"} - vars(cls).keys():
                setattr(cls, name, None)

    def snapshot(self) -> Any:
        """What a restart needs to know: the value that comes next."""
        return self.next_value

    def restore(self, state: Any) -> None:
        """Go on with this value."""
        self.next_value = state


class ForwardingJob(PythonJob):
    """Hands every input to the output at the same place."""

    def run(self, *values: Any) -> Any:
        """Return what came in."""
        return values


class DistributingJob(PythonJob):
    """Hands its one input to all outputs."""

    def run(self, value: Any) -> Any:
        """Return the value once per output (it may be a tuple itself)."""
        return (value,) * len(self.outputs)


class ClockJob(PythonJob):
    """Computes one round per `clock_interval` seconds, without drift.

    Without inputs it numbers its ticks 1, 2, 3, ...; with inputs it is a `ForwardingJob` that sets the pace.
    A tick that comes late is not made up for: the next one is a whole interval after it. After a restart it does not wait
    for ticks that it has had.
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
        self._due = 0.0

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Start the clock: the first tick comes at once."""
        super().setup(*args, **kwargs)
        self._due = monotonic()

    def run(self, *values: Any) -> Any:
        """Wait for the next tick and return its number, or what came in."""
        now = monotonic()
        # never longer than an interval: `_due` may have been restored from another machine's clock
        wait = 0.0 if self.repeating else min(self._due - now, self.clock_interval)
        if wait > 0:
            sleep(wait)
            now += wait
        self._due = now + self.clock_interval
        self.ticks += 1
        return values or self.ticks


def _check_seconds(job: PythonJob, setting: str, value: object) -> None:
    if not isinstance(value, int | float) or not value >= 0:  # nor a NaN
        raise JobDefinitionError(
            f"wrong {setting}",
            where=f"job {job.name}",
            expected="seconds, 0 or more",
            found=repr(value),
        )
