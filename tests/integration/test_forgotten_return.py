"""A job whose `run` returns nothing although it has outputs: the check, the warning and the exit code."""

import subprocess
from pathlib import Path

import pytest

from fission.project.scaffold import start_project

from .conftest import Project

JOBS = """
class CountJob(PythonJob):
    def run(self):
        yield from range(5)

class DoubleJob(PythonJob):
    def run(self, value):
        {double}

class PassJob(PythonJob):
    def run(self, value):
        return value

class PrintJob(PythonJob):
    def run(self, value):
        print("got", value)
"""

CONFIG = """
JOBS = [
    CountJob(outputs=[PicklePipe(1)]),
    DoubleJob(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
    PassJob(inputs=[PicklePipe(2)], outputs=[PicklePipe(3)]),
    PrintJob(inputs=[PicklePipe(3)]),
]
"""

SEEN_BY_THE_CHECK = "value * 2"
HIDDEN = "return {}.get(value)"
LATER = "return {0: 0, 1: 2}.get(value)"
WARNING = "run() returned None in its first round, which ends the job although it has outputs"
ERROR = "error: PrintJob 4 received nothing: run() of DoubleJob 2 returned None in its first round"


@pytest.fixture
def net(tmp_path: Path) -> Project:
    return Project(start_project(tmp_path, "forgetful"))


def finish(net: Project, double: str, verb: str, *options: str) -> subprocess.CompletedProcess[str]:
    net.write(JOBS.format(double=double), CONFIG)
    return subprocess.run(
        net.command(verb, *options), cwd=net.root, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_check_finds_it(net: Project) -> None:
    result = finish(net, SEEN_BY_THE_CHECK, "check")
    assert result.returncode == 2
    assert "error E213 DoubleJob 2: run returns nothing, and the job has 1 output" in result.stdout
    assert "Is a `return` missing in run?" in result.stdout


@pytest.mark.parametrize("command", [("simulate",), ("run", "--embedded", "1")])
def test_at_run_time_there_is_a_warning_and_an_exit_code(net: Project, command: tuple[str, ...]) -> None:
    result = finish(net, HIDDEN, *command, "--until-finished")
    assert result.returncode == 1, result.stdout + result.stderr
    assert WARNING in result.stdout + result.stderr
    assert ERROR in result.stderr.splitlines()


def test_without_until_finished_the_warning_is_all(net: Project) -> None:
    result = finish(net, HIDDEN, "simulate")
    assert result.returncode == 0, result.stderr
    assert WARNING in result.stdout + result.stderr
    assert ERROR not in result.stderr


def test_none_in_a_later_round_is_an_end(net: Project) -> None:
    result = finish(net, LATER, "simulate", "--until-finished")
    assert result.returncode == 0, result.stderr
    assert "PrintJob 4  | got 2" in result.stdout
    assert WARNING not in result.stdout + result.stderr


def test_a_job_that_says_that_it_finishes_is_an_end(net: Project) -> None:
    result = finish(net, "self.finish()\n        return None", "simulate", "--until-finished")
    assert result.returncode == 0, result.stderr
    assert WARNING not in result.stdout + result.stderr
