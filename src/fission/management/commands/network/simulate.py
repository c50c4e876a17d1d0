"""`simulate`: run every job of a network on this machine, with the same runtime as a real run."""

import asyncio
import signal
import uuid
from pathlib import Path
from time import monotonic

from fission.core.network import Network
from fission.engine.client.views import JobPlace
from fission.engine.protocol.job_report import missing_output
from fission.engine.simulate.simulation import End, Outcome, Simulation, prepare_folders
from fission.management.access.running_client import SIMULATION
from fission.management.access.signals import not_ignored
from fission.management.commands.cluster.debug import open_debug_window
from fission.management.console.job_console import RunConsole
from fission.management.console.outlets import LAST_WORDS, Hurry, outlets
from fission.management.console.run_log import SimulationLog, log_file, record_file
from fission.project.job_files.dependencies import install_dependencies
from fission.runtime.sockets.descriptors import raise_descriptor_limit


def simulate_network(
    network: Network, root: Path, *, seconds: float | None, until_finished: bool, quiet: bool
) -> int:
    """Simulate a network that has been checked, in `<network>/simulation`; return the exit code.

    0 when it finished, was ended with Ctrl+C or after `seconds`; 1 when a job failed. With `until_finished`
    only a network that has finished gives 0, and only if no sink lacks its blocks because of a job that returned nothing.
    """
    raise_descriptor_limit()
    folder = Path(network.folder) / SIMULATION
    folders = prepare_folders(network, folder)
    for job in network.jobs:
        install_dependencies(network, job, folders[job.id])
    with (
        log_file(folder / "fission.log") as log,
        record_file(folder) as records,
        outlets() as hurry,
        RunConsole(network, quiet=quiet) as console,
    ):
        watcher = SimulationLog(network, console, log, records, run=uuid.uuid4().hex)
        watcher.information([JobPlace(job.id, job.name, "client", 1, "", 0) for job in network.jobs])
        if note := open_debug_window(network, simulation=True):
            console.say(note)
        simulation = Simulation(network, folders, watcher, sys_path=(str(root),), seconds=seconds)
        if seconds is not None:
            hurry(monotonic() + seconds + LAST_WORDS)
        outcome = asyncio.run(_run(simulation, hurry))
        if outcome.failure is not None:
            log.error("%s", outcome.failure.message)
        missing = missing_output(network, outcome.jobs) if until_finished else ""
        _tell(outcome, console, missing, until_finished=until_finished)
    if outcome.failure is not None:
        return 1
    return 1 if until_finished and (missing or outcome.end is not End.FINISHED) else 0


async def _run(simulation: Simulation, hurry: Hurry) -> Outcome:
    """Run it until a signal ends it, if it does not end by itself.

    The handlers are not those of the event loop, which stands still while a reader of what we print does.
    """
    loop = asyncio.get_running_loop()

    def end(_number: int, _frame: object) -> None:
        hurry(monotonic() + LAST_WORDS)
        loop.call_soon_threadsafe(simulation.interrupt)

    numbers = not_ignored(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        return await simulation.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(outcome: Outcome, console: RunConsole, missing: str, *, until_finished: bool) -> None:
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
    elif missing:
        console.error(f"error: {missing}")
    else:
        console.say(f"simulated for {outcome.seconds:.1f} s: {what}")
