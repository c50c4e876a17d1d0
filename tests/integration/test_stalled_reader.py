"""`simulate` ends when it is told to, also while nobody reads what it prints."""

import os
import signal
import subprocess

import pytest

from kits.waiting import steady, wait_for

from .conftest import Project, processes_of

JOBS = """
    class Talk(PythonJob):
        def run(self):
            while True:
                print("x" * 100)
                yield 1

    class Sink(PythonJob):
        def run(self, value):
            pass
"""
CONFIG = "JOBS = [Talk(outputs=[PicklePipe(1)]), Sink([PicklePipe(1)])]"


def start(project: Project, *options: str) -> "subprocess.Popen[str]":
    """Start it, and wait until its output stands still: the pipe is full."""
    process = project.write(JOBS, CONFIG).start(*options)
    log = project.simulation / "fission.log"
    wait_for(lambda: log.exists() and "x" * 100 in log.read_text(), "the first line")
    wait_for(steady(lambda: log.stat().st_size, 0.4), "the output stands still")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(project: Project, number: signal.Signals) -> None:
    process = start(project)
    os.kill(process.pid, number)
    assert process.wait(20) == 0
    assert not processes_of(project.root)


def test_the_time_ends_it(project: Project) -> None:
    process = start(project, "--for", "5s")
    assert process.wait(30) == 0
    assert not processes_of(project.root)
