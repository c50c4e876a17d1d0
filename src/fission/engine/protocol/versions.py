"""What a node must have the same as the client: Python, fission, and the packages that the user's modules import.

Jobs are pickled on the client and unpickled on the node, so the same Python (3.11, whatever the third number) is a must.
Of fission, and of a package that the user's code imports, the first two numbers of the version must agree.
"""

import ast
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final


def installed_versions() -> dict[str, str]:
    """The versions of this machine: `python`, `fission`, and every installed distribution by its normal name."""
    found = {_normal(one.metadata["Name"] or ""): one.version for one in metadata.distributions()}
    found.pop("", None)
    return found | {"python": platform.python_version()}


def fit_together(one: str, other: str) -> bool:
    """Whether two versions of fission work together: they have the same first two numbers."""
    return _start(one, 2) == _start(other, 2)


def client_refusal(theirs: object, ours: Mapping[str, str] | None = None) -> str:
    """Return why a node refuses a client with this version of fission, "" if it does not."""
    here = (installed_versions() if ours is None else ours).get("fission", "")
    if not here or not isinstance(theirs, str) or fit_together(theirs, here):
        return ""  # a client that does not say it compares the versions itself
    return f"this node has fission {here}, the client {theirs[:20]}. {UPGRADE}"


UPGRADE: Final = "On the client, `fission deploy --upgrade` installs its version on the nodes"
"""What to do when the versions of fission do not fit together."""


def imported_packages(files: Iterable[Path]) -> frozenset[str]:
    """The names of the distributions that these Python files import; files that are no Python are passed over."""
    modules: set[str] = set()
    for file in files:
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    modules -= sys.stdlib_module_names | {"fission"}
    return frozenset(_distributions_with(modules)) - {"fission"} if modules else frozenset()


def differences(
    theirs: Mapping[str, str], packages: Iterable[str] = (), ours: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """What on a node differs from this machine and matters, a line for each ("numpy 1.26.4 on the node (the client has ...)")."""
    ours = installed_versions() if ours is None else ours
    found = []
    for name in ("fission", "python", *sorted(packages)):
        there, here = theirs.get(name), ours.get(name)
        if here is None:
            continue
        fix = _FIXES.get(name, f": pip install {name}=={here}")
        if there is None:
            found.append(f"{name} is missing on the node (the client has {here}){fix}")
        elif _start(there, 2) != _start(here, 2):
            found.append(f"{name} {there} on the node (the client has {here}){fix}")
    return tuple(found)


def _distributions_with(modules: Iterable[str]) -> Iterator[str]:
    """The names of the installed distributions that have one of these modules.

    `metadata.packages_distributions` returns the same in 0.4 s, as it makes a path of every installed file.
    """
    file = re.compile(rf"^(?:{'|'.join(map(re.escape, sorted(modules)))})(?:[/.]|$)", re.MULTILINE)
    for one in metadata.distributions():
        listed = one.read_text("top_level.txt") or one.read_text("RECORD") or ""
        if file.search(listed):
            yield _normal(one.metadata["Name"] or "")


_FIXES: Final = {"fission": ": fission deploy --upgrade", "python": ""}
"""What to do about these two, which come from no index; the Python of a node is that of its system."""


def _start(version: str, parts: int) -> list[str]:
    return version.split(".")[:parts]


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
