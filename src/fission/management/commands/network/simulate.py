"""`simulate`: run all jobs of a network on this machine, with the same runtime as on nodes."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

from fission.core.network import Network
from fission.engine.client.control_socket import (
    ControlServer,
    ProcessesRequest,
    Request,
    StatusRequest,
    WatchRequest,
)
from fission.engine.client.private.run_folder import private_folder
from fission.engine.client.processes import CLIENT
from fission.engine.client.views import JobPlace
from fission.engine.protocol.job_report import missing_output
from fission.engine.protocol.link_messages import processes_to_plain
from fission.engine.protocol.processes import processes_here
from fission.engine.simulate.simulation import SIMULATION, End, Outcome, Simulation, simulation_folders
from fission.management.access.signals import not_ignored
from fission.management.commands.cluster.debug import open_debug_window
from fission.management.console.interruptible_output import DRAIN_SECONDS, SetDeadline, interruptible_output
from fission.management.console.job_console import JobConsole
from fission.management.console.run_log import SimulationLog, log_file, record_file
from fission.project.job_files.dependencies import install_dependencies
from fission.runtime.sockets.descriptors import raise_descriptor_limit


def simulate_network(
    network: Network, root: Path, *, seconds: float | None, until_finished: bool, quiet: bool
) -> int:
    """Simulate a checked network in `<network>/simulation`; return the exit code.

    The code is 0 when the network finished or was stopped by Ctrl+C or after `seconds`, 1 when a job failed. With
    `until_finished` it is 0 only if the network finished and no sink lacks blocks because of a job that returned nothing.
    """
    raise_descriptor_limit()
    folder = Path(network.folder) / SIMULATION
    with (
        simulation_folders(network, folder) as folders,
        log_file(folder / "fission.log") as log,
        record_file(folder) as records,
        interruptible_output() as set_deadline,
        JobConsole(network, quiet=quiet) as console,
    ):
        for job in network.jobs:
            install_dependencies(network, job, folders[job.id])
        run = uuid.uuid4().hex
        watcher = SimulationLog(network, console, log, records, run=run)
        watcher.information([JobPlace(job.id, job.name, "client", 1, "", 0) for job in network.jobs])
        if note := open_debug_window(network, simulation=True):
            console.say(note)
        simulation = Simulation(network, folders, watcher, sys_path=(str(root),), seconds=seconds)
        if seconds is not None:
            set_deadline(monotonic() + seconds + DRAIN_SECONDS)
        control = _control(network, simulation, run)
        outcome = asyncio.run(_run(simulation, control, set_deadline))
        if outcome.failure is not None:
            log.error("%s", outcome.failure.message)
        missing = missing_output(network, outcome.jobs) if until_finished else ""
        _report(outcome, console, missing, until_finished=until_finished)
    if outcome.failure is not None:
        return 1
    return 1 if until_finished and (missing or outcome.end is not End.FINISHED) else 0


def _control(network: Network, simulation: Simulation, run: str) -> ControlServer:
    """Return the server that answers `status` and shows blocks, in the network's private folder."""
    private = private_folder(network.folder)
    folder = private / SIMULATION
    for one in (private, folder):
        one.mkdir(mode=0o700, exist_ok=True)

    async def answer(request: Request) -> Mapping[str, Any]:
        if isinstance(request, StatusRequest):
            return {"lines": [], "errors": [], "network": simulation.view(run).plain()}
        if isinstance(request, ProcessesRequest):
            return {"processes": {CLIENT: processes_to_plain(processes_here(simulation.pids()))}}
        return {"lines": [], "errors": ["a simulation only answers `status`"]}

    def watch(request: WatchRequest) -> AsyncIterator[Mapping[str, Any]]:
        return simulation.taps.watch(**asdict(request))

    return ControlServer(folder, answer, watch)


async def _run(simulation: Simulation, control: ControlServer, set_deadline: SetDeadline) -> Outcome:
    """Run the simulation until it ends or a signal stops it.

    The signal handlers are not those of the event loop, which blocks while the reader of the output is stalled.
    """
    loop = asyncio.get_running_loop()

    def stop(_number: int, _frame: object) -> None:
        set_deadline(monotonic() + DRAIN_SECONDS)
        loop.call_soon_threadsafe(simulation.interrupt)

    numbers = not_ignored(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        await control.start()
        return await simulation.run()
    finally:
        await control.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(outcome: Outcome, console: JobConsole, missing: str, *, until_finished: bool) -> None:
    console.summary(outcome.jobs, outcome.seconds)
    if outcome.failure is not None:
        if outcome.failure.traceback:
            console.error(outcome.failure.traceback.rstrip())
        console.error(f"error: {outcome.failure.message}")
        return
    what = {
        End.FINISHED: "all jobs have finished",
        End.TIME: "stopped after the given time",
        End.INTERRUPTED: "stopped by Ctrl+C",
        End.FAILED: "a job failed",
    }[outcome.end]
    if until_finished and outcome.end is not End.FINISHED:
        console.error(f"error: the network had not finished after {outcome.seconds:.1f} s: {what}")
    elif missing:
        console.error(f"error: {missing}")
    else:
        console.say(f"simulated for {outcome.seconds:.1f} s: {what}")
