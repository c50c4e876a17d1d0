"""The time of a run begins when all of its jobs run; `status` also shows a simulation."""

import json
import subprocess

import pytest

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Ticks(PythonJob):
    def run(self):
        self.pace(hz=50)
        return 1


class Slow(PythonJob):
    def setup(self):
        time.sleep(3)

    def run(self, value):
        return value
"""
CONFIG = """
JOBS = [
    Ticks(outputs=[PicklePipe(1)]),
    Slow(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
    CSVSinkJob("out.csv", inputs=[PicklePipe(2)]),
]
"""


@pytest.mark.parametrize("options", [("simulate",), ("run", "--embedded", "2")])
def test_the_start_does_not_count(project: Project, options: tuple[str, ...]) -> None:
    project.write(JOBS, CONFIG)
    command = project.command(options[0], *options[1:], "--for", "2s")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "for 2." in done.stdout.splitlines()[-1]
    if options[0] == "run":
        assert done.stdout.startswith("loads and checks net\n")
        assert "waits for 1 job: Slow 2 (starting on 127.0.0." in done.stdout
    summary = [line.split() for line in done.stdout.splitlines() if line.startswith("CSVSinkJob 3 ")][-1]
    rounds = int(summary[3])
    assert rounds > 0
    assert float(summary[4]) > rounds / 3, "the rate is that of about two seconds"


def test_status_shows_a_simulation(project: Project) -> None:
    project.write(JOBS, CONFIG)
    project.start("--for", "30s")
    states: list[set[str]] = []

    def running() -> bool:
        done = subprocess.run(
            project.command("status", "--json"), capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode == 0:
            network = json.loads(done.stdout)
            assert network["phase"] == "simulated"
            states.append({job["state"] for job in network["jobs"]})
        return bool(states) and states[-1] == {"running"}

    wait_for(running, "all jobs run")
    assert "starting" in set().union(*states)
