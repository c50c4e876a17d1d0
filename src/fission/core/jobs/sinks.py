"""Sinks that write one file on the client."""

from __future__ import annotations

from fission.core.jobs.base import LocalJob
from fission.core.jobs.files import CSVFile, SinkFile
from fission.core.jobs.python import PythonJob
from fission.errors import JobDefinitionError, OutputError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from fission.core.pipes.base import BasePipe

__all__ = ["CSVSinkJob", "FileSinkJob"]


class OneFileJob(LocalJob, PythonJob):
    """Base of the sinks that write one file: opened in `setup`, closed in `teardown`, part of the job's state."""

    def __init__(
        self,
        path: str | Path,
        inputs: Iterable[BasePipe] | None = None,
        *,
        outputs: Iterable[BasePipe] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(inputs, outputs, name=name)
        self.path = str(path)
        self._file: SinkFile | None = None

    def _open(self) -> SinkFile:
        """Return the file; a subclass may open another kind of file."""
        return SinkFile(self.path, where=f"job {self.name}", resumed=self.resumed)

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Open the file."""
        super().setup(*args, **kwargs)
        self._file = self._open()

    def teardown(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        super().teardown()


class CSVSinkJob(OneFileJob):
    """Writes a CSV file: a header, then one row per round with one column per input.

    `path` is relative to the job's folder. `col_pattern` makes the header: a format string in which `pipe` is
    the input's pipe. Runs on the client. A row is in the file when its round is over; after a restart no row is
    missing and none comes twice.
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
        super().__init__(path, inputs, outputs=outputs, name=name)
        self.col_pattern = col_pattern
        self.columns()

    def columns(self) -> list[str]:
        """Return the header. Raises JobDefinitionError when `col_pattern` does not work."""
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

    def _open(self) -> CSVFile:
        return CSVFile(self.path, self.columns(), where=f"job {self.name}", resumed=self.resumed)

    def run(self, *values: Any) -> None:
        """Write one row."""
        if isinstance(self._file, CSVFile):
            self._file.add(values)


class FileSinkJob(OneFileJob):
    """Writes blocks of bytes or text (as UTF-8) to one file: round after round, input after input, without separators.

    `path` is relative to the job's folder. Runs on the client. After a restart nothing is missing and nothing comes twice.
    """

    def run(self, *values: Any) -> None:
        """Write the blocks of one round; nothing for an optional input without a value."""
        parts: list[bytes] = []
        for pipe, value in zip(self.inputs, values, strict=True):
            blocks = value if pipe.BLOCK_COUNT > 1 else (value,)
            parts += [self._bytes(block, pipe) for block in blocks if block is not None]
        if self._file is not None:
            self._file.write(b"".join(parts))

    def _bytes(self, block: Any, pipe: BasePipe) -> bytes:
        if isinstance(block, str):
            return block.encode()
        try:
            return bytes(memoryview(block))
        except (TypeError, ValueError):
            raise OutputError(
                "a block cannot be written to a file",
                where=f"job {self.name}, {pipe}",
                expected="bytes or text",
                found=type(block).__name__,
                hint="Return bytes from the job before it, or use CSVSinkJob",
            ) from None
