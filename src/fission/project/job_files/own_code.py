"""The modules of the project, which jobs can import on every node."""

import os
from pathlib import Path

from fission.project.job_files.tree import Tree, unreadable
from fission.project.scaffold import MANAGE

LARGEST_DATA = 16 << 20
"""Bytes of a data file beside modules; a larger one belongs in DEPENDENCIES."""

MOST_DATA = 256 << 20
"""Bytes of all data files beside modules together."""

_NOT_AT_THE_ROOT = frozenset({"tests", "certs"})
_NOT_IN_A_NETWORK = frozenset({"tests", "certs", "simulation", "local", "collection"})
_SOURCE = "source"
_NEVER = (".pyc", ".log", ".key")
_PRIVATE_KEY = "key.pem"
_ENVIRONMENT = "pyvenv.cfg"
_NAMED = 5


def own_code(root: Path, *, without: Path | None = None) -> tuple[Tree, tuple[str, ...]]:
    """Collect the modules and packages in the folder of a project, with the data files beside them.

    That is every folder at the root with an importable name and a module in it, and every module at
    the root except manage.py. Excluded are: the file `without` (where a run writes its log), hidden files, virtual
    environments, tests, certificates and keys, logs, the folders that a run creates, and `source` folders, whose
    files are DEPENDENCIES of jobs.

    Returns the tree and warnings that name the data files that are too large. Raises ProjectError.
    """
    tree = Tree()
    try:
        _add_root(tree, root)
        tree.files = {path: source for path, source in tree.files.items() if source != without}
        large = _drop_large(tree)
    except OSError as error:
        raise unreadable(Path(error.filename or root), error) from error
    warnings = [f"{path} is not a file and is not copied" for path in tree.left_out]
    return tree.settle(), (*large, *warnings)


def _add_root(tree: Tree, root: Path) -> None:
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        name = entry.name
        if entry.is_dir() and name.isidentifier() and name not in _NOT_AT_THE_ROOT:
            if _is_environment(entry):
                continue
            package = Tree()
            package.add_folder(Path(entry.path), f"{name}/", _wanted)
            if any(path.endswith(".py") for path in package.files):
                tree.files |= package.files
                tree.folders |= package.folders
                tree.left_out += package.left_out
        elif name.endswith(".py") and name != MANAGE and not name.startswith(".") and entry.is_file():
            tree.add_file(name, Path(entry.path))


def _wanted(path: str, entry: os.DirEntry[str]) -> bool:
    name = entry.name
    if name.startswith(".") or name.endswith(_NEVER) or name == _PRIVATE_KEY:
        return False
    if not entry.is_dir():
        return True
    if path.count("/") == 1:
        if name in _NOT_IN_A_NETWORK:
            return False
        if name == _SOURCE and not os.path.exists(os.path.join(entry.path, "__init__.py")):
            return False
    return not _is_environment(entry)


def _is_environment(entry: os.DirEntry[str]) -> bool:
    return os.path.exists(os.path.join(entry.path, _ENVIRONMENT))


def _drop_large(tree: Tree) -> list[str]:
    """Remove data files that are too large: single files, then the largest until the total is small enough."""
    sizes = {path: source.stat().st_size for path, source in tree.files.items() if not path.endswith(".py")}
    dropped: list[str] = []
    room = MOST_DATA
    for path, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        room -= size
        if size > LARGEST_DATA or room < 0:
            dropped.append(path)
            del tree.files[path]
    if not dropped:
        return []
    more = f" and {len(dropped) - _NAMED} more" if len(dropped) > _NAMED else ""
    return [
        f"{', '.join(sorted(dropped)[:_NAMED])}{more} beside your modules: too large to be copied to every node "
        f"(one file may have {LARGEST_DATA >> 20} MiB, all together {MOST_DATA >> 20}); "
        "move them to a folder in DEPENDENCIES of the jobs that need them"
    ]
