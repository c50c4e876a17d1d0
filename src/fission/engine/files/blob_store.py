"""A content-addressed store: files by their SHA-256, complete ones and partly received ones."""

import contextlib
import errno
import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fission.engine.files.manifest import ManifestError, free_bytes, hash_file, is_digest, readable
from fission.errors import RunError

_SPARE = 64 << 20
"""Bytes that stay free on the disk for the node itself."""


class NoRoomError(RunError):
    """The disk of a node is too full."""


@dataclass(slots=True)
class _Arriving:
    """A partly received content: its size so far, and the hash of that."""

    have: int = 0
    hash: Any = field(default_factory=hashlib.sha256)


class BlobStore:
    """Stores contents in `folder`, which exists and belongs to this process alone.

    A content is complete when its hash matches, and only then gets its name; so nothing needs to be synced, and after a crash
    whatever has a name is read once before it is trusted. May be used by several threads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole = folder / "whole"
        self._parts = folder / "parts"
        self._whole.mkdir(exist_ok=True)
        self._parts.mkdir(exist_ok=True)
        self._trusted: set[str] = set()
        self._arriving: dict[str, _Arriving] = {}
        self._writing = threading.Lock()

    def find(self, digest: str, size: int) -> Path | None:
        """Return the file with this content, None unless it is complete. Raises RunError."""
        path = self._whole / digest
        try:
            if path.stat().st_size == size and (digest in self._trusted or hash_file(path) == digest):
                self._trusted.add(digest)
                return path
            path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._failed(error) from error
        self._trusted.discard(digest)
        return None

    def have(self, digest: str, size: int) -> int:
        """Return the received bytes of a content; only for one that `find` does not find. Raises RunError."""
        try:
            with self._writing, contextlib.suppress(FileNotFoundError):
                path = self._parts / digest
                found = path.stat().st_size
                if found < size and path.is_file():
                    return found
                self._forget(digest)  # a complete one would have been renamed
        except OSError as error:
            raise self._failed(error) from error
        return 0

    def put(self, digest: str, size: int, offset: int, data: bytes) -> bool:
        """Append a part of a content; False when it does not continue the received bytes, or the hash is wrong.

        Then ask `find` and `have` again. A part that is there already is passed over. Raises ManifestError for what
        cannot belong to it, NoRoomError, RunError.
        """
        if not is_digest(digest) or offset < 0 or offset + len(data) > size:
            raise ManifestError(
                "a part of a content is outside of it", found=f"{offset}+{len(data)} of {size}"
            )
        with self._writing:
            if self.find(digest, size) is not None:
                return True
            try:
                arriving = self._resume(digest)
                if offset > arriving.have:
                    return False
                self._append(digest, arriving, data[arriving.have - offset :])
                return arriving.have < size or self._complete(digest, arriving)
            except OSError as error:
                self._arriving.pop(digest, None)
                raise self._failed(error) from error

    def check_room(self, size: int, folder: Path | None = None) -> None:
        """Raise NoRoomError unless `size` more bytes fit on the disk of `folder` (or of this store)."""
        place = folder or self._folder
        free = free_bytes(place)
        if size and size + _SPARE > free:
            raise NoRoomError(
                "there is not enough room for the files of the network",
                where=str(place),
                expected=f"{readable(size)} and {readable(_SPARE)} to spare",
                found=f"{readable(free)} free",
            )

    def sizes(self) -> dict[str, int]:
        """Return the bytes on disk of every content, partial or complete. Raises OSError."""
        found: dict[str, int] = {}
        for folder in (self._whole, self._parts):
            for entry in os.scandir(folder):
                with contextlib.suppress(FileNotFoundError):
                    found[entry.name] = found.get(entry.name, 0) + entry.stat().st_size
        return found

    def remove(self, digest: str) -> None:
        """Remove a content. Raises OSError."""
        with self._writing:
            self._trusted.discard(digest)
            (self._whole / digest).unlink(missing_ok=True)
            self._forget(digest)

    def _resume(self, digest: str) -> _Arriving:
        arriving = self._arriving.get(digest)
        if arriving is None:
            arriving = _Arriving()
            with contextlib.suppress(FileNotFoundError), (self._parts / digest).open("rb") as file:
                arriving.hash = hashlib.file_digest(file, "sha256")
                arriving.have = file.tell()
            self._arriving[digest] = arriving
        return arriving

    def _append(self, digest: str, arriving: _Arriving, data: bytes) -> None:
        with (self._parts / digest).open("ab") as file:
            file.write(data)
        arriving.hash.update(data)
        arriving.have += len(data)

    def _complete(self, digest: str, arriving: _Arriving) -> bool:
        if arriving.hash.hexdigest() != digest:
            self._forget(digest)
            return False
        os.replace(self._parts / digest, self._whole / digest)
        self._arriving.pop(digest)
        self._trusted.add(digest)
        return True

    def _forget(self, digest: str) -> None:
        self._arriving.pop(digest, None)
        (self._parts / digest).unlink(missing_ok=True)

    def _failed(self, error: OSError) -> RunError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NoRoomError("the disk is full", where=str(self._folder))
        what = f"the files of networks cannot be kept: {error.strerror or error}"
        return RunError(what, where=str(error.filename or self._folder))
