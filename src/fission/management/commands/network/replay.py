"""`check --replay`: test whether each job continues identically after a restart (simulate, restore, repeat, compare)."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fission.channel.admissions import LARGEST_LOGGED
from fission.core.jobs import BaseJob, InteractiveJob, PythonJob
from fission.core.jobs.base import has_state, is_origin, is_replayable
from fission.core.network import Network
from fission.engine.host.scratch import scratch
from fission.engine.protocol.job_report import JobReport
from fission.engine.simulate.simulation import SIMULATION, End, Outcome, Simulation, simulation_folders
from fission.errors import RunError
from fission.management.commands.network.typist import lines_by_job, type_lines
from fission.project.job_files.dependencies import install_dependencies
from fission.runtime.launch.supervisor import OutputLine

TIMEOUT = 60.0
"""Time limit of a job for the repeated rounds."""
_LONGEST = 500
"""Characters of an error of the process that repeats them."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Result for one job; `same` is None if nothing was compared."""

    job: str
    same: bool | None
    text: str


def replay_network(
    network: Network, root: Path, *, seconds: float, typed: Iterable[str] = ()
) -> list[ReplayResult]:
    """Simulate for some seconds, then repeat rounds of each job. Raises RunError when the simulation fails.

    `typed` has lines for InteractiveJobs, each as JOB=LINE; they are typed again and again meanwhile.
    """
    lines = lines_by_job(network, typed)
    with (
        simulation_folders(network, Path(network.folder) / SIMULATION) as folders,
        scratch("fission-replay-") as trials,
    ):
        for job in network.jobs:
            install_dependencies(network, job, folders[job.id])
        simulation = Simulation(
            network, folders, _SilentWatcher(), sys_path=(str(root),), seconds=seconds, trials=trials
        )
        outcome = asyncio.run(_simulate(simulation, lines, folders))
        if outcome.end is End.FAILED and outcome.failure is not None:
            raise RunError(outcome.failure.message, where=f"network {network.name}, simulated")
        answers = [_answer(job, folders[job.id], trials) for job in network.jobs]
        notes = [_notes(network, job, outcome.jobs[job.id]) for job in network.jobs]
        return [
            replace(one, text="; ".join([one.text, *some])) for one, some in zip(answers, notes, strict=True)
        ]


async def _simulate(
    simulation: Simulation, lines: Mapping[int, Sequence[str]], folders: Mapping[int, Path]
) -> Outcome:
    typing = asyncio.create_task(type_lines(lines, folders))
    try:
        return await simulation.run()
    finally:
        typing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await typing


class _SilentWatcher:
    """A `Watcher` that ignores everything."""

    def line(self, job: int, line: OutputLine) -> None:
        """Ignore a line."""

    def log(self, job: int | None, level: int, text: str) -> None:
        """Ignore a message."""

    def status(self, states: dict[int, JobReport], seconds: float) -> None:
        """Ignore the counters."""


def _answer(job: BaseJob, folder: Path, trials: Path) -> ReplayResult:
    if not isinstance(job, PythonJob):
        return ReplayResult(job.name, None, "is a program: its internal state is not saved")
    if is_origin(job) and not is_replayable(job):
        text = "is a live source (no snapshot() and restore()): a restart begins a new epoch for all sources of its joins"
        return ReplayResult(job.name, None, text)
    trial, result = trials / f"{job.id}.trial", trials / f"{job.id}.json"
    if not trial.exists():
        return ReplayResult(job.name, None, "computed too few rounds: nothing was compared")
    copy = trials / str(job.id)
    try:
        shutil.copytree(folder, copy, symlinks=True)  # the job may write there
    except OSError as error:  # shutil.Error has a list of (source, copy, text)
        found = error.strerror or str(error.args[0][0][2])
        raise RunError("the folder of a job cannot be copied", where=str(copy), found=found) from error
    program = "from fission.runtime.checkpointing.replay_check import main; main()"
    command = [sys.executable, "-P", "-c", program, os.fspath(trial), os.fspath(result)]
    why = f"within {TIMEOUT:.0f} s"
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, cwd=copy, timeout=TIMEOUT, capture_output=True, check=False)  # noqa: S603 - a module of this package
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        why = f"as its process ended with code {done.returncode}: {said[:_LONGEST]}"
    if not result.exists():
        return ReplayResult(job.name, False, f"did not repeat its rounds {why}")
    return _verdict(job.name, json.loads(result.read_text(encoding="utf-8")))


def _notes(network: Network, job: BaseJob, report: JobReport) -> list[str]:
    """Describe what is not repeated, or was not tested, of a job's optional inputs."""
    notes: list[str] = []
    for edge in network.inputs_of(job.id):
        pipe = edge.pipe
        if not pipe.ASYNC or not isinstance(job, PythonJob):
            continue
        counters = report.pipes.get(pipe.id, {})
        delivered = int(counters.get("delivered", 0))
        if pipe.DELIVERY != "exact":
            notes.append(
                f"blocks of optional pipe {pipe.id} are not repeated (DELIVERY is {pipe.DELIVERY!r})"
            )
        elif not has_state(job):
            why = "STATE is 'none'" if job.STATE == "none" else "it numbers its rounds by itself"
            notes.append(f"blocks of optional pipe {pipe.id} are not repeated ({why})")
        elif not delivered:
            source = network.job(edge.source)
            hint = (
                f": type some with --type '{source.name}=LINE'" if isinstance(source, InteractiveJob) else ""
            )
            notes.append(f"not tested with blocks of optional pipe {pipe.id}, as none came{hint}")
        elif counters.get("bytes", 0) / delivered > LARGEST_LOGGED:
            limit = f"more than {LARGEST_LOGGED >> 10} KiB"
            notes.append(f"blocks of optional pipe {pipe.id} are too large to be repeated ({limit})")
    return notes


def _verdict(name: str, found: dict[str, object]) -> ReplayResult:
    start, rounds, difference = found["start"], found["rounds"], found["difference"]
    attributes, left_out = list(map(str, found["attributes"])), list(map(str, found["left_out"]))  # type: ignore[call-overload]
    if not difference and not attributes:
        return ReplayResult(name, True, f"continues identically: {rounds} rounds after round {start}")
    what = str(difference) or "all blocks are equal"
    if attributes:
        what += f"; other attributes: {', '.join(attributes)}"
    if left_out:
        what += f"; not saved, because it cannot be pickled: {', '.join(left_out)}"
    return ReplayResult(name, False, f"differs after a restart at round {start}: {what}")
