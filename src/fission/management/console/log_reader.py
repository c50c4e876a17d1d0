"""Reads a log while it is written: all its files in order, then the records that are appended.

The writer renames the files when the newest one is full, at any moment; see `engine.client.records`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from fission.errors import ProjectError
from fission.management.console.records import Record, files_of, run_of

_CHUNK = 1 << 20


class LogReader:
    """`more()` returns the records that were added since the last call. A context manager.

    The reader begins with the last run, or with the oldest file if `whole`. The log need not exist yet. Raises ProjectError
    when it cannot be read.
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self._path = path
        self._open: list[BinaryIO] = []
        """Files to read, in order; the last one is still written."""
        self._partial = b""
        self._whole = whole
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for file in self._open:
            file.close()

    def more(self) -> Iterator[Record]:
        """Read the records that exist now."""
        if not self._started:
            self._start()
        while self._open:
            yield from self._read(self._open[0])
            if not self._switch_file():
                return

    def _start(self) -> None:
        files = _opened(self._path, None)
        if not files:
            return
        self._started = True
        if not self._whole:
            files = _last_run(files)
        self._open = files[::-1]

    def _read(self, file: BinaryIO) -> Iterator[Record]:
        while data := file.read(_CHUNK):
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                record = Record.decoded(line.decode("utf-8", "replace"))
                if record is not None:
                    yield record

    def _switch_file(self) -> bool:
        """Switch to the next file if the current one is complete; False when there is nothing more to read now."""
        if len(self._open) == 1:
            try:
                current = os.stat(self._path)
            except FileNotFoundError:
                return False
            if os.path.samestat(current, os.fstat(self._open[0].fileno())):
                return False
            # the file was renamed, and complete before that, but maybe not before the last read
            newer = _opened(self._path, self._open[0])
            self._open += newer[::-1]
            return True
        self._open.pop(0).close()
        self._partial = b""
        return True


def _opened(path: Path, until: BinaryIO | None) -> list[BinaryIO]:
    """Open the files of a log that are newer than `until`, the newest first.

    In this order no file is missed when files are renamed meanwhile; a file that appears again under its next name is
    skipped.
    """
    seen: set[tuple[int, int]] = set()
    found: list[BinaryIO] = []
    for each in files_of(path):
        try:
            file = open(each, "rb")  # noqa: SIM115 - the caller closes it
        except FileNotFoundError:
            continue
        except OSError as error:
            for one in found:
                one.close()
            raise ProjectError(
                f"the log cannot be read: {error.strerror or error}", where=str(each)
            ) from error
        if until is not None and _inode(file) == _inode(until):
            file.close()
            break
        if _inode(file) in seen:
            file.close()
            continue
        seen.add(_inode(file))
        found.append(file)
    return found


def _inode(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def _last_run(files: list[BinaryIO]) -> list[BinaryIO]:
    """Keep the files of the newest run and close the others. No file has records of two runs."""
    runs = [run_of(Path(f"/proc/self/fd/{file.fileno()}")) for file in files]
    count = next((i for i, run in enumerate(runs) if run != runs[0]), len(files))
    for file in files[count:]:
        file.close()
    return files[:count]
