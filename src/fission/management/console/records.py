"""Output and events of jobs on disk: one JSON object per line, in rotated files.

`log.jsonl` is the newest file, `log.jsonl.1` the one before, and so on; the oldest is removed. A thread writes, so that
a slow disk makes nobody wait.
"""

import datetime as dt
import json
import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from fission.management.console.log_files import RETRY_SECONDS, ends_within_line
from fission.serialization import json_codec

__all__ = ["LOG_NAME", "Record", "RecordFile", "files_of", "level_number", "run_of"]

LOG_NAME: Final = "log.jsonl"
"""Name of the newest file."""

_WAITING: Final = 16 << 20
"""The most characters that may be queued for the disk."""
_LAST_WORDS: Final = 3.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a log.

    `time` is seconds since 1970, `level` that of `logging`. `job` 0: it is about no single job. `stream` is "stdout" or
    "stderr" for what a job printed, "log" for all else. `run` names the run.
    """

    level: int
    text: str
    node: str = ""
    job: int = 0
    name: str = ""
    incarnation: int = 0
    stream: str = "log"
    run: str = ""
    time: float = field(default_factory=time.time)

    def encoded(self) -> str:
        """Return the record as a line without its end."""
        moment = dt.datetime.fromtimestamp(self.time, dt.UTC).isoformat(timespec="milliseconds")
        entry = {
            "time": moment.replace("+00:00", "Z"),
            "level": logging.getLevelName(self.level),
            "node": self.node,
            "job": self.job or None,
            "name": self.name,
            "incarnation": self.incarnation,
            "stream": self.stream,
            "text": self.text,
            "run": self.run,
        }
        return json.dumps(entry, ensure_ascii=False)

    @classmethod
    def decoded(cls, line: str) -> "Record | None":
        """Read a line; return None for one that is no record, for example cut by a crash."""
        try:
            entry = json_codec.decode(line)
            return cls(
                level_number(entry["level"]),
                str(entry["text"]),
                str(entry["node"]),
                int(entry["job"] or 0),
                str(entry["name"]),
                int(entry["incarnation"]),
                str(entry["stream"]),
                str(entry["run"]),
                dt.datetime.fromisoformat(entry["time"]).timestamp(),
            )
        except (ValueError, KeyError, TypeError):
            return None


def level_number(name: str) -> int:
    """Return the number of a level's name; custom levels are named "Level 25". Raises ValueError."""
    known = logging.getLevelNamesMapping().get(name)
    return int(name.removeprefix("Level ")) if known is None else known


def files_of(path: Path) -> list[Path]:
    """Return the files of a log, the newest first."""
    found = [path] if path.exists() else []
    number = 1
    while (older := _older(path, number)).exists():
        found.append(older)
        number += 1
    return found


def run_of(path: Path) -> str:
    """Return the run of the first record in a file. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:
        record = Record.decoded(file.readline())
    return "" if record is None else record.run


class RecordFile:
    """Writes records to `path` until `close`; keeps `count` files of about `size` bytes. Creating one does not touch the disk.

    With `by_run` no file has records of two runs: those of another run become an older file first. When the disk
    refuses, that is logged once, and records are dropped until it takes them again, which is tried every `RETRY_SECONDS`.
    """

    def __init__(self, path: Path, *, size: int = 8 << 20, count: int = 8, by_run: bool = False) -> None:
        self._path = path
        self._size = size
        self._count = count
        self._by_run = by_run
        self._run = ""
        self._file: TextIO | None = None
        self._written = 0
        self._waiting: deque[Record] = deque()
        self._characters = 0
        self._dropped = 0
        self._closed = False
        self._refused = ""
        self._retry_at = 0.0
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, record: Record) -> None:
        """Queue a record."""
        with self._change:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="fission-log", daemon=True)
                self._thread.start()
            if self._characters >= _WAITING:
                self._dropped += 1
                return
            if self._dropped:
                text = f"{self._dropped} lines were left out: the disk was too slow"
                self._waiting.append(Record(logging.WARNING, text, run=record.run))
                self._dropped = 0
            self._waiting.append(record)
            self._characters += len(record.text) + 100
            self._change.notify()

    def close(self) -> None:
        """Write the queued records, within seconds."""
        with self._change:
            self._closed = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS)

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._waiting and not self._closed:
                    self._change.wait()
                records = list(self._waiting)
                self._waiting.clear()
                self._characters = 0
            if not records:
                break
            self._write_all(records)
        self._drop_file()

    def _write_all(self, records: list[Record]) -> None:
        if time.monotonic() < self._retry_at:
            return
        try:
            for record in records:
                self._write(record)
            if self._file is not None:
                self._file.flush()
            self._refused = ""
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            reason = error.strerror or str(error)
            if reason != self._refused:
                self._refused = reason
                _log.warning("%s: the log cannot be written: %s. Records are dropped", self._path, reason)
            self._drop_file()

    def _drop_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:  # its buffered records are lost
                return

    def _write(self, record: Record) -> None:
        line = record.encoded() + "\n"
        other_run = self._by_run and record.run != self._run
        if self._file is None or other_run or (self._written and self._written + len(line) > self._size):
            self._open(record.run)
        if self._file is not None:
            self._file.write(line)
            self._written += len(line)

    def _open(self, run: str) -> None:
        """Open the newest file; rotate it if it is full or belongs to another run."""
        full = self._file is not None
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = self._path.stat().st_size if self._path.exists() else 0
        if size and (full or size >= self._size or (self._by_run and run_of(self._path) != run)):
            self._shift()
            size = 0
        self._run = run
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = open(handle, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - until it is full
        if ends_within_line(self._path):
            self._file.write("\n")
        self._written = size

    def _shift(self) -> None:
        for number in range(self._count - 1, 0, -1):
            newer = _older(self._path, number - 1) if number > 1 else self._path
            if newer.exists():
                os.replace(newer, _older(self._path, number))


def _older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
