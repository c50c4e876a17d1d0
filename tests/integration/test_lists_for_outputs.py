"""A list with as many items as there are outputs goes to each of them whole; the log says so, once."""

from pathlib import Path

import pytest

from fission.project.scaffold import start_project

from .conftest import Project

JOBS = """
class CountJob(PythonJob):
    def run(self):
        for n in range(3):
            yield {value}

class PrintJob(PythonJob):
    def run(self, value):
        print("got", value)
"""

CONFIG = """
JOBS = [
    CountJob(outputs=[PicklePipe(1), PicklePipe(2)]),
    PrintJob(inputs=[PicklePipe(1)]),
    PrintJob(inputs=[PicklePipe(2)]),
]
"""

HINT = "run() returned a list of 2, and the job has 2 outputs: the whole list goes to each of them"


@pytest.mark.parametrize(
    ("value", "hints", "got"),
    [
        ("[n, -n]", 1, "PrintJob 3 | got [1, -1]"),
        ("(n, -n)", 0, "PrintJob 3 | got -1"),
        ("([n, -n],) * 2", 0, "PrintJob 3 | got [1, -1]"),
        ("[n, n, n]", 0, "PrintJob 3 | got [1, 1, 1]"),
    ],
)
def test_the_hint(tmp_path: Path, value: str, hints: int, got: str) -> None:
    net = Project(start_project(tmp_path, "lists")).write(JOBS.format(value=value), CONFIG)
    result = net.simulate("--until-finished")
    assert result.returncode == 0, result.stderr
    assert (result.stdout + result.stderr).count(HINT) == hints
    assert got in result.stdout
