"""Finds the project that a command works on."""

from pathlib import Path

from fission.errors import ProjectError
from fission.project.scaffold import MANAGE


def find_root(given: Path | None) -> Path:
    """Return the folder of the project: the given one, or the nearest one from the working directory upwards.

    Raises ProjectError when there is no project.
    """
    if given is not None:
        if not given.is_dir():
            raise ProjectError("there is no such folder", where=f"--project {given}")
        return given.absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _is_project(folder):
            return folder
    raise ProjectError(
        "no project found in this folder or above it",
        where=str(here),
        expected=f"a folder with the {MANAGE} of a project",
        hint="Create one: fission new project NAME",
    )


def find_home(given: Path | None) -> tuple[Path | None, Path]:
    """Return the project, if there is one, and the folder of its certificates: the working directory outside of one.

    Raises ProjectError when the given folder is no folder.
    """
    try:
        root = find_root(given)
    except ProjectError:
        if given is not None:
            raise
        return None, Path.cwd()
    return root, root


def _is_project(folder: Path) -> bool:
    try:
        return "fission" in (folder / MANAGE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
