"""Which files of a project a module imports, directly and through others: found in their text, without running them."""

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["files_of"]


def files_of(root: Path, module: str) -> frozenset[str]:
    """Return the files of the project `root`, as relative paths, that are read when `module` is imported.

    Imports inside of functions count as well. A name that is built at run time is not seen. A module outside of the project
    has no files, and neither has one that cannot be read.
    """
    found: set[str] = set()
    waiting = [module]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file(root, name)
        parent = name.rpartition(".")[0]
        if parent:
            waiting.append(parent)
        if path is None:
            continue
        found.add(path.relative_to(root).as_posix())
        package = name if path.name == "__init__.py" else parent
        waiting += _imports(path, package)
    return frozenset(found)


def _file(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imports(path: Path, package: str) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield one.name
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            if base:
                yield base
                for one in node.names:
                    yield f"{base}.{one.name}"  # a module of that package, perhaps


def _base(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name of the module that is imported from."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])
