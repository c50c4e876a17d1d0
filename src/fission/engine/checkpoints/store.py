"""The states of jobs that run elsewhere, kept on this machine in files until they are not needed any more.

A *state* is what a job's process wrote at a checkpoint; an entry says after which round it is the job's state. Several
entries may have the same state. Whoever fences a job wants its entries, and from then on nothing counts that an older
incarnation of it still sends.

```
<folder>/<network>/<run>/<job>/<digest>                           a state
<folder>/<network>/<run>/<job>/<epoch>-<round>-<digest>-<size>    an entry: an empty file
<folder>/<network>/<run>/<job>/from-<incarnation>                 the oldest incarnation that is listened to: empty, too
```

What is known is in the names, so there is no list that could be damaged: after a power cut a file is there or not, and a
state that is not as long as its entry says does not count.
"""

import contextlib
import logging
import os
import re
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fission.errors import RunError

_log = logging.getLogger(__name__)

LARGEST = 1 << 32
"""Bytes of a state."""
_LONGEST_NAME = 200
"""Bytes of a name in UTF-8: it is the name of a folder."""
_DIGEST = re.compile(r"[0-9a-f]{8,128}")
_ENTRY = re.compile(r"(\d+)-(\d+)-([0-9a-f]{8,128})-(\d+)", re.ASCII)
_FROM = re.compile(r"from-(\d+)", re.ASCII)


def _is_name(name: object) -> bool:
    """Whether it is a Python identifier, or would be one if it began with a letter (as runs do not)."""
    return (
        isinstance(name, str)
        and bool(name)
        and f"_{name}".isidentifier()
        and len(name.encode()) <= _LONGEST_NAME
    )


@dataclass(frozen=True, slots=True)
class CheckpointKey:
    """Whose states they are. Raises RunError for names that cannot be."""

    network: str
    run: str
    job: int

    def __post_init__(self) -> None:
        if not (_is_name(self.network) and _is_name(self.run) and type(self.job) is int):
            raise RunError("such a job cannot be", found=ascii((self.network, self.run, self.job))[:200])


@dataclass(frozen=True, slots=True, order=True)
class CheckpointEntry:
    """After round `round` of `epoch` the job's state is the one with this digest."""

    epoch: int
    round: int
    digest: str
    size: int

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.epoch}-{self.round}-{self.digest}-{self.size}"


