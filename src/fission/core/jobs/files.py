"""Files of sinks: after a restart they are truncated to their length at the checkpoint."""

from __future__ import annotations

from fission.errors import RunError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from io import FileIO
    from typing import Any

__all__ = ["CSVFile", "SinkFile"]


class SinkFile:
    """A file that a job appends to, and that is part of the state of the job. Call `write`, and `close` at the end.

    Open it in `setup` with `resumed=self.resumed`, and keep it in an attribute of the job. The data is in the file when
    `write` returns. When the job is restarted, its checkpoint truncates the file to the length at that time, and what came
    later is written again. Without a checkpoint, a `resumed` file is appended to; any other is emptied.

    `where` names the job in errors.
    """

    def __init__(self, path: str, *, where: str, resumed: bool = False) -> None:
        self.path = path
        self.where = where
        self._file = self._open()
        if not resumed:
            self.cut(0)

    def write(self, data: bytes) -> None:
        """Append these bytes, or nothing. Raises RunError, for example when the disk is full."""
        before = self.size
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            self.cut(before)
            raise self._unwritable(error, "Is the disk full? What was written before is whole") from error

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        return self._file.seek(0, 2)

    def cut(self, size: int) -> None:
        """Truncate the file to this length."""
        self._file.truncate(size)

    def close(self) -> None:
        """Close the file; it may be closed already."""
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "where": self.where, "size": self.size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path, self.where, size = state["path"], state["where"], state["size"]
        self._file = self._open()
        if self.size < size:
            raise RunError(
                "a file is shorter than it was",
                where=f"{self.where}, {self.path}",
                expected=f"{size} bytes at least, which were written before the restart",
                found=f"{self.size} bytes",
                hint="Was it removed, or has the job been moved to another machine?",
            )
        self.cut(size)

    def _open(self) -> FileIO:
        try:
            return open(self.path, "a+b", buffering=0)
        except OSError as error:
            raise self._unwritable(error, "Does its folder exist?") from error

    def _unwritable(self, error: OSError, hint: str) -> RunError:
        return RunError(
            f"cannot write {self.path}", where=self.where, found=error.strerror or str(error), hint=hint
        )


class CSVFile(SinkFile):
    """A CSV file with a header; `add` appends a row."""

    def __init__(self, path: str, columns: Sequence[str], *, where: str, resumed: bool = False) -> None:
        super().__init__(path, where=where, resumed=resumed)
        self._prepare()
        if resumed:
            self._drop_incomplete_row()
        if not self.size:
            self.add(columns)

    def add(self, row: Iterable[Any]) -> None:
        """Append one row."""
        self._row(row)
        lines, self._lines.lines = self._lines.lines, []
        self.write("".join(lines).encode())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._prepare()

    def _prepare(self) -> None:
        from csv import writer  # noqa: PLC0415 - only in the process of a job that writes one

        self._lines = _Lines()
        self._row = writer(self._lines).writerow

    def _drop_incomplete_row(self) -> None:
        """Remove an incomplete last row."""
        end, step = self.size, 1 << 16
        while end:
            begin = max(0, end - step)
            self._file.seek(begin)
            found = self._file.read(end - begin).rfind(b"\n")
            if found >= 0:
                self.cut(begin + found + 1)
                return
            end = begin
        self.cut(0)


class _Lines:
    """Collects the lines that `csv` writes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines.append(text)
