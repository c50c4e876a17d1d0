"""The two ways in which a network runs behind a handle: simulated on this machine, or on nodes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fission.api.networks import modules_beside, user_paths
from fission.api.observer import HandleObserver
from fission.cluster import Outcome
from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.engine.client.control_socket import ProcessesRequest, Request, StatusRequest, StopRequest
from fission.engine.client.node_source import NodeSource
from fission.engine.client.open_run import RunSession, open_run
from fission.engine.client.processes import CLIENT
from fission.engine.protocol.job_report import JobReport
from fission.engine.protocol.link_messages import processes_to_plain
from fission.engine.protocol.processes import processes_here
from fission.engine.simulate.simulation import SIMULATION, Simulation, simulation_folders
from fission.errors import AllocationError, FissionError, ProjectError, RunError
from fission.project.job_files.dependencies import install_dependencies

__all__ = ["Backend", "ClusterBackend", "Ended", "SimulationBackend"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a network has ended: by itself or not, after how long, with the rounds of each job, and with which error."""

    finished: bool
    seconds: float
    jobs: Mapping[int, JobReport]
    error: FissionError | None = None


class Backend(Protocol):
    """Runs one network: `await run(...)` once. The rest may be called meanwhile, in the same event loop."""

    async def run(
        self, network: Network, observer: HandleObserver, adapt: Callable[[Network], Network]
    ) -> Ended:
        """Run to the end. Raises FissionError when the network cannot start.

        `adapt` adds the readers of pipes to a network that is read again.
        """

    @property
    def started(self) -> bool:
        """Whether every job runs, or has run."""

    def finished(self, job: int) -> bool:
        """Whether a job has finished."""

    def interrupt(self) -> None:
        """Stop; a second call stops by force."""

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """Answer a request of the control socket."""

    async def reload_class(self, kind: type[BaseJob]) -> Mapping[str, Any]:
        """Give new code to the jobs of a class."""


class SimulationBackend:
    """Simulates a network in the folder `simulation` of its folder."""

    def __init__(self, *, seconds: float | None) -> None:
        self._seconds = seconds
        self._simulation: Simulation | None = None
        self._stopped = False

    @property
    def started(self) -> bool:
        """Whether every job runs, or has run."""
        return self._simulation is not None and self._simulation.started

    async def run(
        self,
        network: Network,
        observer: HandleObserver,
        adapt: Callable[[Network], Network],  # noqa: ARG002 - it is not read again
    ) -> Ended:
        """Simulate to the end."""
        folder = Path(network.folder)
        own = () if (folder / "config.py").is_file() else user_paths()
        with simulation_folders(network, folder / SIMULATION) as folders:
            for job in network.jobs:
                install_dependencies(network, job, folders[job.id])
            self._simulation = Simulation(
                network, folders, observer, sys_path=(str(folder.parent), *own), seconds=self._seconds
            )
            if self._stopped:
                self._simulation.interrupt()
            outcome = await self._simulation.run()
        failure = outcome.failure
        error = None if failure is None else _error(failure.message, failure.traceback)
        return Ended(outcome.end.name == "FINISHED", outcome.seconds, outcome.jobs, error)

    def finished(self, job: int) -> bool:
        """Whether a job has finished."""
        return self._simulation is not None and self._simulation.reports[job].state == "finished"

    def interrupt(self) -> None:
        """Stop the simulation."""
        self._stopped = True
        if self._simulation is not None:
            self._simulation.interrupt()

    async def reload_class(self, kind: type[BaseJob]) -> Mapping[str, Any]:  # noqa: ARG002 - there are no checkpoints
        """Refuse it."""
        return {"lines": [], "errors": ["a simulation is not reloaded: it has no checkpoints"]}

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """Answer questions; there is nothing to move."""
        if isinstance(request, StatusRequest) and self._simulation is not None:
            return {"lines": [], "errors": [], "network": self._simulation.view("").plain()}
        if isinstance(request, ProcessesRequest) and self._simulation is not None:
            return {"processes": {CLIENT: processes_to_plain(processes_here(self._simulation.pids()))}}
        if isinstance(request, StopRequest):
            self.interrupt()
            return {"lines": [], "errors": []}
        return {
            "lines": [],
            "errors": ["a simulation has no nodes; run the network: run(network, embedded=3)"],
        }


class ClusterBackend:
    """Runs a network on nodes: those of the network, or those of `source`."""

    def __init__(
        self, *, source: NodeSource | None, seconds: float | None, wait: float | None, fresh: bool
    ) -> None:
        self._source = source
        self._seconds = seconds
        self._wait = wait
        self._fresh = fresh
        self._session: RunSession | None = None
        self._asked = 0

    @property
    def started(self) -> bool:
        """Whether every job runs, or has run."""
        return self._session is not None and self._session.started

    async def run(
        self, network: Network, observer: HandleObserver, adapt: Callable[[Network], Network]
    ) -> Ended:
        """Run to the end."""
        folder = Path(network.folder)
        with open_run(
            network,
            _root_of(folder),
            source=self._source,
            seconds=self._seconds,
            wait=self._wait,
            fresh=self._fresh,
            adapt=adapt,
        ) as opened:
            self._session = session = opened.begin(observer)
            for _ in range(self._asked):
                session.interrupt()
            outcome = await session.run()
        end = outcome.end
        error = None
        if end.failure is not None:
            kind = AllocationError if end.exit_code == AllocationError.exit_code else RunError
            error = _error(end.failure.message, end.failure.traceback, kind)
        return Ended(end.outcome is Outcome.FINISHED, outcome.seconds, outcome.jobs, error)

    def finished(self, job: int) -> bool:
        """Whether a job has finished."""
        return self._session is not None and self._session.finished(job)

    def interrupt(self) -> None:
        """Stop the run; a second call stops it by force."""
        self._asked += 1
        if self._session is not None:
            self._session.interrupt()

    async def reload_class(self, kind: type[BaseJob]) -> Mapping[str, Any]:
        """Let the run restart its jobs."""
        reloader = None if self._session is None else self._session.reloader
        if reloader is None:
            return {"lines": [], "errors": ["the run has not begun"]}
        return await reloader.reload_class(kind)

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """Let the run answer."""
        if self._session is None:
            return {"lines": [], "errors": ["the run has not begun"]}
        return await self._session.answer(request)


def _root_of(folder: Path) -> Path:
    """Return the folder of the project, whose modules the nodes receive; for a program, links to the modules that it uses."""
    root = folder.parent
    if (folder / "config.py").is_file():
        return root
    root = folder / "modules"
    try:
        root.mkdir(exist_ok=True)
        for place, module in modules_beside(root):
            Path(place).unlink(missing_ok=True)  # of an earlier run in the same folder
            Path(place).symlink_to(module)
    except OSError as error:
        raise ProjectError(
            f"the network's folder cannot be prepared: {error.strerror}", where=str(error.filename or root)
        ) from error
    return root


def _error(message: str, traceback: str, kind: type[FissionError] = RunError) -> FissionError:
    error = kind(message)
    if traceback:
        error.add_note(traceback.rstrip())
    return error