class CheckpointStore:
    """All methods block for as long as the disk takes; any thread may call them.

    Raises RunError when the disk does not do what it should. One process at a time uses a folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts: Path | None = None
        self._guard = threading.Lock()
        self._locks: dict[CheckpointKey, threading.Lock] = {}

    def put(
        self,
        key: CheckpointKey,
        incarnation: int,
        entry: CheckpointEntry,
        needed_from: tuple[int, int],
        data: bytes | Path | None,
    ) -> bool:
        """Keep an entry, with its state unless that is here already; False: the state is needed, too.

        The state is given as such, or as a file that `draft` has named, which is moved to its place.
        Entries before the one that is the job's state at `needed_from` are forgotten. Raises RunError when a newer
        incarnation of the job is known.
        """
        _check(entry)
        with self._told(), self._lock(key):
            oldest, entries = self._read(key)
            if incarnation < oldest:
                raise RunError(
                    f"job {key.job} has a newer incarnation",
                    expected=f"{oldest} or later",
                    found=str(incarnation),
                )
            folder = self._path(key)
            if data is None and not _whole(folder, entry):
                return False
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if isinstance(data, Path):
                os.replace(data, folder / entry.digest)
            elif data is not None:
                self._write(folder / entry.digest, data)
            if incarnation > oldest:
                (folder / f"from-{incarnation}").touch()
            if entry not in entries:
                (folder / entry.name).touch()
            entries = sorted({entry, *entries})
            first = max(
                (i for i, one in enumerate(entries) if (one.epoch, one.round) <= needed_from), default=0
            )
            _tidy(folder, incarnation, entries[first:])
            return True

    def fence(self, key: CheckpointKey, incarnation: int) -> tuple[CheckpointEntry, ...]:
        """Return the entries of a job, oldest first, and refuse all incarnations before this one from now on."""
        with self._told(), self._lock(key):
            oldest, entries = self._read(key)
            folder = self._path(key)
            whole = [entry for entry in entries if _whole(folder, entry)]
            for entry in entries:
                if entry not in whole:
                    _log.warning("a state of job %d of %s is damaged: %s", key.job, key.network, entry.name)
            if incarnation > oldest:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                (folder / f"from-{incarnation}").touch()
            if folder.is_dir():
                _tidy(folder, max(oldest, incarnation), whole)
            return tuple(whole)

    def draft(self) -> Path:
        """Name a file for a state that comes bit by bit, to be given to `put`, or removed."""
        with self._told(), self._guard:
            if self._drafts is None:
                drafts = self._folder / ".drafts"  # no network has such a name
                shutil.rmtree(drafts, ignore_errors=True)  # what an earlier process has left
                drafts.mkdir(mode=0o700, parents=True)
                self._drafts = drafts
        return self._drafts / uuid.uuid4().hex

    def open(self, key: CheckpointKey, digest: str) -> BinaryIO:
        """Open the file of a state, to read it; close it. Raises RunError when it is not here or not whole."""
        with self._told(), self._lock(key):
            found = [entry for entry in self._read(key)[1] if entry.digest == digest]
            if found and _whole(self._path(key), found[0]):
                return (self._path(key) / digest).open("rb")
        raise RunError("no such state is here", where=f"job {key.job} of network {key.network}", found=digest)

    def networks(self) -> list[str]:
        """The networks of which something is here."""
        try:
            return [name for name in os.listdir(self._folder) if name.isidentifier()]
        except OSError:
            return []

    def keep_runs(self, network: str, runs: Iterable[str]) -> None:
        """Forget all runs of a network but these."""
        wanted = set(runs)
        with contextlib.suppress(OSError):
            for path in (self._folder / network).iterdir():
                if path.name not in wanted:
                    shutil.rmtree(path, ignore_errors=True)
            if not wanted:
                (self._folder / network).rmdir()
        with self._guard:
            for key in [key for key in self._locks if key.network == network and key.run not in wanted]:
                if not self._locks[key].locked():
                    del self._locks[key]

    # -- inside ------------------------------------------------------------------------------------------

    def _path(self, key: CheckpointKey) -> Path:
        return self._folder / key.network / key.run / str(key.job)

    def _lock(self, key: CheckpointKey) -> threading.Lock:
        """Who holds it is alone with a job's files."""
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def _read(self, key: CheckpointKey) -> tuple[int, list[CheckpointEntry]]:
        """The oldest incarnation that counts, and the entries, oldest first."""
        try:
            names = os.listdir(self._path(key))
        except FileNotFoundError:
            return 0, []
        entries = [match.groups() for match in map(_ENTRY.fullmatch, names) if match]
        oldest = max((int(match[1]) for match in map(_FROM.fullmatch, names) if match), default=0)
        return oldest, sorted(
            CheckpointEntry(int(e), int(r), digest, int(size)) for e, r, digest, size in entries
        )

    def _write(self, path: Path, data: bytes) -> None:
        draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.draft")
        try:
            draft.write_bytes(data)
            os.replace(draft, path)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"a state cannot be kept or read: {error.strerror or error}", where=str(self._folder)
            ) from error


def _check(entry: CheckpointEntry) -> None:
    """Raise RunError for an entry that cannot be kept."""
    if not _DIGEST.fullmatch(entry.digest):
        raise RunError("a state has a strange digest", found=ascii(entry.digest)[:100])
    if not all(type(number) is int and number >= 0 for number in (entry.epoch, entry.round, entry.size)):
        raise RunError("a state has a strange place", found=ascii(entry)[:200])
    if entry.size > LARGEST:
        raise RunError(
            "a state is too large to be kept elsewhere",
            expected=f"at most {LARGEST} bytes",
            found=f"{entry.size}",
            hint="Keep large things in files of the job, or set STATE to none",
        )


def _whole(folder: Path, entry: CheckpointEntry) -> bool:
    """Whether the state of an entry is here, with all its bytes."""
    try:
        return (folder / entry.digest).stat().st_size == entry.size
    except FileNotFoundError:
        return False


def _tidy(folder: Path, oldest: int, entries: list[CheckpointEntry]) -> None:
    """Remove all that does not belong to these entries."""
    wanted = {f"from-{oldest}", *(entry.name for entry in entries), *(entry.digest for entry in entries)}
    for name in os.listdir(folder):
        if name not in wanted:
            (folder / name).unlink(missing_ok=True)
