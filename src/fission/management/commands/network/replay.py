"""`check --replay`: does every job go on identically after a restart? Simulates, cuts, restores, compares."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fission.core.jobs import BaseJob, PythonJob
from fission.core.jobs.base import is_origin, is_replayable
from fission.core.network import Network
from fission.engine.host.scratch import scratch
from fission.engine.protocol.job_report import JobReport
from fission.engine.simulate.simulation import End, Simulation, prepare_folders
from fission.errors import RunError
from fission.management.access.running_client import SIMULATION
from fission.project.job_files.dependencies import install_dependencies
from fission.runtime.launch.supervisor import OutputLine

TIMEOUT = 60.0
"""Seconds that a job may take for its rounds when they are repeated."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found about one job; `same` is None where nothing could be compared."""

    job: str
    same: bool | None
    text: str


def replay_network(network: Network, root: Path, *, seconds: float) -> list[Answer]:
    """Simulate for some seconds, then repeat rounds of every job. Raises RunError when the simulation fails."""
    folders = prepare_folders(network, Path(network.folder) / SIMULATION)
    for job in network.jobs:
        install_dependencies(network, job, folders[job.id])
    with scratch("fission-replay-") as trials:
        simulation = Simulation(
            network, folders, _Silent(), sys_path=(str(root),), seconds=seconds, trials=trials
        )
        outcome = asyncio.run(simulation.run())
        if outcome.end is End.FAILED and outcome.failure is not None:
            raise RunError(outcome.failure.message, where=f"network {network.name}, simulated")
        return [_answer(job, folders[job.id], trials) for job in network.jobs]


class _Silent:
    """Nobody looks at this simulation."""

    def line(self, job: int, line: OutputLine) -> None:
        """A job wrote a line."""

    def log(self, job: int | None, level: int, text: str) -> None:
        """Something happened."""

    def status(self, states: dict[int, JobReport], seconds: float) -> None:
        """How far every job is."""


def _answer(job: BaseJob, folder: Path, trials: Path) -> Answer:
    if not isinstance(job, PythonJob):
        return Answer(job.name, None, "is a program: what it remembers is not kept")
    if is_origin(job) and not is_replayable(job):
        text = "is a live source (no snapshot() and restore()): it counts from 1 again, with all that meet it in a join"
        return Answer(job.name, None, text)
    trial, result = trials / f"{job.id}.trial", trials / f"{job.id}.json"
    if not trial.exists():
        return Answer(job.name, None, "has computed too few rounds: nothing was compared")
    copy = trials / str(job.id)
    shutil.copytree(folder, copy, symlinks=True)  # what it writes there is no matter of ours
    program = "from fission.runtime.checkpointing.replay_check import main; main()"
    command = [sys.executable, "-P", "-c", program, os.fspath(trial), os.fspath(result)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, cwd=copy, timeout=TIMEOUT, capture_output=True, check=False)  # noqa: S603 - our own module
    if not result.exists():
        return Answer(
            job.name, False, f"did not repeat its rounds within {TIMEOUT:.0f} s, or its process ended"
        )
    return _verdict(job.name, json.loads(result.read_text(encoding="utf-8")))


def _verdict(name: str, found: dict[str, object]) -> Answer:
    start, rounds, difference = found["start"], found["rounds"], found["difference"]
    attributes, left_out = list(map(str, found["attributes"])), list(map(str, found["left_out"]))  # type: ignore[call-overload]
    if not difference and not attributes:
        return Answer(name, True, f"goes on identically: {rounds} rounds after round {start}")
    what = str(difference) or "all blocks are the same"
    if attributes:
        what += f"; other attributes: {', '.join(attributes)}"
    if left_out:
        what += f"; not kept, because it cannot be pickled: {', '.join(left_out)}"
    return Answer(name, False, f"differs after a restart at round {start}: {what}")
