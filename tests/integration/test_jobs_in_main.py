"""Jobs that a script defines itself run in processes and on nodes, and survive a crash there."""

import subprocess
import sys
from pathlib import Path

import pytest

from fission.project.scaffold import start_network, start_project
from kits.waiting import DEADLINE

SCRIPT = """
import os, signal, sys
from dataclasses import dataclass
from pathlib import Path
from fission.core.jobs import PythonJob
from fission.management.manage import main

LAST = 120

@dataclass
class Reading:
    number: int

class Count(PythonJob):
    def run(self):
        for number in range(1, LAST + 1):
            self.pace(hz=100)
            yield Reading(number)

class Add(PythonJob):
    def setup(self):
        self.sum = Reading(0)  # a checkpoint of a class that no process can import

    def run(self, reading):
        self.sum = Reading(self.sum.number + reading.number)
        if reading.number == 60 and CRASH and not self.resumed:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.sum

class Show(PythonJob):
    def run(self, reading):
        return reading.number

CRASH = sys.argv[1] == "run"
sys.exit(main(["net", *sys.argv[1:]], root=Path(__file__).parent))
"""

CONFIG = """
from __main__ import Add, Count, Show
from fission.core.jobs import CSVSinkJob
from fission.core.pipes import PicklePipe

JOBS = [
    Count(outputs=[PicklePipe(1)]),
    Add(inputs=[PicklePipe(1)], outputs=[PicklePipe(2), PicklePipe(4)]),
    Show(inputs=[PicklePipe(2)], outputs=[PicklePipe(3)]),
    CSVSinkJob("numbers.csv", inputs=[PicklePipe(3)]),
    CSVSinkJob("readings.csv", inputs=[PicklePipe(4)]),
]
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    root = start_project(tmp_path, "laboratory")
    (start_network(root, "net") / "config.py").write_text(CONFIG)
    (root / "script.py").write_text(SCRIPT.replace("return self.sum", "return self.sum, self.sum"))
    return root / "script.py"


@pytest.mark.parametrize(
    ("command", "results"),
    [(("simulate",), "simulation"), (("run", "--embedded", "2"), "local")],
    ids=["simulate", "run"],
)
def test_a_script_with_jobs(script: Path, command: tuple[str, ...], results: str) -> None:
    done = subprocess.run(
        [sys.executable, str(script), *command, "--until-finished"],
        cwd=script.parent.parent,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sums = [sum(range(1, last + 1)) for last in range(1, 121)]
    folder = script.parent / "net" / results
    assert (folder / "4/numbers.csv").read_text().split() == ["pipe_3", *map(str, sums)]
    shown = [f"Reading(number={number})" for number in sums]
    assert (folder / "5/readings.csv").read_text().split() == ["pipe_4", *shown]
    assert ("was killed by SIGKILL" in done.stderr) == (results == "local"), done.stderr
