"""Imports the modules of user code anew, from the folder of the project."""

import importlib
import sys
from pathlib import Path
from types import ModuleType


def import_config(root: Path, name: str) -> ModuleType:
    """Import `<name>.config` with the project's folder first on `sys.path`.

    Modules that were imported before under a name of the project, from this or another folder, are removed
    first, so that the current files count. Exceptions of user code are passed on.
    """
    forget(root)
    path = str(root)
    if path in sys.path:
        sys.path.remove(path)
    sys.path.insert(0, path)
    importlib.invalidate_caches()
    return importlib.import_module(f"{name}.config")


def forget(root: Path) -> None:
    """Remove the imported modules with the name of a folder or file of the project."""
    own = {entry.stem if entry.suffix == ".py" else entry.name for entry in root.iterdir()}
    own -= sys.stdlib_module_names | {"fission", "__main__"}
    own = {name for name in own if not _installed(sys.modules.get(name))}
    for name in list(sys.modules):
        if name.partition(".")[0] in own:
            del sys.modules[name]


def _installed(module: ModuleType | None) -> bool:
    return "-packages" in (getattr(module, "__file__", None) or "")
