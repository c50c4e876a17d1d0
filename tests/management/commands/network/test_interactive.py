"""The console, with a person who types."""

import builtins
from collections.abc import Callable
from pathlib import Path

import pytest

from kits.command_line import CONFIG, Run

Type = Callable[..., None]


@pytest.fixture
def type_lines(monkeypatch: pytest.MonkeyPatch) -> Type:
    def type_lines(*lines: str) -> None:
        left = iter(lines)

        def read(_prompt: str = "") -> str:
            try:
                return next(left)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr(builtins, "input", read)

    return type_lines


def test_the_names_in_the_console(root: Path, run: Run, type_lines: Type) -> None:
    (root / "demo/config.py").write_text(
        CONFIG + "from fission.core.nodes import BaseNode\nNODES = [BaseNode('10.0.0.1', 'MICS')]\n"
    )
    type_lines(
        "print(network.name, JOBS[2].name, PIPES[101], NODES['10.0.0.1'], GROUPS['MICS'], sorted(GROUPS))"
    )
    result = run("manage.py", "demo", "interactive")
    assert result.code == 0
    assert (
        "demo SinkJob 2 pipe 101 (PicklePipe) BaseNode('10.0.0.1') [BaseNode('10.0.0.1')] ['ALL', 'MICS']"
        in result.out
    )
    assert (
        "demo: 2 jobs, 1 pipe, 1 node\nNames: network, JOBS, PIPES, NODES, GROUPS, emulate, simulate, run"
        in result.err
    )


def test_an_incomplete_network(root: Path, run: Run, type_lines: Type) -> None:
    (root / "demo/config.py").write_text(CONFIG + "JOBS.pop()")
    type_lines("print(list(JOBS), list(PIPES), network.edges)")
    result = run("fission", "interactive", "demo")
    assert result.code == 0
    assert "[1] [101] ()" in result.out
    assert "E113" in result.err


@pytest.mark.parametrize("line", ["exit()", "import sys; sys.exit(3)", "raise SystemExit"])
def test_leaving(root: Path, run: Run, type_lines: Type, line: str) -> None:
    type_lines(line, "print('still here')")
    result = run("fission", "interactive", "demo")
    assert result.code == 0
    assert "still here" not in result.out


def test_a_mistake_in_the_console_is_shown_there(root: Path, run: Run, type_lines: Type) -> None:
    type_lines("JOBS[99]", "print('still here')")
    result = run("fission", "interactive", "demo")
    assert "KeyError: 99" in result.err
    assert "still here" in result.out


def test_without_readline(root: Path, run: Run, type_lines: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "readline", None)
    type_lines("print(len(JOBS))")
    assert "2\n" in run("fission", "interactive", "demo").out


def test_the_network_runs_in_the_console(root: Path, run: Run, type_lines: Type) -> None:
    type_lines("print(simulate().wait().rounds)")
    result = run("fission", "interactive", "demo")
    assert result.code == 0
    assert "SinkJob 2 | got 2" in result.out
    assert "{'SourceJob 1': 3, 'SinkJob 2': 3}" in result.out
