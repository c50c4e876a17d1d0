"""The files of a folder to be copied: links are followed, bytecode caches are skipped."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fission.errors import ProjectError

IGNORED = "__pycache__"

Wanted = Callable[[str, os.DirEntry[str]], bool]
"""`wanted(path, entry)`: whether a file, or a folder with all that is in it, belongs to the tree."""


@dataclass(slots=True)
class Tree:
    """Files and folders by their path, with `/`, in the folder to be created."""

    files: dict[str, Path] = field(default_factory=dict)
    """The source of each file."""
    folders: set[str] = field(default_factory=set)
    """Folders without files."""
    left_out: list[str] = field(default_factory=list)
    """Paths that are neither files nor folders: sockets, pipes, devices."""

    def add_file(self, path: str, source: Path) -> None:
        """Add one file; it replaces an earlier one."""
        self.files[path] = source

    def add_folder(self, folder: Path, prefix: str = "", wanted: Wanted = lambda _path, _entry: True) -> None:
        """Add the contents of `folder` under `prefix` ("" or "some/path/"); they replace earlier files.

        Raises ProjectError for unreadable files, dangling links and circular links.
        """
        self._add(folder, prefix, wanted, frozenset())

    def copy(self, folder: Path) -> None:
        """Write everything into an existing folder, with its permissions. Raises OSError."""
        for path in sorted(self.folders):
            (folder / path).mkdir(parents=True, exist_ok=True)
        for path, source in sorted(self.files.items()):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)

    def _add(self, folder: Path, prefix: str, wanted: Wanted, above: frozenset[Path]) -> None:
        real = folder.resolve()
        if real in above:
            raise ProjectError("this link leads back into itself", where=str(folder))
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise unreadable(folder, error) from error
        for entry in entries:
            path = prefix + entry.name
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
                if entry.name == IGNORED or not wanted(path, entry):
                    continue
            except OSError as error:
                raise unreadable(Path(entry.path), error) from error
            if is_folder:
                self._add(Path(entry.path), f"{path}/", wanted, above | {real})
            elif is_file:
                self.files[path] = Path(entry.path)
            elif entry.is_symlink():
                raise ProjectError("this link leads nowhere", where=entry.path, found=os.readlink(entry.path))
            else:
                self.left_out.append(path)
        if prefix and not entries:
            self.folders.add(prefix[:-1])

    def settle(self) -> "Tree":
        """Remove folders that have files from `folders`; call it after everything was added.

        Raises ProjectError when one path is a file and a folder.
        """
        for path in (*self.files, *self.folders):
            for parent in _parents(path):
                self.folders.discard(parent)
                if parent in self.files:
                    raise ProjectError("this is a file and a folder at once", where=parent)
        return self


def unreadable(path: Path, error: OSError) -> ProjectError:
    """The error for a file or folder that cannot be read."""
    return ProjectError(f"it cannot be read: {error.strerror or error}", where=str(path))


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]
