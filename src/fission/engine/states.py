"""The states of jobs that run elsewhere, kept on this machine in files until they are not needed any more.

A *state* is what a job's process wrote at a checkpoint; an entry says after which round it is the job's state. Several
entries may have the same state. Whoever fences a job wants its entries, and from then on nothing counts that an older
incarnation of it still sends.

```
<folder>/<network>/<run>/<job>/<digest>       the states
<folder>/<network>/<run>/<job>/index.json     the entries, and the oldest incarnation that is listened to
```
"""

import contextlib
import json
import os
import re
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fission.errors import RunError

_LONGEST_NAME = 200
"""Bytes of a name in UTF-8: it is the name of a folder."""
_DIGEST = re.compile(r"[0-9a-f]{8,128}")


def _is_name(name: object) -> bool:
    """Whether it is a Python identifier, or would be one if it began with a letter (as runs do not)."""
    return (
        isinstance(name, str)
        and bool(name)
        and f"_{name}".isidentifier()
        and len(name.encode()) <= _LONGEST_NAME
    )


@dataclass(frozen=True, slots=True)
class StateKey:
    """Whose states they are. Raises RunError for names that cannot be."""

    network: str
    run: str
    job: int

    def __post_init__(self) -> None:
        if not (_is_name(self.network) and _is_name(self.run) and type(self.job) is int):
            raise RunError("such a job cannot be", found=ascii((self.network, self.run, self.job))[:200])


@dataclass(frozen=True, slots=True, order=True)
class StateEntry:
    """After round `round` of `epoch` the job's state is the one with this digest."""

    epoch: int
    round: int
    digest: str
    size: int


class StateStore:
    """All methods block for as long as the disk takes; any thread may call them.

    Raises RunError when the disk does not do what it should. One process at a time uses a folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._locks: dict[StateKey, threading.Lock] = {}

    def put(
        self,
        key: StateKey,
        incarnation: int,
        entry: StateEntry,
        needed_from: tuple[int, int],
        data: bytes | None,
    ) -> bool:
        """Keep an entry, with its state unless that is here already; False: the state is needed, too.

        Entries before the one that is the job's state at `needed_from` are forgotten. Raises RunError when a newer
        incarnation of the job is known.
        """
        if not _DIGEST.fullmatch(entry.digest):
            raise RunError("a state has a strange digest", found=ascii(entry.digest)[:100])
        with self._told(), self._lock(key):
            oldest, entries = self._read(key)
            if incarnation < oldest:
                raise RunError(
                    f"job {key.job} has a newer incarnation",
                    expected=f"{oldest} or later",
                    found=str(incarnation),
                )
            path = self._path(key) / entry.digest
            if data is None and not path.exists():
                return False
            self._path(key).mkdir(mode=0o700, parents=True, exist_ok=True)
            if data is not None:
                self._write(path, data)
            entries = sorted({entry, *entries})
            first = max(
                (i for i, one in enumerate(entries) if (one.epoch, one.round) <= needed_from), default=0
            )
            self._save(key, max(oldest, incarnation), entries[first:])
            self._remove_unused(key, entries[first:])
            return True

    def fence(self, key: StateKey, incarnation: int) -> tuple[StateEntry, ...]:
        """Return the entries of a job, oldest first, and refuse all incarnations before this one from now on."""
        with self._told(), self._lock(key):
            oldest, entries = self._read(key)
            if incarnation > oldest:
                self._path(key).mkdir(mode=0o700, parents=True, exist_ok=True)
                self._save(key, incarnation, entries)
            return tuple(entries)

    def get(self, key: StateKey, digest: str) -> bytes:
        """Return a state. Raises RunError when it is not here or not whole."""
        with self._told(), self._lock(key):
            sizes = {entry.size for entry in self._read(key)[1] if entry.digest == digest}
            data = (self._path(key) / digest).read_bytes() if sizes else b""
        if len(data) not in sizes:
            raise RunError(
                "no such state is here", where=f"job {key.job} of network {key.network}", found=digest
            )
        return data

    def keep_runs(self, network: str, runs: Iterable[str]) -> None:
        """Forget all runs of a network but these."""
        wanted = set(runs)
        with contextlib.suppress(OSError):
            for path in (self._folder / network).iterdir():
                if path.name not in wanted:
                    shutil.rmtree(path, ignore_errors=True)
        with self._guard:
            for key in [key for key in self._locks if key.network == network and key.run not in wanted]:
                if not self._locks[key].locked():
                    del self._locks[key]

    # -- inside ------------------------------------------------------------------------------------------

    def _path(self, key: StateKey) -> Path:
        return self._folder / key.network / key.run / str(key.job)

    def _lock(self, key: StateKey) -> threading.Lock:
        """Who holds it is alone with a job's files."""
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def _read(self, key: StateKey) -> tuple[int, list[StateEntry]]:
        path = self._path(key) / "index.json"
        try:
            plain = json.loads(path.read_bytes())
            return plain["oldest"], [StateEntry(**entry) for entry in plain["entries"]]
        except FileNotFoundError:
            return 0, []
        except (ValueError, KeyError, TypeError) as error:  # not "nothing is kept": that would lose the state
            raise RunError(
                "the list of a job's states is damaged", where=str(path), found=ascii(error)[:200]
            ) from error

    def _save(self, key: StateKey, oldest: int, entries: list[StateEntry]) -> None:
        plain = {"oldest": oldest, "entries": [asdict(entry) for entry in entries]}
        self._write(self._path(key) / "index.json", json.dumps(plain).encode())

    def _write(self, path: Path, data: bytes) -> None:
        draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.draft")
        try:
            draft.write_bytes(data)
            os.replace(draft, path)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise

    def _remove_unused(self, key: StateKey, entries: list[StateEntry]) -> None:
        used = {entry.digest for entry in entries} | {"index.json"}
        for path in self._path(key).iterdir():
            if path.name not in used:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"a state cannot be kept or read: {error.strerror or error}", where=str(self._folder)
            ) from error
