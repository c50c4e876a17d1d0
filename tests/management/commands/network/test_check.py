"""check: all problems, for people and for programs."""

import json
import re
from pathlib import Path

import pytest

from fission.project.checks import RULES
from kits.command_line import CONFIG, Run

BROKEN = CONFIG + "\nJOBS[1].inputs.append(PicklePipe(7))\nHEAD_SIZE = 9\n"


def test_a_sound_network(root: Path, run: Run) -> None:
    for command in (("manage.py", "demo", "check"), ("fission", "check", "demo/")):
        result = run(*command)
        assert (result.code, result.err) == (0, "")
        assert result.out == "demo: 2 jobs, 1 pipe, no nodes: no problems\n"


def test_problems(root: Path, run: Run) -> None:
    (root / "demo/config.py").write_text(BROKEN)
    result = run("manage.py", "demo", "check")
    assert result.code == 2
    assert result.out.splitlines() == [
        "error E003 demo/config.py:8, HEAD_SIZE: expected a whole number of bytes from 1 to 4, found the int 9",
        "error E111 pipe 7 (PicklePipe): has no source: SinkJob 2 would wait for ever",
        "     hint: Is it in the outputs of a job?",
        "error E202 SinkJob 2: run takes 1 value (value), and the job has 2 inputs: 101 and 7",
        "     hint: run gets one value per input, in their order",
        "demo: 2 jobs, 1 pipe, no nodes: 3 errors",
    ]


def test_warnings_are_no_failure(root: Path, run: Run) -> None:
    (root / "demo/config.py").write_text(CONFIG + "SinkJob()")
    result = run("fission", "check", "demo")
    assert result.code == 0
    assert result.out.startswith("warning W006 demo/config.py:5, JOBS: a SinkJob was created")
    assert result.out.endswith(": 1 warning\n")


def test_in_color_on_a_terminal(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "demo/config.py").write_text(BROKEN)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "\033[31merror E003\033[0m demo" in run("fission", "check", "demo").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033" not in run("fission", "check", "demo").out


def test_json(root: Path, run: Run) -> None:
    (root / "demo/config.py").write_text("print('I am chatty')\n" + BROKEN)
    result = run("fission", "check", "demo", "--json")
    told = json.loads(result.out)
    assert result.code == 2
    assert (told["network"], told["ok"]) == ("demo", False)
    assert [problem["id"] for problem in told["problems"]] == ["E003", "E111", "E202"]
    assert set(told["problems"][0]) == {"id", "level", "where", "message", "hint"}
    assert result.err == "I am chatty\n"


def test_json_of_a_sound_network(root: Path, run: Run) -> None:
    result = run("fission", "check", "demo", "--json")
    assert json.loads(result.out) == {"network": "demo", "ok": True, "problems": []}
    assert result.code == 0


def test_json_of_a_config_that_cannot_be_imported(root: Path, run: Run) -> None:
    (root / "demo/config.py").write_text("JOBS = [")
    result = run("fission", "check", "demo", "--json")
    problem = json.loads(result.out)["problems"][0]
    assert (problem["id"], problem["where"]) == ("E001", "demo/config.py:1")
    assert result.code == 2


def test_the_list_of_checks(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("fission", "check", "--list")
    assert (result.code, result.err) == (0, "")
    assert {re.split(r"\s+", line)[0] for line in result.out.splitlines()} == {rule.id for rule in RULES}


CONFIGS = [
    ("JOBS = [", "demo/config.py:1: this is not valid Python: '[' was never closed; found 'JOBS = ['"),
    ("import walrus", "demo/config.py:1: ModuleNotFoundError: No module named 'walrus'. Is walrus installed"),
    (
        "open('talk.wav')",
        "demo/config.py:1: FileNotFoundError: [Errno 2] No such file or directory: 'talk.wav'",
    ),
    ("from fission.core.pipes import *\nPicklePipe('a')", "demo/config.py:2: PicklePipe: wrong id; expected"),
]


@pytest.mark.parametrize(("config", "text"), CONFIGS)
@pytest.mark.parametrize("verb", ["check", "simulate", "graph", "show", "interactive"])
def test_a_config_that_cannot_be_imported(root: Path, run: Run, verb: str, config: str, text: str) -> None:
    (root / "demo/config.py").write_text(config)
    result = run("fission", verb, "demo")
    assert (result.code, result.out) == (2, "")
    assert result.last.startswith(f"error: {text}")
    assert ("Traceback" in result.err) == ("Error: " in text)
    assert "fission/" not in result.err
    assert sorted(path.name for path in (root / "demo").iterdir() if path.name != "__pycache__") == [
        "__init__.py",
        "config.py",
        "jobs",
        "nodes",
        "pipes",
        "source",
    ]


def test_debug_shows_all_frames(root: Path, run: Run) -> None:
    (root / "demo/config.py").write_text("import walrus")
    result = run("fission", "check", "demo", "--debug")
    assert result.code == 2
    assert "fission/project/config.py" in result.err
    assert result.last.startswith("error: demo/config.py:1")


def test_no_such_network(root: Path, run: Run) -> None:
    result = run("fission", "check", "dmeo")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "Did you mean 'demo'?" in result.err
