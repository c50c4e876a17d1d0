"""The files that a node has received from its clients: stored by content, and assembled to folders.

```
<root>/.store/lock            held by the one process that uses the store
<root>/.store/whole, parts    contents by their SHA-256, see `engine.contents`
<root>/.store/lists           listings by their digest; the time of a file is that of its last use
<root>/.store/code            one folder for each listing of modules, shared by jobs, read-only, made anew in every run
```
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

from fission.engine.files.blob_store import BlobStore, NoRoomError
from fission.engine.files.locks import FolderLock
from fission.engine.files.manifest import Manifest, ManifestError, decoded, from_plain, is_digest
from fission.engine.protocol.interfaces import Plain
from fission.errors import RunError
from fission.runtime.checkpointing.writer import write_file

FOLDER = ".store"
BOUND = 4 << 30
"""The most bytes that files of earlier networks may occupy."""

_RECENT = 600.0
"""Seconds for which a requested manifest is retained, so that a start can follow."""
_COMPILE_SECONDS = 120.0
_COMPILER = """
import compileall, marshal, pathlib, py_compile, sys
folder, final = sys.argv[1:]
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
compileall.compile_dir(folder, quiet=2, stripdir=folder, prependdir=final, invalidation_mode=mode)
for path in pathlib.Path(folder).rglob("__pycache__/*.pyc"):
    try:
        marshal.loads(path.read_bytes()[16:])
    except (EOFError, ValueError, TypeError):
        path.unlink()
