"""startproject, startnetwork, and their modern forms."""

from pathlib import Path

import pytest

from kits.command_line import Run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [("fission_admin.py", "greenhouse", "startproject"), ("fission", "new", "project", "greenhouse")],
)
def test_a_project(here: Path, run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[:2] == ["Created the project greenhouse. Next:", "  cd greenhouse"]
    assert (here / "greenhouse/manage.py").is_file()


def test_a_project_elsewhere(here: Path, run: Run) -> None:
    (here / "deep").mkdir()
    assert run("fission", "new", "project", "greenhouse", "--in", "deep").code == 0
    assert (here / "deep/greenhouse/shared").is_dir()


@pytest.mark.parametrize(
    "command", [("manage.py", "second", "startnetwork"), ("fission", "new", "network", "second")]
)
def test_a_network(root: Path, run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.code, result.err) == (0, "")
    assert "second/jobs/jobs.py" in result.out
    assert (root / "second/config.py").is_file()


def test_a_network_from_deep_within_the_project(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "demo/jobs")
    assert run("fission", "new", "network", "second").code == 0
    assert (root / "second/config.py").is_file()


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("fission_admin.py", "a/b", "startproject"), "project 'a/b': the name is not a valid folder name"),
        (("fission", "new", "project", "json"), "project 'json': the name would hide the standard module"),
        (
            ("fission", "new", "project", "x", "--in", "no"),
            "no: No such file or directory. Nothing was written",
        ),
        (("fission", "new", "network", "x"), "no project found in this folder or above it"),
        (("fission", "new", "network", "x", "--project", "no"), "--project no: there is no such folder"),
        (("fission", "new", "network", "x", "--project", "."), "this is not a project"),
        (("manage.py", "x", "startnetwork"), "this is not a project"),
        (
            ("fission_admin.py", "x", "startprojekt"),
            "unknown command 'startprojekt'. Did you mean 'startproject'?",
        ),
        (
            ("fission_admin.py", "x"),
            "the command is missing: fission_admin.py x COMMAND. The commands are startproject",
        ),
        (
            ("fission_admin.py", "startproject", "x"),
            "the project comes first. Did you mean: fission_admin.py x st",
        ),
    ],
)
def test_mistakes_get_one_line_and_nothing_is_written(
    here: Path, run: Run, command: tuple[str, ...], text: str
) -> None:
    result = run(*command)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("error: ")
    assert text in result.err
    assert not any(here.iterdir())


def test_twice(here: Path, run: Run) -> None:
    assert run("fission_admin.py", "greenhouse", "startproject").code == 0
    (here / "greenhouse/manage.py").write_text("mine")
    result = run("fission_admin.py", "greenhouse", "startproject")
    assert result.code == 2
    assert result.last == (
        "error: project 'greenhouse': there is already a folder greenhouse. Take another name, or remove it first"
    )
    assert (here / "greenhouse/manage.py").read_text() == "mine"
