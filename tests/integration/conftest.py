"""A project folder with one network, and the real `fission` command run on it."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from fission.project.scaffold import start_project
from kits.waiting import wait_for

DEADLINE = 60.0


@dataclass
class Project:
    """A project under test. `write` its network, then `simulate` or `start` it."""

    root: Path
    name: str = "net"
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, jobs: str = "", config: str = "", pipes: str = "") -> "Project":
        """Make a network from the text of its modules; common imports are there already."""
        folder = self.root / self.name
        for part, text in (("jobs", jobs), ("pipes", pipes), ("nodes", "")):
            (folder / part).mkdir(parents=True, exist_ok=True)
            (folder / part / "__init__.py").touch()
            (folder / part / f"{part}.py").write_text(_PRELUDE + textwrap.dedent(text))
        (folder / "__init__.py").touch()
        (folder / "source").mkdir(exist_ok=True)
        imports = f"from {self.name}.jobs.jobs import *\nfrom {self.name}.pipes.pipes import *\n"
        (folder / "config.py").write_text(_PRELUDE + imports + textwrap.dedent(config))
        return self

    @property
    def simulation(self) -> Path:
        return self.root / self.name / "simulation"

    def text(self, job: int, file: str) -> str:
        """A file that a job wrote in its folder."""
        return (self.simulation / str(job) / file).read_text()

    def command(self, verb: str, *options: str) -> list[str]:
        """The command line of a verb for this network."""
        fission = Path(sys.executable).with_name("fission")
        return [str(fission), verb, self.name, "--project", str(self.root), *options]

    def simulate(self, *options: str, deadline: float = DEADLINE) -> "subprocess.CompletedProcess[str]":
        """Run `simulate` to its end."""
        process = self.start(*options)
        try:
            out, err = process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=10)
            pytest.fail(f"simulate did not end within {deadline} s\n{out}\n{err}")
        assert not processes_of(self.root)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """Start `simulate`; its output goes to pipes."""
        process = subprocess.Popen(
            self.command("simulate", *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},  # as a user has it: compiled modules are kept
        )
        self.running.append(process)
        return process

    def run(self, *options: str, told: bool = True) -> "subprocess.Popen[str]":
        """Start `run`; all it prints goes to one pipe, or nowhere."""
        process = subprocess.Popen(
            self.command("run", *options),
            stdout=subprocess.PIPE if told else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        return process


def processes_of(root: Path) -> list[psutil.Process]:
    """The job processes that run below `root`."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            job = "fission.runtime.job.process" in command or command.startswith("fission: job ")  # its title
            if job and process.cwd().startswith(str(root)):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project in a folder of its own; everything it started is gone at the end."""
    root = start_project(tmp_path, "project")
    one = Project(root)
    yield one
    for process in one.running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    wait_for(lambda: not processes_of(root), "all job processes have ended", 10)


COUNT = """
class Count(PythonJob):
    LAST = 10
    def run(self):
        for value in range(1, self.LAST + 1):
            yield value

class Write(PythonJob):
    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.file = open("out.txt", "w", buffering=1)
    def run(self, *values):
        print(*values, file=self.file)
"""
"""What most networks here have: the numbers from 1 to LAST, and a file with what has come."""

_PRELUDE = """\
import time, os, sys
from fission.core.jobs import *
from fission.core.pipes import *
from fission.core.nodes import *
from fission.core.head import Head
"""
