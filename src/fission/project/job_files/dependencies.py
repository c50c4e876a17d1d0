"""The dependencies of jobs: at most one folder, whose files are copied to the working directory, and modules."""

import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType
from typing import Any

from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.errors import ProjectError
from fission.project.job_files.tree import Tree


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The resolved entries of DEPENDENCIES of a job, and the entries that cannot be resolved."""

    folders: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    """Modules that are given by a path."""
    missing: tuple[str, ...] = ()
    wrong: tuple[object, ...] = ()


def find_dependencies(network: Network, job: BaseJob) -> Dependencies:
    """Resolve DEPENDENCIES of a job.

    A relative path is relative to the folder of the project, of the network, or of the package that defines the class
    (for classes of `shared`); the first that exists counts. Installed modules are not copied.
    """
    folders: list[Path] = []
    files: list[Path] = []
    missing: list[str] = []
    wrong: list[object] = []
    for entry in _entries(job.DEPENDENCIES):
        if isinstance(entry, ModuleType):
            files += _outside(entry, network)
        elif isinstance(entry, str | PathLike) and fspath(entry):
            path = _find(fspath(entry), network, job)
            if path is None:
                missing += [] if _is_module(fspath(entry)) else [fspath(entry)]
            else:
                (folders if path.is_dir() else files).append(path)
        else:
            wrong.append(entry)
    return Dependencies(tuple(folders), tuple(files), tuple(missing), tuple(wrong))


def dependency_tree(network: Network, job: BaseJob) -> Tree:
    """Return the files in the folder of a job when it starts. Raises ProjectError for what cannot be read.

    The files of a dependency folder are at the top, a package is a folder.
    """
    found = find_dependencies(network, job)
    tree = Tree()
    try:
        for source in found.folders:
            tree.add_folder(source)
        for source in found.files:
            if source.is_dir():
                tree.add_folder(source, f"{source.name}/")
            else:
                tree.add_file(source.name, source)
        return tree.settle()
    except ProjectError as error:
        raise ProjectError(f"its dependencies cannot be used: {error}", where=f"job {job.name}") from error


def install_dependencies(network: Network, job: BaseJob, folder: Path) -> None:
    """Copy what a job needs into `folder`, its working directory, which exists. Raises ProjectError."""
    tree = dependency_tree(network, job)
    try:
        tree.copy(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProjectError(
            f"its dependencies cannot be copied: {reason}",
            where=f"job {job.name}",
            found=str(error.filename or folder),
        ) from error


def _entries(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        yield from value
    elif value is not None:
        yield value


def _find(text: str, network: Network, job: BaseJob) -> Path | None:
    folder = Path(network.folder)
    package = type(job).__module__.partition(".")[0]
    for place in (folder.parent, folder, folder.parent / package):
        if (place / text).exists():
            return (place / text).resolve()
    return None


def _is_module(name: str) -> bool:
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _outside(module: ModuleType, network: Network) -> list[Path]:
    """Return the file of a module, or the folder of a package, that a job could not import otherwise."""
    file = getattr(module, "__file__", None)
    if not file or "." in module.__name__:
        return []
    path = Path(file).resolve()
    path = path.parent if path.name == "__init__.py" else path
    standard = path.is_relative_to(Path(sysconfig.get_path("stdlib")).resolve())
    installed = any(part.endswith("-packages") for part in path.parts)
    project = path.is_relative_to(Path(network.folder).parent)
    return [] if standard or installed or project else [path]
