"""Manifests: lists of files by content, as values that client and node exchange.

A listing names files by path and by the SHA-256 of what is in them; it does not contain them. Its own digest stands
for all of it, so a machine that has the contents of every digest in the list can build the folder, and one that
has them already gets nothing sent. What comes from the other side passes `from_plain`, which refuses
every path that could lead out of the folder.

`engine.bundles` lists the files of a project and sends them, `engine.store` keeps their contents on a node.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fission.errors import RunError
from fission.serialization import json_codec

CHUNK = 2 << 20
"""Bytes of a chunk that is read, sent and written."""

_MOST_ENTRIES = 200_000
_LONGEST_PATH = 1024
_LONGEST_NAME = 255
_HEX = frozenset("0123456789abcdef")


class ManifestError(RunError):
    """A received manifest that is invalid."""


@dataclass(frozen=True, slots=True)
class File:
    """One file: its path in the folder, with `/`; its size in bytes; its permissions; the SHA-256 of its content."""

    path: str
    size: int
    mode: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """Files of one folder in the order of their paths, and those of its folders that have no file in them."""

    files: tuple[File, ...] = ()
    folders: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The digest of the manifest: equal digests mean equal folders."""
        return hashlib.sha256(self.encoded()).hexdigest()

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(file.size for file in self.files)

    def contents(self) -> dict[str, int]:
        """The contents that the folder needs: digest to size, each once."""
        return {file.digest: file.size for file in self.files}

    def encoded(self) -> bytes:
        """Return the manifest as canonical bytes; `decoded` reads them."""
        return json.dumps(self.plain(), separators=(",", ":"), sort_keys=True).encode()

    def plain(self) -> dict[str, Any]:
        """Return the manifest as plain data; `from_plain` reads it."""
        files = [[file.path, file.size, file.mode, file.digest] for file in self.files]
        return {"files": files, "folders": list(self.folders)}


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def decoded(data: bytes) -> Manifest:
    """Read the bytes of `Manifest.encoded`. Raises ManifestError."""
    try:
        plain = json_codec.decode(data)
    except ValueError as error:
        raise ManifestError("the list of files is no JSON", found=str(error)) from error
    return from_plain(plain)


def from_plain(value: object) -> Manifest:
    """Read a received manifest. Raises ManifestError unless every path stays in the folder."""
    if not isinstance(value, Mapping) or set(value) != {"files", "folders"}:
        raise ManifestError("a list of files was expected", found=type(value).__name__)
    files = tuple(_file(entry) for entry in _list(value["files"]))
    folders = tuple(safe_path(path) for path in _list(value["folders"]))
    _check_tree([file.path for file in files], folders)
    _check_sizes(files)
    return Manifest(files, folders)


def safe_path(value: object) -> str:
    """Return a relative path that stays in its folder. Raises ManifestError for any other."""
    if not isinstance(value, str):
        raise ManifestError("the path of a file is no text", found=type(value).__name__)
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        length = _LONGEST_PATH + 1
    parts = value.split("/")
    if (
        length > _LONGEST_PATH
        or "\0" in value
        or any(part in ("", ".", "..") or len(part.encode()) > _LONGEST_NAME for part in parts)
    ):
        raise ManifestError(
            "the path of a file is not allowed",
            expected=f"a relative path of at most {_LONGEST_PATH} bytes that stays in its folder",
            found=ascii(value[:200]),
        )
    return value


def is_digest(value: object) -> bool:
    """Return whether a text has the form of a SHA-256 and may be a file name."""
    return isinstance(value, str) and len(value) == 64 and _HEX.issuperset(value)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) > _MOST_ENTRIES:
        raise ManifestError("a list of files was expected", expected=f"at most {_MOST_ENTRIES} entries")
    return list(value)


def _file(entry: object) -> File:
    if not isinstance(entry, list | tuple) or len(entry) != 4:
        raise ManifestError("an entry of a list of files is wrong", found=ascii(entry)[:200])
    path, size, mode, digest = entry
    if type(size) is not int or type(mode) is not int or size < 0 or not 0 <= mode <= 0o777:
        raise ManifestError("size or mode of a file is wrong", found=ascii(entry)[:200])
    if not is_digest(digest):
        raise ManifestError("the digest of a file is wrong", found=ascii(entry)[:200])
    return File(safe_path(path), size, mode, digest)


def _check_sizes(files: Iterable[File]) -> None:
    sizes: dict[str, int] = {}
    for file in files:
        if sizes.setdefault(file.digest, file.size) != file.size:
            raise ManifestError("one content has two sizes in a list of files", found=file.path)


def _check_tree(files: list[str], folders: tuple[str, ...]) -> None:
    """Check that every path occurs once, in order, and that no file contains another."""
    if files != sorted(files) or list(folders) != sorted(folders):
        raise ManifestError("a list of files is not in the order of the paths")
    names = set(files)
    if len(names | set(folders)) < len(files) + len(folders):
        raise ManifestError("a path stands in a list of files twice")
    for path in (*files, *folders):
        if names.intersection(_parents(path)):
            raise ManifestError("a path is a file and a folder at once", found=path)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def readable(size: float) -> str:
    """Format a number of bytes: "12.3 MB"."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of a folder. Raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
