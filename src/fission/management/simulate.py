"""`simulate`: run every job of a network on this machine, with the same runtime as a real run."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

from fission.core.network import Network
from fission.engine.reports import JobReport
from fission.engine.simulation import End, Outcome, Simulation, prepare_folders
from fission.errors import ProjectError
from fission.management._console import RunConsole
from fission.project.dependencies import install_dependencies
from fission.runtime.supervisor import OutputLine

FOLDER = "simulation"


def simulate_network(
    network: Network, root: Path, *, seconds: float | None, until_finished: bool, quiet: bool
) -> int:
    """Simulate a network that has been checked, in `<network>/simulation`; return the exit code.

    0 when it finished, was ended with Ctrl+C or after `seconds`; 1 when a job failed. With `until_finished`
    only a network that has finished gives 0.
    """
    folder = Path(network.folder) / FOLDER
    folders = prepare_folders(network, folder)
    for job in network.jobs:
        install_dependencies(network, job, folders[job.id])
    with _log_file(folder / "fission.log") as log, RunConsole(network, quiet=quiet) as console:
        outcome = asyncio.run(_run(network, root, folders, _Both(network, console, log), seconds))
        if outcome.failure is not None:
            log.error("%s", outcome.failure.message)
        _tell(outcome, console, until_finished=until_finished)
    if outcome.failure is not None:
        return 1
    return 1 if until_finished and outcome.end is not End.FINISHED else 0


async def _run(
    network: Network, root: Path, folders: dict[int, Path], watcher: "_Both", seconds: float | None
) -> Outcome:
    simulation = Simulation(network, folders, watcher, sys_path=(str(root),), seconds=seconds)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        loop.add_signal_handler(number, simulation.interrupt)
    return await simulation.run()


def _tell(outcome: Outcome, console: RunConsole, *, until_finished: bool) -> None:
    console.summary(outcome.jobs, outcome.seconds)
    if outcome.failure is not None:
        if outcome.failure.traceback:
            console.error(outcome.failure.traceback.rstrip())
        console.error(f"error: {outcome.failure.message}")
        return
    what = {
        End.FINISHED: "all jobs have finished",
        End.TIME: "the time is up",
        End.INTERRUPTED: "ended by Ctrl+C",
        End.FAILED: "a job failed",
    }[outcome.end]
    if until_finished and outcome.end is not End.FINISHED:
        console.error(f"error: the network had not finished after {outcome.seconds:.1f} s: {what}")
    else:
        console.say(f"simulated for {outcome.seconds:.1f} s: {what}")


class _Both:
    """Tells the console and the log file."""

    def __init__(self, network: Network, console: RunConsole, log: logging.Logger) -> None:
        self._names = {job.id: job.name for job in network.jobs}
        self._console = console
        self._log = log

    def line(self, job: int, line: OutputLine) -> None:
        """A job wrote a line."""
        self._log.info("[%s] %s", self._names[job], line.text)
        self._console.line(job, line)

    def log(self, job: int | None, level: int, text: str) -> None:
        """Something worth a line in the log happened."""
        self._log.log(level, "[%s] %s", "simulate" if job is None else self._names[job], text)
        self._console.log(job, level, text)

    def status(self, reports: dict[int, JobReport], seconds: float) -> None:
        """How far every job is."""
        self._console.status(reports, seconds)


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[logging.Logger]:
    """A log of its own for this simulation, at DEBUG."""
    try:
        handler = logging.FileHandler(path, mode="w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ProjectError(f"the log cannot be written: {error.strerror}", where=str(path)) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-8s %(message)s"))
    log = logging.Logger("fission.simulate", logging.DEBUG)
    log.addHandler(handler)
    try:
        yield log
    finally:
        handler.close()
