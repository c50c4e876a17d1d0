"""Reading a log that is being written: all its files in order, and what comes afterwards.

The files may be renamed at any moment, when the newest one is full; see `engine.records`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from fission.engine.client.records import Record, files_of, run_of

_CHUNK = 1 << 20


class LogReader:
    """`more()` returns the records that have been added since. A context manager.

    It begins with the last run, or with `whole` at the oldest file there is. What need not be there yet: the log.
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self._path = path
        self._open: list[BinaryIO] = []
        """Files to be read, in order; the last one is still being written."""
        self._begun = b""
        self._whole = whole
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for file in self._open:
            file.close()

    def more(self) -> Iterator[Record]:
        """Read what there is now."""
        if not self._started:
            self._start()
        while self._open:
            yield from self._read(self._open[0])
            if not self._go_on():
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
            *lines, self._begun = (self._begun + data).split(b"\n")
            for line in lines:
                record = Record.decoded(line.decode("utf-8", "replace"))
                if record is not None:
                    yield record

    def _go_on(self) -> bool:
        """Go on with the next file if the one that was read is finished; False when there is nothing more now."""
        if len(self._open) == 1:
            try:
                current = os.stat(self._path)
            except FileNotFoundError:
                return False
            if os.path.samestat(current, os.fstat(self._open[0].fileno())):
                return False
            # it was renamed; it was finished before that, but perhaps not before we had read it
            newer = _opened(self._path, self._open[0])
            self._open += newer[::-1]
            return True
        self._open.pop(0).close()
        self._begun = b""
        return True


def _opened(path: Path, until: BinaryIO | None) -> list[BinaryIO]:
    """Open the files of a log, the newest first, as far as they are newer than `until`.

    In this order none is missed when they are renamed meanwhile; one that is met again under its next name is not taken twice.
    """
    seen: set[tuple[int, int]] = set()
    found: list[BinaryIO] = []
    for each in files_of(path):
        try:
            file = open(each, "rb")  # noqa: SIM115 - whoever gets it closes it
        except FileNotFoundError:
            continue
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
    """Keep the files of the run that the newest one is of, closing the others. No file has records of two runs."""
    runs = [run_of(Path(f"/proc/self/fd/{file.fileno()}")) for file in files]
    count = next((i for i, run in enumerate(runs) if run != runs[0]), len(files))
    for file in files[count:]:
        file.close()
    return files[:count]
