"""Runs without a terminal: started in the background, or left behind by a terminal that was closed."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Ticks(PythonJob):
    def run(self):
        self.pace(hz=50)
        print("tick")
        return 1


class Fails(PythonJob):
    def setup(self):
        raise ValueError("no such device")

    def run(self, _value):
        pass
"""
CONFIG = """
JOBS = [Ticks(outputs=[PicklePipe(1)]), CSVSinkJob("out.csv", inputs=[PicklePipe(1)])]
"""


@pytest.fixture
def running(project: Project) -> Iterator[Project]:
    """A project whose network is stopped at last."""
    project.write(JOBS, CONFIG)
    yield project
    fission(project, "stop", "--force")


def fission(project: Project, verb: str, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        project.command(verb, *options),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def status(project: Project) -> dict[str, Any] | None:
    done = fission(project, "status", "--json")
    return None if done.returncode else json.loads(done.stdout)


def rows(project: Project) -> int:
    file = project.root / "net" / "local" / "2" / "out.csv"
    return file.read_text().count("\n") if file.exists() else 0


def goes_on(project: Project) -> None:
    before = rows(project)
    wait_for(lambda: rows(project) > before + 20, "more rows")


def stop(project: Project) -> None:
    """Stop the network; nothing of it is left."""
    done = fission(project, "stop")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: not processes(project.root), "every process has ended")


def processes(root: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(root) in word for word in process.info["cmdline"] or ())
    ]


def test_a_run_in_the_background(running: Project) -> None:
    done = fission(running, "run", "--embedded", "2", "--detach")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "net runs in the background (process " in done.stdout
    view = status(running)
    assert view is not None
    assert {job["state"] for job in view["jobs"]} == {"running"}
    goes_on(running)
    again = fission(running, "run", "--embedded", "2", "--detach")
    assert again.returncode != 0
    assert "the network is being run already" in again.stdout
    stop(running)


def test_a_start_that_fails_is_told(project: Project) -> None:
    project.write(JOBS, CONFIG.replace('CSVSinkJob("out.csv", inputs', "Fails(inputs"))
    done = fission(project, "run", "--embedded", "2", "--detach")
    assert done.returncode == 1
    assert "no such device" in done.stdout
    assert status(project) is None
    wait_for(lambda: not processes(project.root), "every process has ended")


def test_attach_shows_the_console_and_leaves_the_network(running: Project) -> None:
    assert fission(running, "attach").returncode == 1
    assert fission(running, "run", "--embedded", "2", "--detach").returncode == 0
    attached = subprocess.Popen(
        running.command("attach"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    running.running.append(attached)
    assert attached.stdout is not None
    seen = next(line for line in attached.stdout if "Ticks 1" in line and "tick" in line)
    assert seen
    attached.send_signal(signal.SIGINT)
    out, _ = attached.communicate(timeout=20)
    assert "net goes on; `fission stop net` ends it" in out
    goes_on(running)
    follower = subprocess.Popen(
        running.command("attach"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    running.running.append(follower)
    assert follower.stdout is not None
    next(line for line in follower.stdout if "tick" in line)
    stop(running)
    out, _ = follower.communicate(timeout=20)
    assert out.endswith("net has ended\n")


@pytest.mark.parametrize("hangup", ["close", "signal"])
def test_a_closed_terminal_leaves_the_network(running: Project, hangup: str) -> None:
    pid, terminal = pty.fork()
    if not pid:
        os.execv(running.command("run")[0], running.command("run", "--embedded", "2"))
    try:
        wait_for(lambda: rows(running) > 20, "rows")
        if hangup == "signal":
            os.kill(pid, signal.SIGHUP)
            log = running.root / "FISSION.log"
            wait_for(lambda: "goes on without a terminal" in log.read_text(), "the run is detached")
    finally:
        os.close(terminal)
    goes_on(running)
    view = status(running)
    assert view is not None
    assert view["phase"] == "running"
    stop(running)
    ended: list[int] = []

    def reaped() -> bool:
        done, code = os.waitpid(pid, os.WNOHANG)
        ended.extend([code] if done else [])
        return bool(ended)

    wait_for(reaped, "the client has ended", 20)
    assert os.waitstatus_to_exitcode(ended[0]) == 0
