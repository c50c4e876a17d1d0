"""New projects and networks are the seed's trees, or nothing."""

import os
import stat
import sys
from pathlib import Path

import pytest

from fission.errors import ProjectError
from fission.project import scaffold
from fission.project.scaffold import start_network, start_project

PACKAGES = {
    f"{kind}/{file}" for kind in ("jobs", "nodes", "pipes") for file in ("", "__init__.py", f"{kind}.py")
}
SHARED = {"__init__.py", "source/"} | PACKAGES
NETWORK = SHARED | {"config.py"}


def tree(folder: Path) -> set[str]:
    """Everything below a folder; folders end in a slash."""
    return {str(path.relative_to(folder)) + ("/" if path.is_dir() else "") for path in folder.rglob("*")}


def below(name: str, entries: set[str]) -> set[str]:
    return {f"{name}/"} | {f"{name}/{entry}" for entry in entries}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return start_project(tmp_path, "greenhouse")


def test_a_new_project_has_the_seeds_tree(project: Path) -> None:
    assert tree(project) == {"manage.py"} | below("shared", SHARED)


def test_a_new_network_has_the_seeds_tree(project: Path) -> None:
    folder = start_network(project, "demo_network_v1")
    assert folder == project / "demo_network_v1"
    assert tree(project) == {"manage.py"} | below("shared", SHARED) | below("demo_network_v1", NETWORK)


def test_what_is_written_is_python_and_nothing_is_left_to_fill_in(project: Path) -> None:
    folder = start_network(project, "demo")
    for path in [*project.rglob("*.py")]:
        text = path.read_text()
        compile(text, str(path), "exec")
        assert "$" not in text
    assert "from demo.jobs.jobs import" in (folder / "config.py").read_text()


def test_manage_py_can_be_executed_and_folders_have_usual_rights(project: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((project / "manage.py").stat().st_mode) == 0o777 & ~mask
    for path in (project, project / "shared", start_network(project, "demo")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~mask


HIDING_NAMES = [
    ("json", "would hide the standard module"),
    ("numpy", "would hide the installed module"),
    ("fission", "would hide the installed module"),
]
BAD_PROJECTS = [
    ("two words", "What about 'two-words'?"),
    ("", "not a valid folder name"),
    ("a/b", "not a valid folder name"),
    ("../up", "not a valid folder name"),
    (".", "not a valid folder name"),
    ("..", "not a valid folder name"),
    ("-v", "What about 'v'?"),
    (".hidden", "not a valid folder name"),
    ("line\nbreak", "not a valid folder name"),
    ("nul\0", "not a valid folder name"),
    ("__pycache__", "not a valid folder name"),
    *HIDING_NAMES,
]
BAD_NETWORKS = [
    ("two words", "not a valid Python identifier"),
    ("my-network", "What about 'my_network'?"),
    ("1st", "no digit first"),
    ("", "not a valid Python identifier"),
    ("a/b", "not a valid Python identifier"),
    ("../up", "not a valid Python identifier"),
    (".", "not a valid Python identifier"),
    ("__pycache__", "not a valid Python identifier"),
    ("__main__", "not a valid Python identifier"),
    ("class", "a keyword of Python"),
    ("shared", "taken"),
    ("manage", "would hide"),
    *HIDING_NAMES,
]


@pytest.mark.parametrize("name", ["my-project", "2026-field.test", "class", "_draft", "größe"])
def test_a_project_is_only_a_folder(tmp_path: Path, name: str) -> None:
    project = start_project(tmp_path, name)
    assert project == tmp_path / name
    assert (start_network(project, "demo") / "config.py").is_file()


@pytest.mark.parametrize(("name", "text"), BAD_PROJECTS)
def test_a_bad_name_is_refused_and_nothing_written(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ProjectError) as caught:
        start_project(tmp_path, name)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "text"), BAD_NETWORKS)
def test_a_bad_name_of_a_network_is_refused_and_nothing_written(project: Path, name: str, text: str) -> None:
    before = tree(project)
    with pytest.raises(ProjectError) as caught:
        start_network(project, name)
    assert text in str(caught.value)
    assert tree(project) == before


def test_a_module_without_spec_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "strange", type(sys)("strange"))
    with pytest.raises(ProjectError, match="would hide the module"):
        start_project(tmp_path, "strange")


def test_any_folder_on_the_path_does_not_count_as_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recordings").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    assert start_project(tmp_path / "elsewhere", "recordings").is_dir()


def test_an_installed_package_without_init_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site-packages/spaceship").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    with pytest.raises(ProjectError, match="would hide the installed module"):
        start_project(tmp_path, "spaceship")


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_an_existing_target_is_left_alone(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "greenhouse"
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")
    with pytest.raises(ProjectError, match=r"there is already a .*greenhouse") as caught:
        start_project(tmp_path, "greenhouse")
    assert caught.value.exit_code == 2
    assert tree(tmp_path) == {"greenhouse/" if kind == "folder" else "greenhouse"}


def test_an_existing_network_is_left_alone(project: Path) -> None:
    config = start_network(project, "demo") / "config.py"
    config.write_text("JOBS = []")
    with pytest.raises(ProjectError, match="there is already a folder"):
        start_network(project, "demo")
    assert config.read_text() == "JOBS = []"


def test_a_network_needs_a_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"this is not a project.*manage\.py"):
        start_network(tmp_path, "demo")


def test_a_parent_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"cannot be written to .*: No such file or directory"):
        start_project(tmp_path / "nowhere", "greenhouse")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(ProjectError, match=r"cannot be written to .*: Permission denied"):
        start_project(tmp_path, "greenhouse")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left")])
def test_a_failure_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    written = []

    def fail(folder: Path, *_args: object, **_more: object) -> None:
        written.append(folder)
        (folder.parent / "half.py").write_text("")
        raise error

    monkeypatch.setattr(scaffold, "_write_network", fail)
    with pytest.raises(ProjectError, match=f"{error.strerror}.*Nothing was written"):
        start_project(tmp_path, "greenhouse")
    assert written
    assert not any(tmp_path.iterdir())


def test_no_folder_may_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_options: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(scaffold.tempfile, "mkdtemp", refuse)
    with pytest.raises(ProjectError, match="Permission denied"):
        start_project(tmp_path, "greenhouse")


def test_ctrl_c_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scaffold, "_write_network", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start_project(tmp_path, "greenhouse")
    assert not any(tmp_path.iterdir())
