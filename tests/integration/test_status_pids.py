"""`status --pids` names the processes of a network; all of them have titles."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Ticks(PythonJob):
    def run(self):
        self.pace(hz=50)
        return 1
"""
CONFIG = """
JOBS = [Ticks(outputs=[PicklePipe(1)]), CSVSinkJob("out.csv", inputs=[PicklePipe(1)])]
"""


@pytest.fixture
def counting(project: Project) -> Project:
    return project.write(JOBS, CONFIG)


@pytest.fixture
def client(counting: Project) -> Iterator["subprocess.Popen[str]"]:
    process = counting.run("--embedded", "2", told=False)
    yield process
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def shown(project: Project) -> dict[str, Any]:
    """The view of the network, once both jobs run."""
    seen: list[dict[str, Any]] = []

    def running() -> bool:
        done = status(project, "--json")
        if done.returncode == 0:
            seen.append(json.loads(done.stdout))
        return bool(seen) and all(job["state"] == "running" for job in seen[-1]["jobs"])

    wait_for(running, "both jobs run")
    return seen[-1]


def status(project: Project, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        project.command("status", "--pids", *options), capture_output=True, text=True, timeout=30, check=False
    )


def titles(pids: list[int]) -> list[str]:
    return [" ".join(psutil.Process(pid).cmdline()).strip() for pid in pids]


def test_the_processes_of_a_run(counting: Project, client: "subprocess.Popen[str]") -> None:
    view = shown(counting)
    host = socket.gethostname()
    assert view["client"] == {"pid": client.pid, "host": host}
    jobs, nodes = view["jobs"], view["nodes"]
    assert titles([job["pid"] for job in jobs]) == ["fission: job Ticks 1", "fission: job CSVSinkJob 2"]
    assert {node["host"] for node in nodes} == {host}
    for node, title in zip(nodes, titles([node["pid"] for node in nodes]), strict=True):
        assert title.startswith(f"fission: node {node['address']}:")
    printed = status(counting).stdout
    assert f"client: process {client.pid} on {host}" in printed
    assert all(str(one["pid"]) in printed for one in (*jobs, *nodes))
    everything = titles([one.pid for one in psutil.Process(client.pid).children(recursive=True)])
    assert titles([client.pid]) == [f"fission: run net in {counting.root}"]
    assert {"fission: reaper", "fission: fork server"} <= set(everything)
    assert all(title.startswith("fission: ") for title in everything), everything


def test_the_processes_of_a_simulation(counting: Project) -> None:
    process = counting.start("--for", "30s")
    view = shown(counting)
    assert view["client"]["pid"] == process.pid
    assert titles([job["pid"] for job in view["jobs"]]) == [
        "fission: job Ticks 1",
        "fission: job CSVSinkJob 2",
    ]
