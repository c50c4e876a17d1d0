"""Sinks that write files on the client."""

from __future__ import annotations

from fission.core.jobs.base import LocalJob
from fission.core.jobs.python import PythonJob
from fission.errors import JobDefinitionError, RunError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import IO, Any

    from fission.core.pipes.base import BasePipe

__all__ = ["CSVFile", "CSVSinkJob"]


class CSVFile:
    """A CSV file with a header. Call `write` for every row, at last `close`.

    `where` names in errors who writes it. An existing file is replaced.
    """

    def __init__(self, path: str, columns: Sequence[str], *, where: str) -> None:
        from csv import writer  # noqa: PLC0415 - only in the process of a job that writes one

        try:
            self._file: IO[str] = open(path, "w", newline="", encoding="utf-8")  # noqa: SIM115 - closed in `close`
        except OSError as error:
            raise RunError(
                f"cannot write {path}",
                where=where,
                found=error.strerror or str(error),
                hint="Does its folder exist?",
            ) from error
        self._row = writer(self._file).writerow
        self.write(columns)

    def write(self, row: Iterable[Any]) -> None:
        """Add one row and flush it."""
        self._row(row)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class CSVSinkJob(LocalJob, PythonJob):
    """Writes a CSV file: a header, then one row per round with one column per input.

    `path` is relative to the job's folder. `col_pattern` makes the header: a format string in which `pipe` is
    the input's pipe. Runs on the client.
    """

    def __init__(
        self,
        path: str | Path,
        inputs: Iterable[BasePipe] | None = None,
        col_pattern: str = "pipe_{pipe.id}",
        *,
        outputs: Iterable[BasePipe] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(inputs, outputs, name=name)
        self.path = str(path)
        self.col_pattern = col_pattern
        self.columns()
        self._csv: CSVFile | None = None

    def columns(self) -> list[str]:
        """Make the header. Raises JobDefinitionError when `col_pattern` does not work."""
        try:
            return [self.col_pattern.format(pipe=pipe) for pipe in self.inputs]
        except (AttributeError, LookupError, ValueError) as error:
            raise JobDefinitionError(
                "wrong col_pattern",
                where=f"job {self.name}",
                expected="a format string for `pipe`, such as 'pipe_{pipe.id}'",
                found=repr(self.col_pattern),
                hint=f"{type(error).__name__}: {error}",
            ) from error

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Write the header."""
        super().setup(*args, **kwargs)
        self._csv = CSVFile(self.path, self.columns(), where=f"job {self.name}")

    def run(self, *values: Any) -> None:
        """Write one row."""
        if self._csv is not None:
            self._csv.write(values)

    def teardown(self) -> None:
        """Close the file."""
        if self._csv is not None:
            self._csv.close()
            self._csv = None
        super().teardown()
