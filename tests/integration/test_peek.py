"""`peek` and `hz` at a run on real nodes: they follow a moved job, and a killed watcher ends the tap."""

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Ticks(PythonJob):
    def __init__(self, **pipes):
        super().__init__(**pipes)
        self.number = 0

    def run(self):
        self.pace(hz=200)
        self.number += 1
        return {"number": self.number}
"""
CONFIG = """
JOBS = [Ticks(outputs=[JSONPipe(1)]), CSVSinkJob("out.csv", inputs=[JSONPipe(1)])]
"""


@pytest.fixture
def client(project: Project) -> Iterator["subprocess.Popen[str]"]:
    project.write(JOBS, CONFIG)
    process = project.run("--embedded", "2", told=False)
    yield process
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def asked(project: Project, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(project.command(*words), capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.usefixtures("client")
def test_peek_follows_a_job_that_moves(project: Project) -> None:
    wait_for(lambda: asked(project, "peek", "1", "--count", "1").returncode == 0, "a block is shown")
    assert asked(project, "peek", "2").returncode == 2
    with subprocess.Popen(
        project.command("peek", "1", "--json"), stdout=subprocess.PIPE, text=True
    ) as watcher:
        assert watcher.stdout is not None
        assert json.loads(watcher.stdout.readline())["incarnation"] == 1
        assert asked(project, "move", "1").returncode == 0
        for line in watcher.stdout:
            block = json.loads(line)
            assert block["value"]["number"] == block["number"]
            if block["incarnation"] == 2:
                break
        watcher.kill()
    measured = asked(project, "hz", "1", "--count", "1", "--json")
    assert json.loads(measured.stdout)["pipe"] == 1
