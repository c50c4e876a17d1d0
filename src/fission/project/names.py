"""Valid names of new projects and networks.

A project is only a folder. A network is a Python package as well, so its name must be an identifier. Neither may hide a
module that can be imported.
"""

import keyword
import re
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

from fission.errors import ProjectError

SHARED = "shared"
"""The network without a config.py that every project has: what its networks have in common."""


def check_project_name(name: str) -> None:
    """Raise ProjectError unless `name` can be the name of a project's folder."""
    if not _FOLDER.fullmatch(name) or name.startswith("__"):
        fixed = re.sub(r"[^\w.-]+", "-", name).lstrip("-._")
        raise ProjectError(
            "the name is not a valid folder name",
            where=f"project {name!r}",
            expected="letters, digits, '-', '_' and '.', with a letter, a digit or '_' first",
            hint=f"What about {fixed!r}?" if _FOLDER.fullmatch(fixed) else "",
        )


_FOLDER = re.compile(r"\w[\w.-]*")


def check_network_name(name: str) -> None:
    """Raise ProjectError unless Python can import a package called `name`."""
    where = f"network {name!r}"
    if not name.isidentifier() or name.startswith("__"):
        fixed = identifier_like(name)
        raise ProjectError(
            "the name is not a valid Python identifier, and a network is a package",
            where=where,
            expected="letters, digits and underscores, no digit first",
            hint=f"What about {fixed!r}?" if fixed else "",
        )
    if keyword.iskeyword(name):
        raise ProjectError(
            "the name is a keyword of Python", where=where, hint=f"What about {name + '_net'!r}?"
        )


def check_hides_nothing(name: str, kind: str) -> None:
    """Raise ProjectError when a package called `name` would hide a module of Python or an installed one."""
    hidden = _hidden_module(name)
    if hidden:
        raise ProjectError(
            f"the name would hide {hidden} of the same name",
            where=f"{kind} {name!r}",
            hint="Take another name",
        )


def identifier_like(name: str) -> str:
    """Return a valid identifier that resembles `name`, or ""."""
    fixed = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_")
    return fixed if fixed.isidentifier() and not keyword.iskeyword(fixed) else ""


def _hidden_module(name: str) -> str:
    """Describe what a package called `name` would hide; "" for nothing."""
    if not name.isidentifier():  # nothing has such a name
        return ""
    if name in sys.stdlib_module_names:
        return "the standard module"
    try:
        spec = find_spec(name)
    except ValueError:  # a module without a spec is loaded under this name
        return "the module"
    if spec is None or (spec.origin is None and not _installed_namespace(spec)):
        return ""
    return "the installed module"


def _installed_namespace(spec: ModuleSpec) -> bool:
    """Tell an installed package without `__init__.py` from any folder that happens to be on the path."""
    return any("-packages" in place for place in spec.submodule_search_locations or ())
