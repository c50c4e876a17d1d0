"""Creates projects and networks from the templates beside this file."""

import os
import shutil
import tempfile
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from fission.errors import ProjectError
from fission.project.examples import Example, copy_example
from fission.project.names import SHARED, check_hides_nothing, check_network_name, check_project_name

MANAGE = "manage.py"
"""The file that makes a folder a project."""

_SUFFIX = "-tpl"  # keeps tools from compiling, checking or importing a template
_EXECUTABLE = 0o111


def start_project(parent: Path, name: str) -> Path:
    """Create the project `name` in the folder `parent`, with a `shared` network; return its folder.

    Raises ProjectError, and writes nothing then.
    """
    check_project_name(name)
    with _Draft(parent / name, "project") as draft:
        _copy(_templates() / "project", draft, {"name": name})
        manage = draft / MANAGE
        manage.chmod(manage.stat().st_mode | _EXECUTABLE & ~_umask())
        _write_network(draft / SHARED, SHARED, config=False)
    return parent / name


def start_network(root: Path, name: str, example: Example | None = None) -> Path:
    """Create the network `name` in the project `root`, as a copy of an example if one is given; return its folder.

    Raises ProjectError, and writes nothing then.
    """
    if not (root / MANAGE).is_file():
        raise ProjectError(
            "this is not a project",
            where=str(root),
            expected=f"a folder with {MANAGE}",
            hint="Create a project first: fission new project NAME",
        )
    if name == SHARED:
        raise ProjectError(
            "the name is taken: every project has this folder for what its networks share",
            where=f"network {name!r}",
        )
    check_network_name(name)
    if (root / f"{name}.py").exists():
        raise ProjectError(f"the name would hide {root / name}.py", where=f"network {name!r}")
    with _Draft(root / name, "network") as draft:
        if example is None:
            _write_network(draft, name, config=True)
        else:
            copy_example(example, draft, name)
            (draft / "source").mkdir(exist_ok=True)  # an empty folder is in no wheel
    return root / name


class _Draft:
    """A folder beside `target` that is renamed to it when the block succeeds, and removed when it fails."""

    def __init__(self, target: Path, kind: str) -> None:
        self._target = target
        self._kind = kind
        self._where = f"{kind} {target.name!r}"

    def __enter__(self) -> Path:
        if os.path.lexists(self._target):
            what = "folder" if self._target.is_dir() else "file"
            raise ProjectError(
                f"there is already a {what} {self._target}",
                where=self._where,
                hint="Take another name, or remove it first",
            )
        check_hides_nothing(self._target.name, self._kind)
        parent = self._target.parent
        try:
            self._draft = Path(tempfile.mkdtemp(prefix=f".{self._target.name}-", dir=parent))
        except OSError as error:
            raise self._unwritable(error) from error
        return self._draft

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            if kind is None:
                self._draft.chmod(0o777 & ~_umask())  # mkdtemp made it ours alone
                self._draft.rename(self._target)
        except OSError as failure:
            error = failure
        if error is not None:
            shutil.rmtree(self._draft, ignore_errors=True)
        if isinstance(error, OSError):
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ProjectError:
        return ProjectError(
            f"it cannot be written to {self._target.parent.absolute()}: {error.strerror or error}",
            where=self._where,
            hint="Nothing was written",
        )


def _write_network(folder: Path, name: str, *, config: bool) -> None:
    folder.mkdir(exist_ok=True)
    _copy(_templates() / "network", folder, {"name": name}, skip=() if config else ("config.py",))
    (folder / "source").mkdir()


def _copy(template: Traversable, folder: Path, names: dict[str, str], skip: tuple[str, ...] = ()) -> None:
    for entry in template.iterdir():
        if entry.is_dir():
            (folder / entry.name).mkdir()
            _copy(entry, folder / entry.name, names)
        elif entry.name.endswith(_SUFFIX) and entry.name.removesuffix(_SUFFIX) not in skip:
            text = Template(entry.read_text(encoding="utf-8")).substitute(names)
            (folder / entry.name.removesuffix(_SUFFIX)).write_text(text, encoding="utf-8")


def _templates() -> Traversable:
    return files("fission.project") / "templates"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
