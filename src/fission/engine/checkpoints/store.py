"""Checkpoints of jobs that other machines host, stored in files of this machine until they are not needed any more.

A *state* is what the process of a job has written at a checkpoint; an *entry* names the round after which the job had it.
Several entries may have the same state. Entries of epoch 0 have no state, but the log of the job's optional inputs; of these the
newest counts. A successor fences its job: it gets the entries, and from then on the store refuses
older incarnations.

```
<folder>/<network>/<run>/<job>/<digest>                                                 a state
<folder>/<network>/<run>/<job>/<epoch>-<round>-<digest>-<size>-<incarnation>-<code>     an entry: an empty file
<folder>/<network>/<run>/<job>/from-<incarnation>                                       the oldest incarnation accepted: empty
```

The names hold everything, so there is no index that could be damaged: after a power cut a file exists or not, and a state
that is not as long as its entry says does not count.
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
from fission.runtime.messages import LOG_EPOCH

_log = logging.getLogger(__name__)

LARGEST = 1 << 32
"""Bytes of a state."""
_LONGEST_NAME = 200
"""Bytes of a name in UTF-8: it is the name of a folder."""
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_LARGEST_NUMBER = 1 << 62
_CODE = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(r"(\d+)-(\d+)-([0-9a-f]{8,64})-(\d+)-(\d+)-([0-9a-f]{64})", re.ASCII)
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
    """The job whose checkpoints they are. Raises RunError for invalid names."""

    network: str
    run: str
    job: int

    def __post_init__(self) -> None:
        if not (_is_name(self.network) and _is_name(self.run) and type(self.job) is int):
            raise RunError(
                "this is not the name of a job", found=ascii((self.network, self.run, self.job))[:200]
            )


@dataclass(frozen=True, slots=True, order=True)
class CheckpointEntry:
    """After round `round` of `epoch` the job's state is the one with this digest.

    `incarnation` has written it; `code` authenticates the entry (see `authentication`).
    """

    epoch: int
    round: int
    digest: str
    size: int
    incarnation: int
    code: str

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.epoch}-{self.round}-{self.digest}-{self.size}-{self.incarnation}-{self.code}"


class CheckpointStore:
    """The checkpoints in one folder. All methods block while the disk works; any thread may call them.

    They raise RunError when the disk fails. One process at a time uses a folder.
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
        """Store an entry, and its state, which replaces a copy that is here; return False when the state is needed, too.

        `data` is the state, or a file that `draft` has named, which is moved to its place, or None when the state should be
        here already. Entries before the job's state at `needed_from` are removed. Raises RunError when a newer incarnation
        of the job is known.
        """
        _check(entry)
        with self._explained(), self._lock(key):
            oldest, entries = self._read(key)
            _refuse_older(key, incarnation, oldest)
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
            _tidy(folder, incarnation, _needed({entry, *entries}, needed_from))
            return True

    def fence(self, key: CheckpointKey, incarnation: int) -> tuple[CheckpointEntry, ...]:
        """Return the entries of a job, oldest first, and refuse all older incarnations from now on.

        Raises RunError when a newer incarnation is known.
        """
        with self._explained(), self._lock(key):
            oldest, entries = self._read(key)
            _refuse_older(key, incarnation, oldest)
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
        """Name a file for a state that arrives in pieces: give it to `put`, or remove it."""
        with self._explained(), self._guard:
            if self._drafts is None:
                drafts = self._folder / ".drafts"  # no network has such a name
                shutil.rmtree(drafts, ignore_errors=True)  # what an earlier process has left
                drafts.mkdir(mode=0o700, parents=True)
                self._drafts = drafts
        return self._drafts / uuid.uuid4().hex

    def open(self, key: CheckpointKey, digest: str) -> BinaryIO:
        """Open the file of a state for reading. Raises RunError when it is not here or not complete."""
        with self._explained(), self._lock(key):
            found = [entry for entry in self._read(key)[1] if entry.digest == digest]
            if found and _whole(self._path(key), found[0]):
                return (self._path(key) / digest).open("rb")
        raise RunError("no such state is here", where=f"job {key.job} of network {key.network}", found=digest)

    def networks(self) -> list[str]:
        """Return the networks that have checkpoints here."""
        try:
            return [name for name in os.listdir(self._folder) if name.isidentifier()]
        except OSError:
            return []

    def keep_runs(self, network: str, runs: Iterable[str]) -> None:
        """Remove the checkpoints of all runs of a network but these."""
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
        """Return the lock that guards the files of a job."""
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def _read(self, key: CheckpointKey) -> tuple[int, list[CheckpointEntry]]:
        """Return the oldest incarnation that is accepted, and the entries, oldest first."""
        try:
            names = os.listdir(self._path(key))
        except FileNotFoundError:
            return 0, []
        entries = [match.groups() for match in map(_ENTRY.fullmatch, names) if match]
        oldest = max((int(match[1]) for match in map(_FROM.fullmatch, names) if match), default=0)
        return oldest, sorted(
            CheckpointEntry(int(epoch), int(round), digest, int(size), int(incarnation), code)
            for epoch, round, digest, size, incarnation, code in entries
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
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"a state cannot be stored or read: {error.strerror or error}", where=str(self._folder)
            ) from error


def _refuse_older(key: CheckpointKey, incarnation: int, oldest: int) -> None:
    if incarnation < oldest:
        raise RunError(
            f"job {key.job} has a newer incarnation", expected=f"{oldest} or later", found=str(incarnation)
        )


def _check(entry: CheckpointEntry) -> None:
    """Raise RunError for an entry that cannot be stored."""
    if not _DIGEST.fullmatch(entry.digest):
        raise RunError("a state has an invalid digest", found=ascii(entry.digest)[:100])
    if not _CODE.fullmatch(entry.code):
        raise RunError("a checkpoint has an invalid authentication code", found=ascii(entry.code)[:100])
    numbers = (entry.epoch, entry.round, entry.size, entry.incarnation)
    if not all(type(number) is int and 0 <= number <= _LARGEST_NUMBER for number in numbers):
        raise RunError("a checkpoint has an invalid place", found=ascii(entry)[:200])
    if entry.size > LARGEST:
        raise RunError(
            "a state is too large to be stored elsewhere",
            expected=f"at most {LARGEST} bytes",
            found=f"{entry.size}",
            hint="Keep large things in files of the job, or set STATE to none",
        )


def _whole(folder: Path, entry: CheckpointEntry) -> bool:
    """Whether the state of an entry is here, with its full size."""
    try:
        return (folder / entry.digest).stat().st_size == entry.size
    except FileNotFoundError:
        return False


def _needed(entries: Iterable[CheckpointEntry], needed_from: tuple[int, int]) -> list[CheckpointEntry]:
    """Return the newest log of optional inputs, the job's state at `needed_from`, and all later states."""
    logs = [one for one in entries if one.epoch == LOG_EPOCH]
    states = sorted(one for one in entries if one.epoch != LOG_EPOCH)
    first = max((i for i, one in enumerate(states) if (one.epoch, one.round) <= needed_from), default=0)
    newest = max(logs, key=lambda one: (one.incarnation, one.round), default=None)
    return states[first:] if newest is None else [newest, *states[first:]]


def _tidy(folder: Path, oldest: int, entries: list[CheckpointEntry]) -> None:
    """Remove every file that does not belong to these entries."""
    wanted = {f"from-{oldest}", *(entry.name for entry in entries), *(entry.digest for entry in entries)}
    for name in os.listdir(folder):
        if name not in wanted:
            (folder / name).unlink(missing_ok=True)
