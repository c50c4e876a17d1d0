"""startproject, startnetwork, and their modern forms; examples."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np  # noqa: F401 - an example imports it, and it loads once per process
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


@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "second", "startnetwork", "--example", "source_to_csv"),
        ("fission", "new", "network", "second", "--example", "source_to_csv"),
    ],
)
def test_a_copy_of_an_example(root: Path, run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.code, result.err) == (0, "")
    assert "Created the network " in result.out
    assert "a copy of the example source_to_csv" in result.out
    assert "CSVSinkJob" in (root / "second/config.py").read_text()
    assert run("fission", "check", "second").code == 0


def test_an_unknown_example(root: Path, run: Run) -> None:
    result = run("fission", "new", "network", "second", "--example", "seperation")
    assert (result.code, result.out) == (2, "")
    assert result.last.startswith(
        "error: example 'seperation': there is no such example; expected one of demo_"
    )
    assert result.last.endswith("Did you mean 'separation'?")
    assert not (root / "second").exists()


def test_examples_are_listed_with_a_line_each(here: Path, run: Run) -> None:
    result = run("fission", "examples")
    assert result.code == 0
    assert "Two voices that speak at the same time are separated (FOBI)." in result.out
    assert len(result.out.splitlines()) == 13


class Terminal(io.StringIO):
    """Standard input in which lines were typed."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def type_lines(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def type_lines(*lines: str) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))

    return type_lines


def test_new_asks_for_a_network_in_a_project(root: Path, run: Run, type_lines: Callable[..., None]) -> None:
    type_lines("netwrok", "", "separat", "separation", "demo", "voices")
    result = run("fission", "new")
    assert result.code == 0
    assert [line.partition(",")[0] for line in result.err.splitlines()] == [
        "error: expected network or project",
        "error: expected demo_network_v1 or demo_network_v2 or demo_network_v3 or demo_network_v4 or exchange or "
        "head_bit or optional_operator or running_sum or separation or source_to_csv or sro",
        "error: network 'demo': there is already a folder " + str(root / "demo") + ". Take another name",
    ]
    assert "from voices.jobs.jobs import" in (root / "voices/config.py").read_text()


def test_new_asks_for_an_empty_network(root: Path, run: Run, type_lines: Callable[..., None]) -> None:
    type_lines("network", "", "second")
    assert run("fission", "new").code == 0
    assert (root / "second/config.py").is_file()


def test_new_takes_the_name_of_the_example_when_none_is_given(
    root: Path, run: Run, type_lines: Callable[..., None]
) -> None:
    type_lines("", "head_bit", "")
    assert run("fission", "new").code == 0
    assert (root / "head_bit/config.py").is_file()


def test_new_asks_for_a_second_project(root: Path, run: Run, type_lines: Callable[..., None]) -> None:
    type_lines("project", "second")
    assert run("fission", "new").code == 0
    assert (root / "second/manage.py").is_file()


def test_new_asks_for_a_project_first(here: Path, run: Run, type_lines: Callable[..., None]) -> None:
    type_lines("", "a/b", "greenhouse")
    result = run("fission", "new")
    assert result.code == 0
    assert [line.partition(";")[0] for line in result.err.splitlines()] == [
        "error: expected a name, found nothing",
        "error: project 'a/b': the name is not a valid folder name",
    ]
    assert (here / "greenhouse/manage.py").is_file()


def test_new_at_the_end_of_the_input(here: Path, run: Run, type_lines: Callable[..., None]) -> None:
    type_lines()
    result = run("fission", "new")
    assert result.code == 2
    assert result.last == "error: the input ended before all was answered. Nothing was created"


def test_new_without_a_terminal(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    result = run("fission", "new")
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert (
        "fission new asks what to create, and the input is no terminal. Use fission new project NAME"
        in result.err
    )
