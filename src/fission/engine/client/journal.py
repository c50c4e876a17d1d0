"""The client's decisions on disk, so that another client can continue after this one was killed.

One SQLite file per network, with one row: the coordinator's snapshot. SQLite sees to it that a write that was cut off
is as if it had never begun. The rows of earlier runs are overwritten.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fission.errors import RunError

_SCHEMA = "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), snapshot TEXT NOT NULL)"
_BROKEN = "Remove the file if no job of the network runs any more; `run --fresh` does so"


class Journal:
    """The journal of one network, in `folder`, which is created. `read` once, `write` before each action, finally `close`.

    Raises RunError when the file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.sqlite"
        with self._told():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=2)
            # WAL with NORMAL: a killed process loses nothing, and a commit does not wait for the disk.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)

    def read(self) -> Mapping[str, Any] | None:
        """Return the last snapshot; None when there is none."""
        with self._told():
            row = self._db.execute("SELECT snapshot FROM state").fetchone()
            snapshot = None if row is None else json.loads(row[0])
        if snapshot is not None and not isinstance(snapshot, dict):
            raise RunError("this is no journal of ours", where=str(self.path), hint=_BROKEN)
        return snapshot

    def write(self, snapshot: Mapping[str, Any]) -> None:
        """Replace the last snapshot."""
        with self._told():
            self._db.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (json.dumps(snapshot),))

    def clear(self) -> None:
        """Remove the snapshot: the network has ended."""
        with self._told():
            self._db.execute("DELETE FROM state")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn errors of the file system and of SQLite into a RunError."""
        try:
            yield
        except (OSError, sqlite3.Error, json.JSONDecodeError) as error:
            raise RunError(
                "the journal cannot be used", where=str(self.path), found=str(error), hint=_BROKEN
            ) from error


def left_running(folder: Path) -> bool:
    """Return whether an interrupted run has left its journal in this private folder, which must be unused. Raises RunError."""
    if not folder.is_dir():
        return False
    journal = Journal(folder)
    try:
        return journal.read() is not None
    finally:
        journal.close()


def remove_journal(folder: Path) -> None:
    """Remove a journal that is unusable or no longer needed."""
    for name in ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()
