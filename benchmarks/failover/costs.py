"""The cost of a cluster without failures: start, memory, false alarms."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness.machine import bare_memory
from benchmarks.harness.processes import Run
from benchmarks.subjects import fission_command
from fission.project.scaffold import start_project
from lab import Lab, LabError, Stream, job_processes
from lab.stream import WORK

_NAME = "ten"
_START_SECONDS = 60.0
_TEN = """\
import time

from fission.core.jobs import ForwardingJob, LocalJob, PythonJob, SourceJob
from fission.core.pipes import PicklePipe


class First(LocalJob, PythonJob):
    def run(self, value):
        if not self.seen:
            print("first block", time.monotonic(), flush=True)
        self.seen = True

    seen = False


pipes = [PicklePipe(number) for number in range(1, 10)]
JOBS = [
    SourceJob(delay=0.01, outputs=[pipes[0]]),
    *(ForwardingJob([before], [after]) for before, after in zip(pipes, pipes[1:])),
    First([pipes[-1]]),
]
"""


@dataclass
class Cost:
    """One figure with its goal. `problem` says why it could not be measured."""

    what: str
    goal: float
    form: str = "{:.2f}"
    values: list[float] = field(default_factory=list)
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return dict(vars(self))


def start_seconds(runs: int) -> Cost:
    """From the command to the first block at the sink: ten jobs in a chain, on three embedded nodes."""
    cost = Cost("ten jobs on three embedded nodes: `run` to the first block at the sink (s)", 3.0)
    with tempfile.TemporaryDirectory(prefix="fission-start-", ignore_cleanup_errors=True) as name:
        root = start_project(Path(name), "project")
        (root / _NAME).mkdir()
        (root / _NAME / "__init__.py").touch()
        (root / _NAME / "config.py").write_text(_TEN, encoding="utf-8")
        for _ in range(runs):
            output = Path(name) / "output.txt"
            command = (fission_command(), "run", _NAME, "--embedded", "3")
            with Run(command, root, os.environ, output) as run:
                first = _first_block(run)
            if first is None:
                cost.problem = run.tail(3)
                break
            cost.values.append(first - run.started)
    return cost


def _first_block(run: Run) -> float | None:
    """Wait until the sink says when its first block came."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and run.process.poll() is None:
        if first := re.search(r"first block ([0-9.]+)", run.output.read_text(errors="replace")):
            return float(first[1])
        time.sleep(0.05)
    return None


def memory() -> list[Cost]:
    """Memory of a node service and of the processes of jobs, in a run at 100 blocks/s.

    Processes of jobs share most of theirs with the process that they were forked from, which has imported numpy: so the
    baseline is an interpreter that has imported it too, and the memory that they do not share is measured as well.
    """
    bare = bare_memory()["python with numpy"] / 1e6
    service = Cost("node service, RSS (MB)", 65, "{:.1f}")
    job = Cost("job process, TLS: RSS over a bare interpreter with numpy (MB)", 15, "{:.1f}")
    private = Cost("job process, TLS: private memory (MB)", 15, "{:.1f}")
    with (
        tempfile.TemporaryDirectory(prefix="fission-memory-", ignore_cleanup_errors=True) as folder,
        Lab(Path(folder) / "lab") as lab,
    ):
        stream = Stream.in_lab(lab, blocks=100_000, rate=100)
        lab.start_nodes()
        client = stream.start(lab.client)
        try:
            stream.await_rows(500, client)
            service.values = [_rss(node.service.pid) for node in lab.nodes if node.service]
            found = [pid for node in lab.nodes for id, pid in job_processes(node).items() if id <= WORK]
            job.values = [_rss(pid) - bare for pid in found]
            private.values = [float(psutil.Process(pid).memory_full_info().uss) / 1e6 for pid in found]
        except (LabError, AssertionError) as error:
            service.problem = job.problem = private.problem = str(error).splitlines()[0]
    return [service, job, private]


def alarms(seconds: float, say: Callable[[str], None] = print) -> Cost:
    """Nodes that are lost although nothing is wrong.

    The stream runs as fast as it can, and both cores are busy with something else as well.
    """
    alarms = Cost(f"false alarms in {seconds:g} s of full load, both cores busy", 0, "{:.0f}")
    with (
        tempfile.TemporaryDirectory(prefix="fission-load-", ignore_cleanup_errors=True) as folder,
        Lab(Path(folder) / "lab") as lab,
    ):
        stream = Stream.in_lab(lab, blocks=1 << 40, rate=0)
        lab.start_nodes()
        client = stream.start(lab.client)
        busy = []
        try:
            stream.await_rows(50, client)
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
            end = time.monotonic() + seconds
            while time.monotonic() < end and client.running:
                time.sleep(min(5, seconds))
                say(f"full load: {end - time.monotonic():.0f} s left")
            log = (stream.root / "FISSION.log").read_text(errors="replace")
            alarms.values = [float(len(re.findall(r"\blost: ", log)))]
            if not client.running:
                alarms.problem = f"run ended with code {client.code}"
        except (LabError, AssertionError) as error:
            alarms.problem = str(error).splitlines()[0]
        finally:
            for process in busy:
                process.kill()
                process.wait()
    return alarms


def _rss(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6
