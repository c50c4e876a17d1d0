"""Reads config.py: imports it, separates settings from other names, and finds unknown settings."""

import ast
import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from fission.errors import ConfigError, FissionError
from fission.project.modules import import_config
from fission.project.settings import NAMES
from fission.project.suggest import did_you_mean, listed
from fission.project.user_code import UserFiles, one_line


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config.py that has been imported, with the lines on which its names are set."""

    label: str
    values: dict[str, object]
    lines: dict[str, int]

    def where(self, name: str) -> str:
        """Return where a name is set, as "demo/config.py:12, USER"; `name` may have an index: "JOBS[2]"."""
        line = self.lines.get(re.split(r"\W", name, maxsplit=1)[0])
        return f"{self.label}:{line}, {name}" if line else f"{self.label}, {name}"

    def unknown_settings(self) -> Iterator[str]:
        """Yield the names in capitals that are assigned in the file and are not settings. Imported names do not count."""
        for name in self.lines:
            if name.isupper() and not name.startswith("_") and name not in NAMES:
                yield name


def read_config(root: Path, name: str) -> ConfigFile:
    """Import `<name>/config.py`.

    Raises ConfigError when that fails. Where user code raised, the error has the traceback as a note (PEP 678), cut to
    the user's files.
    """
    files = UserFiles(root)
    label = f"{name}/config.py"
    try:
        module = import_config(root, name)
    except SyntaxError as error:
        raise ConfigError(
            f"this is not valid Python: {error.msg}",
            where=files.place(error) or label,
            found=repr(error.text.strip()) if error.text else "",
        ) from error
    except FissionError as error:
        failure = ConfigError(str(error), where=files.place(error) or label)
        if len(files.frames(error)) > 1:
            failure.add_note(files.cut_traceback(error))
        raise failure from error
    except (Exception, SystemExit) as error:
        failure = ConfigError(one_line(error), where=files.place(error) or label, hint=_hint(error, root))
        failure.add_note(files.cut_traceback(error))
        raise failure from error
    return ConfigFile(label, vars(module), assigned_names(module))


def _hint(error: BaseException, root: Path) -> str:
    if isinstance(error, SystemExit):
        return "config.py must not exit"
    if isinstance(error, TypeError):
        return _argument_hint(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package, _, last = error.name.rpartition(".")
        own = [entry.stem for entry in (root / package.replace(".", "/")).glob("*")]
        return did_you_mean(last, own) or (
            "" if package else f"Is {error.name} installed in this environment?"
        )
    if isinstance(error, ImportError) and "Did you mean" not in one_line(error):
        wanted = re.search(r"cannot import name '(\w+)'", str(error))
        module = sys.modules.get(error.name or "")
        if wanted and module:
            return did_you_mean(wanted[1], vars(module)) or _contents(module)
    return ""


def _argument_hint(error: TypeError) -> str:
    """Suggest the argument that was meant by an unexpected keyword argument of a class or function."""
    found = re.search(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if found is None or "Did you mean" in str(error):
        return ""
    places = [frame.f_globals for frame, _ in traceback.walk_tb(error.__traceback__)]
    places += [vars(module) for name, module in list(sys.modules.items()) if name.startswith("fission.core.")]
    called = next((place[found[1]] for place in places if found[1] in place), None)
    if not callable(called):
        return ""
    # not of the class itself: pipes have a metaclass whose __call__ takes anything
    known = inspect.signature(called.__init__ if isinstance(called, type) else called).parameters  # type: ignore[misc]
    return did_you_mean(found[2], known)


def _contents(module: ModuleType) -> str:
    own = [
        name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__
    ]
    return f"There are {listed(own)}" if own else f"There is nothing in {module.__name__} yet"


def assigned_names(module: ModuleType) -> dict[str, int]:
    """Return the names that a module assigns at its top level, with the line of the last assignment."""
    if module.__file__ is None:
        return {}
    finder = _Assignments()
    finder.visit(ast.parse(Path(module.__file__).read_bytes()))
    return finder.lines


class _Assignments(ast.NodeVisitor):
    """Collects assigned names, except those inside functions, classes and comprehensions."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.lines[node.id] = node.lineno

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, _SCOPES):
            super().generic_visit(node)


_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
