"""The three jobs of the chain, as a user writes them; each leaves report.json in its folder at the end."""

from collections.abc import Iterator
from typing import Any

from benchmarks.probe.process import Report
from benchmarks.probe.sink import Sink
from benchmarks.probe.source import Source
from benchmarks.workloads import Plan
from fission.core.jobs import PythonJob


class MeasuredSource(PythonJob):
    """Sends the blocks of the plan."""

    def __init__(self, plan: Plan, **ends: Any) -> None:
        super().__init__(**ends)
        self.plan = plan

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Make the source in the job's own process."""
        super().setup(*args, **kwargs)
        self.report = Report()
        self.source = Source(self.plan)

    def run(self) -> Iterator[Any]:
        """Yield the blocks; the end of the generator ends the job."""
        yield from self.source.blocks()

    def teardown(self) -> None:
        """Return how many blocks were sent."""
        self.report.write(self.source.result())


class Forward(PythonJob):
    """Hands on what it gets."""

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Remember when the process was ready."""
        super().setup(*args, **kwargs)
        self.report = Report()

    def run(self, block: Any) -> Any:
        """Return the block on."""
        return block

    def teardown(self) -> None:
        """Write memory and CPU time."""
        self.report.write({})


class MeasuredSink(PythonJob):
    """Checks and counts the blocks."""

    def __init__(self, plan: Plan, **ends: Any) -> None:
        super().__init__(**ends)
        self.plan = plan

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Make the sink in the job's own process."""
        super().setup(*args, **kwargs)
        self.report = Report()
        self.sink = Sink(self.plan)

    def run(self, block: Any) -> None:
        """Take one block."""
        self.sink.take(block)

    def teardown(self) -> None:
        """Write what was measured."""
        self.report.write(self.sink.result())
