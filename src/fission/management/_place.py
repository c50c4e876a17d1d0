"""Which project a command works on."""

from pathlib import Path

from fission.errors import ProjectError
from fission.project.scaffold import MANAGE


def find_root(given: Path | None) -> Path:
    """Return the folder of the project: the given one, or the nearest one above the working directory.

    Raises ProjectError when there is no project.
    """
    start = (given or Path.cwd()).absolute()
    candidates = [start] if given else [start, *start.parents]
    for folder in candidates:
        if _is_project(folder):
            return folder
    raise ProjectError(
        "this is no project" if given else "neither this folder nor one above it is a project",
        where=str(start),
        expected=f"a folder with a {MANAGE} of fission",
        hint="Start one: fission new project NAME" if not given else "",
    )


def _is_project(folder: Path) -> bool:
    try:
        return "fission" in (folder / MANAGE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
