"""Which names a new project or network may have.

The folder becomes a Python package, so its name must be one that can be imported and that hides nothing.
"""

import keyword
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

from fission.errors import ProjectError

SHARED = "shared"
"""The network without a config.py that every project has: what its networks have in common."""


def check_name(name: str, kind: str) -> None:
    """Raise ProjectError unless Python can import something called `name`; `kind` is what it is for."""
    where = f"{kind} {name!r}"
    if not name.isidentifier() or name.startswith("__"):
        fixed = identifier_like(name)
        raise ProjectError(
            "the name is no Python identifier",
            where=where,
            expected="letters, digits and underscores, no digit first",
            hint=f"What about {fixed!r}?" if fixed else "",
        )
    if keyword.iskeyword(name):
        raise ProjectError(
            "the name is a word of the Python language", where=where, hint=f"What about {name + '_net'!r}?"
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
    """Return a name that is like `name` and may be used, or ""."""
    fixed = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_")
    return fixed if fixed.isidentifier() and not keyword.iskeyword(fixed) else ""


def _hidden_module(name: str) -> str:
    """What a package called `name` would hide: "" if nothing."""
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
