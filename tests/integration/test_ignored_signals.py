"""A signal that is ignored at the start stays ignored, as after `nohup` and `&` in a script; SIGTERM ends everything."""

import os
import signal
import subprocess

import psutil
import pytest

from kits.waiting import wait_for

from .conftest import Project

TICKS = """
class Ticks(PythonJob):
    def run(self):
        value = 0
        while True:
            value += 1
            print("tick", value)
            yield value
            time.sleep(0.02)
"""


@pytest.mark.parametrize("command", [("simulate",), ("run", "--embedded", "1")])
def test_a_signal_that_is_ignored_at_the_start_stays_ignored(
    project: Project, command: tuple[str, ...]
) -> None:
    project.write(
        TICKS + "class Sink(PythonJob):\n    def run(self, value):\n        pass\n",
        config="JOBS = [Ticks(outputs=[PicklePipe(1)]), Sink(inputs=[PicklePipe(1)])]",
    )
    verb, *options = command
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", *project.command(verb, *options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    project.running.append(process)
    assert process.stdout is not None
    ticks = (line for line in process.stdout if "tick" in line)
    next(ticks)
    started = psutil.Process(process.pid).children(recursive=True)
    for number in (signal.SIGINT, signal.SIGHUP):
        for one in (process.pid, *(child.pid for child in started)):
            os.kill(one, number)
        for _ in range(50):
            next(ticks)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=30)
    wait_for(lambda: not any(one.is_running() for one in started), "everything has ended", 10)