"""
"""Compiles the modules in a folder. On a full disk Python writes truncated files without an error; these are removed."""


class Store:
    """Stores files in `<root>/.store`; `root` is created if necessary. Close it at the end.

    `keep` names the manifests that jobs of this node use. Unused contents are collected when all take more
    than `bound` bytes, the longest unused first. All methods block, and may be called in threads.

    Raises RunError when the folder cannot be used, or another process uses it.
    """

    def __init__(self, root: Path, *, bound: int = BOUND) -> None:
        self._bound = bound
        self._kept: frozenset[str] = frozenset()
        self._expected: dict[str, int] = {}
        self._listings: dict[str, Manifest] = {}
        self._asked: dict[str, float] = {}
        self._built: set[str] = set()
        self._lock = threading.RLock()
        self._building = threading.Lock()
        folder = root / FOLDER
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = FolderLock(folder)
            self._lists = folder / "lists"
            self._code = folder / "code"
            remove_tree(self._code)
            self._lists.mkdir(exist_ok=True)
            self._code.mkdir()
            for path in self._lists.iterdir():
                if not is_digest(path.name):  # unfinished when the process crashed
                    path.unlink()
            self._contents = BlobStore(folder)
        except OSError as error:
            raise _failed(error, folder) from error

    def close(self) -> None:
        """Release the folder."""
        self._held.close()

    def keep(self, digests: Iterable[str]) -> None:
        """Set the manifests that are in use; they are not collected."""
        self._kept = frozenset(digests)

    def lacks(self, listings: Sequence[Plain]) -> list[tuple[str, int]]:
        """Return the missing contents, each with its received bytes; they are expected from now on.

        Raises ManifestError, NoRoomError, RunError.
        """
        missing: dict[str, int] = {}
        needed = 0
        for listing in [from_plain(plain) for plain in listings]:
            self._expect(listing)
            for digest, size in listing.contents().items():
                if digest not in missing and self._contents.find(digest, size) is None:
                    missing[digest] = self._contents.have(digest, size)
                    needed += size - missing[digest]
        if needed:
            self.collect()
            self._make_room(needed)
        return list(missing.items())

    def put(self, digest: Plain, offset: Plain, data: Plain) -> bool:
        """Append a part of an expected content; after False, call `lacks` again. Raises as `BlobStore.put`."""
        if type(digest) is not str or type(offset) is not int or not isinstance(data, bytes | bytearray):
            raise ManifestError("a part of a content is wrong", found=ascii((digest, offset))[:200])
        with self._lock:
            size = self._expected.get(digest)
        return size is not None and self._contents.put(digest, size, offset, bytes(data))

    def install(self, digest: str, folder: Path) -> None:
        """Copy the files of a manifest into an existing folder, and replace files of the same names.

        Raises RunError when that cannot be done, because a content is not here or else.
        """
        listing = self._recall(digest)
        try:
            self._make_room(listing.size, folder)
            self._copy(listing, folder)
        except OSError as error:
            raise _failed(error, folder) from error

    def code_path(self, digest: str) -> Path:
        """Return a folder with the modules of a manifest, for `sys.path`; its files are read-only.

        Raises RunError.
        """
        listing = self._recall(digest)
        path = self._code / digest
        with self._building:
            if digest not in self._built:
                try:
                    self._build(listing, path)
                except OSError as error:
                    raise _failed(error, path) from error
                self._built.add(digest)
        return path

    def collect(self, bound: int | None = None) -> None:
        """Remove unused contents, the longest unused first, until at most `bound` bytes are left."""
        bound = self._bound if bound is None else bound
        with self._lock, contextlib.suppress(OSError):
            self._collect(bound)

    def drop(self, digests: Iterable[str]) -> None:
        """Remove these manifests unless jobs use them, and the contents that no other one needs."""
        with self._lock, contextlib.suppress(OSError):
            using = {path.name: self._contents_of(path.name) for path in self._lists.iterdir()}
            for digest in (using.keys() & set(digests)) - self._kept:
                self._forget(digest, using)

    # -- inside ------------------------------------------------------------------------------------------

    def _expect(self, listing: Manifest) -> None:
        with self._lock:
            self._asked[listing.digest] = monotonic()
            self._listings[listing.digest] = listing
            self._expected |= listing.contents()
            try:
                write_file(self._lists / listing.digest, listing.encoded())
            except OSError as error:
                raise _failed(error, self._lists) from error

    def _recall(self, digest: str) -> Manifest:
        """Return the manifest with this digest, and mark it as used now."""
        if not is_digest(digest):
            raise ManifestError("the digest of a list of files is wrong", found=ascii(digest)[:200])
        with self._lock:
            self._asked[digest] = monotonic()
            if digest not in self._listings:
                try:
                    listing = decoded((self._lists / digest).read_bytes())
                except (OSError, ManifestError):
                    listing = None
                if listing is None or listing.digest != digest:
                    raise RunError("the files of this network are not here", found=digest[:12])
                self._listings[digest] = listing
            with contextlib.suppress(OSError):
                os.utime(self._lists / digest)
            return self._listings[digest]

    def _make_room(self, size: int, folder: Path | None = None) -> None:
        try:
            self._contents.check_room(size, folder)
        except NoRoomError:
            self.collect(0)
            self._contents.check_room(size, folder)

    def _copy(self, listing: Manifest, folder: Path) -> None:
        for path in listing.folders:
            _real_folder(folder, path)
        for file in listing.files:
            source = self._contents.find(file.digest, file.size)
            if source is None:
                raise RunError("a file of this network is not here", where=file.path)
            parent = _real_folder(folder, file.path.rpartition("/")[0])
            draft, name = tempfile.mkstemp(prefix=".fission-", dir=parent)
            os.close(draft)
            try:
                shutil.copyfile(source, name)
                os.chmod(name, file.mode | 0o600)
                os.replace(name, folder / file.path)
            except OSError:
                os.unlink(name)
                raise

    def _build(self, listing: Manifest, path: Path) -> None:
        draft = Path(tempfile.mkdtemp(dir=self._code))
        try:
            self._copy(listing, draft)
            compile_modules(draft, path)
            _forbid_writing(draft)
            draft.chmod(0o755)  # mkdtemp creates it private
            os.rename(draft, path)
        except BaseException:
            remove_tree(draft)
            raise

    def _collect(self, bound: int) -> None:
        sizes = self._contents.sizes()
        total = sum(sizes.values())
        listed = {path.name: path.stat().st_mtime for path in self._lists.iterdir()}
        kept = self._kept | {digest for digest, asked in self._asked.items() if monotonic() - asked < _RECENT}
        using = {digest: self._contents_of(digest) for digest in listed}
        for digest in sorted(listed.keys() - kept, key=listed.__getitem__):
            if total <= bound:
                break
            total -= sum(sizes.pop(content, 0) for content in self._forget(digest, using))
        for content in sizes.keys() - set().union(*using.values()):  # of a lost manifest
            self._contents.remove(content)

    def _forget(self, digest: str, using: dict[str, set[str]]) -> set[str]:
        """Remove a manifest and the contents that only it needs; return these. `using`: the needs of each manifest."""
        (self._lists / digest).unlink(missing_ok=True)
        self._listings.pop(digest, None)
        self._asked.pop(digest, None)
        self._built.discard(digest)
        remove_tree(self._code / digest)
        unused = using.pop(digest).difference(*using.values())
        for content in unused:
            self._expected.pop(content, None)
            self._contents.remove(content)
        return unused

    def _contents_of(self, digest: str) -> set[str]:
        try:
            listing = self._listings.get(digest) or decoded((self._lists / digest).read_bytes())
        except (OSError, ManifestError):
            return set()
        return set(listing.contents())


def remove_tree(folder: Path) -> None:
    """Remove a folder, if it is there. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _forbid_writing(folder: Path) -> None:
    """Make the files in a folder read-only, but not the folders, so that they can be removed."""
    for path, _folders, files in os.walk(folder):
        for name in files:
            file = os.path.join(path, name)
            os.chmod(file, os.stat(file).st_mode & 0o555 | 0o444)


def _real_folder(folder: Path, path: str) -> Path:
    """Create the folder `path` in `folder`; no part of it may be a link, which could lead outside."""
    for part in path.split("/") if path else ():
        folder /= part
        if folder.is_symlink():
            raise RunError("a link is in the place of a folder", where=str(folder))
        folder.mkdir(exist_ok=True)
    return folder


def compile_modules(folder: Path, final: Path) -> None:
    """Compile the modules ahead of the start of jobs; errors appear when a module is imported.

    In a process of its own: Python's compiler may run out of stack on what users write.
    """
    with contextlib.suppress(subprocess.SubprocessError, OSError):
        subprocess.run(  # noqa: S603 - this interpreter, on a folder of the store
            [sys.executable, "-I", "-c", _COMPILER, str(folder), str(final)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_COMPILE_SECONDS,
            check=False,
        )


def _failed(error: OSError, folder: Path) -> RunError:
    what = f"the files of a network cannot be kept: {error.strerror or error}"
    return RunError(what, where=str(error.filename or folder))
