"""The client's decisions on disk, so that another client can continue after this one was killed.

One file per network: a first line with format, size and checksum, then the coordinator's snapshot as JSON. A write goes to
another file, which replaces it: a write that was cut off is as if it had never begun. A file that was changed otherwise is an
error.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fission.errors import RunError

NAME = "journal"
_FORMAT = b"fission-journal-1"
_REMEDY = "Free space, or make the folder writable; `run` takes over what goes on on nodes"
_BROKEN = "Remove the file if no job of the network runs any more; `run --fresh` does so"


class Journal:
    """The journal of one network, in `folder`, which is created. `read` once, `write` before each action.

    Raises RunError when the file cannot be used. A killed process loses nothing; a power cut may damage what was written in
    the seconds before, which `read` reports.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._problem = ""  # why the last snapshot was not written
        with self._told("made"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self) -> Mapping[str, Any] | None:
        """Return the last snapshot; None when there is none."""
        with self._told("read"):
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                return None
        head, _, body = data.partition(b"\n")
        if head != _head(body):
            raise RunError("the journal is damaged", where=str(self.path), hint=_BROKEN)
        snapshot = json.loads(body)
        if not isinstance(snapshot, dict):
            raise RunError("this is no journal of ours", where=str(self.path), hint=_BROKEN)
        return snapshot

    def write(self, snapshot: Mapping[str, Any], *, needed: bool = True) -> str:
        """Replace the last snapshot. If it is not `needed`, return why it cannot be written, once, instead of raising that."""
        try:
            with self._told("written"):
                self._replace(json.dumps(snapshot).encode())
        except RunError as error:
            if needed:
                raise
            text, self._problem = "" if self._problem else str(error), str(error)
            return text
        self._problem = ""
        return ""

    def _replace(self, body: bytes) -> None:
        new = self.path.with_name(f"{NAME}.new")
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write(_head(body) + b"\n" + body)
            os.replace(new, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            raise

    def clear(self) -> None:
        """Remove the snapshot: the network has ended."""
        with self._told("removed"):
            self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn errors of the file system into a RunError."""
        try:
            yield
        except OSError as error:
            raise RunError(
                f"the journal cannot be {what}: {error.strerror or error}", where=str(self.path), hint=_REMEDY
            ) from error


def _head(body: bytes) -> bytes:
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    return b"%s %d %s" % (_FORMAT, len(body), digest.encode())


def left_running(folder: Path) -> bool:
    """Return whether an interrupted run has left its journal in this private folder, which must be unused. Raises RunError."""
    return folder.is_dir() and Journal(folder).read() is not None


def remove_journal(folder: Path) -> None:
    """Remove a journal that is unusable or no longer needed. Raises RunError."""
    Journal(folder).clear()
