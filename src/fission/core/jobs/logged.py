"""Jobs that report their load in every round, and the sink that writes these reports to a file."""

from __future__ import annotations

from time import time
from types import GeneratorType

from fission.core.jobs.files import CSVFile
from fission.core.jobs.python import PythonJob
from fission.core.jobs.sinks import OneFileJob
from fission.errors import JobDefinitionError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from psutil import Process

    from fission.core.pipes.base import BasePipe

__all__ = ["LoggingJob", "LoggingSinkJob"]

COLUMNS = ("name", "pid", "counter", "cpu_percent", "memory_percent", "time_in", "time_out")


class LoggingJob(PythonJob):
    """A job that sends one row per round to an additional output, its last: `logging_output`.

    A row is a list: name, process id, number of the round, CPU and memory of the process in percent, and the
    times (seconds since 1970) at which the round began and ended. Without `logging_output` nothing is added.

    Override `run_job` instead of `run`, `setup_job` instead of `setup` and `init_job` instead of `__init__`.
    The pipe of the rows is the last of `self.outputs`; `run_job` returns values for the others.
    """

    _UNSAVED = PythonJob._UNSAVED | {"_process", "_values"}

    def __init__(
        self,
        *args: Any,
        inputs: Iterable[BasePipe] | None = None,
        outputs: Iterable[BasePipe] | None = None,
        logging_output: BasePipe | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        extra = [] if logging_output is None else [logging_output]
        super().__init__(inputs, [*(outputs or ()), *extra], name=name)
        self.logging_output = logging_output
        self.counter = 0
        self._process: Process | None = None
        self._values: GeneratorType[Any, None, Any] | None = None
        self.init_job(*args, **kwargs)

    def init_job(self, *args: Any, **kwargs: Any) -> None:
        """Receive the arguments that `LoggingJob` does not use; for overriding."""

    def setup_job(self, *args: Any, **kwargs: Any) -> None:
        """Prepare for the first round, on the node; for overriding."""

    def run_job(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - any signature may override it
        """Compute one round, as `PythonJob.run`; for overriding."""
        raise JobDefinitionError(
            "there is no run_job",
            where=f"job {self.name}",
            hint=f"Write a method run_job in {type(self).__name__}",
        )

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Start measuring, then call `setup_job`."""
        from psutil import Process  # noqa: PLC0415 - only in the process of a job that needs it

        super().setup(*args, **kwargs)
        self._process = Process()
        self._process.cpu_percent()
        self.setup_job(*args, **kwargs)

    def run(self, *args: Any) -> Any:
        """Call `run_job` and add the row."""
        time_in = time()
        value = self.run_job(*args) if self._values is None else None
        if isinstance(value, GeneratorType):
            self._values = value
        if self._values is not None:
            try:
                value = next(self._values)
            except StopIteration:
                self.finish()
                return None
        self.counter += 1
        if self.logging_output is None or self._process is None:
            return value
        row = [
            self.name,
            self._process.pid,
            self.counter,
            self._process.cpu_percent(),
            self._process.memory_percent(),
            time_in,
            time(),
        ]
        others = len(self.outputs) - 1
        if not others:
            return (row,)
        if value is None:
            return None
        values = value if isinstance(value, tuple) else (value,) * others
        return (*values, row)


class LoggingSinkJob(OneFileJob):
    """Writes the rows of `LoggingJob`s, one input each, to a CSV file. Runs on the client."""

    def _open(self) -> CSVFile:
        return CSVFile(self.path, COLUMNS, where=f"job {self.name}", resumed=self.resumed)

    def run(self, *values: Any) -> None:
        """Write one row per block; nothing for an optional input without a value."""
        for pipe, value in zip(self.inputs, values, strict=True):
            for row in value if pipe.BLOCK_COUNT > 1 else (value,):
                if row is not None and isinstance(self._file, CSVFile):
                    self._file.add(row)
