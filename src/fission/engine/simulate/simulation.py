"""One simulation: its folders, the local engine, and the reports to its observer."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from time import monotonic

from fission.core.network import Network
from fission.engine.files.locks import LOCK_FILE, locked
from fission.engine.protocol.interfaces import JobEvent
from fission.engine.protocol.job_report import JobReport, ProgressObserver
from fission.engine.protocol.pipe_taps import PipeTaps
from fission.engine.protocol.pipe_views import pipe_views
from fission.engine.simulate.local_engine import LocalEngine
from fission.errors import ProjectError
from fission.monitor import JobView, NetworkView
from fission.runtime.launch.supervisor import GRACE, Exited, OutputLine
from fission.runtime.messages import Failed, Finished, Interrupted, Log, Phase, Ready, Status, Tap, TapBlock


class End(Enum):
    """Why a simulation ended."""

    FINISHED = auto()
    TIME = auto()
    INTERRUPTED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """The failure that ended a simulation: one line, and the traceback if user code raised."""

    message: str
    traceback: str


@dataclass(slots=True)
class Outcome:
    """How a simulation ended."""

    end: End
    seconds: float
    jobs: dict[int, JobReport]
    failure: Failure | None = None


SIMULATION = "simulation"
"""Folder in a network's folder where it is simulated."""

STATUS_INTERVAL = 0.5


class Simulation:
    """Runs a network on this machine: `Outcome = await Simulation(...).run()`.

    The jobs' folders must exist (`simulation_folders`). Ends when every job has finished, `seconds` after all of them run, on
    `interrupt`, or when a job fails; no process is left then, whichever it was.
    """

    def __init__(
        self,
        network: Network,
        folders: dict[int, Path],
        watcher: ProgressObserver,
        *,
        sys_path: tuple[str, ...],
        seconds: float | None = None,
        trials: Path | None = None,
    ) -> None:
        self._network = network
        self._watcher = watcher
        self._seconds = seconds
        self._engine = LocalEngine(network, folders, sys_path=sys_path, trials=trials)
        self.reports = {job.id: JobReport(job.name) for job in network.jobs}
        self.taps = PipeTaps(network, self._order_tap)
        """Shows blocks of its pipes."""
        self._running = set(self.reports)
        self._over = asyncio.Event()
        self._end: End | None = None
        self._failure: Failure | None = None
        self._started = monotonic()
        self._timed = False  # every job runs
        self._timer: asyncio.TimerHandle | None = None

    @property
    def started(self) -> bool:
        """Whether every job runs, or has run."""
        return self._timed

    @property
    def seconds(self) -> float:
        """Seconds since all jobs run; before that, since the start."""
        return monotonic() - self._started

    def view(self, run: str) -> NetworkView:
        """Return a view of the network; there are no nodes."""
        jobs = [
            JobView(id, one.name, one.state, "client", 1, one.round, one.cpu_seconds)
            for id, one in self.reports.items()
        ]
        epoch = max(one.epoch for one in self.reports.values())
        pipes = pipe_views(self._network, self.reports)
        return NetworkView(self._network.name, run, "simulated", self.seconds, epoch, (), tuple(jobs), pipes)

    def pids(self) -> dict[int, int]:
        """Return the process ids of the jobs."""
        return self._engine.pids()

    def interrupt(self) -> None:
        """Stop the simulation, as Ctrl+C does."""
        self._finish(End.INTERRUPTED)

    async def run(self) -> Outcome:
        """Run to the end. Raises RunError when processes cannot be started."""
        self._started = monotonic()
        tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._show())]
        over = asyncio.create_task(self._over.wait())
        try:
            await self._engine.start()
            done, _ = await asyncio.wait([over, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # an observer may fail, as a console does whose reader is gone
        finally:
            over.cancel()
            if self._timer is not None:
                self._timer.cancel()
            self._finish(End.TIME)
            await self._engine.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._drain()
        return Outcome(self._end or End.TIME, self.seconds, self.reports, self._failure)

    # -- inside ------------------------------------------------------------------------------------------

    def _order_tap(self, job: int, order: Tap) -> bool:
        if self.reports[job].state in ("finished", "failed") or self._end is not None:
            return False
        if self.reports[job].state == "running":
            self._engine.tell(job, order)
        return True

    def _finish(self, end: End) -> None:
        if self._end is None:
            self._end = end
        self._over.set()

    async def _follow(self) -> None:
        while True:
            self._take(await self._engine.events.get())

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(STATUS_INTERVAL)
            self._watcher.status(self.reports, self.seconds)

    def _look_whether_all_run(self) -> None:
        """Let the time begin once every job runs."""
        if self._timed or any(one.state == "starting" for one in self.reports.values()):
            return
        self._timed = True
        self._started = monotonic()
        if self._seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._finish, End.TIME)

    def _drain(self) -> None:
        """Report the blocks that were in flight when the processes ended."""
        while not self._engine.events.empty():
            self._take(self._engine.events.get_nowait())

    def _take(self, happened: JobEvent) -> None:
        report, event = self.reports[happened.job], happened.event
        match event:
            case OutputLine():
                self._watcher.line(happened.job, event)
            case Log():
                self._watcher.log(happened.job, event.level, event.text)
            case Ready():
                report.state = "running"
                self._look_whether_all_run()
                self._watcher.log(happened.job, 10, "set up, running")
            case TapBlock():
                self.taps.receive(happened.job, 1, event)
            case Status():
                report.hear(event)
            case Finished():
                report.state = "finished"
                self._look_whether_all_run()
                report.complete(event.rounds)
                self._watcher.log(happened.job, 20, f"finished after {event.rounds} rounds")
                if all(one.state == "finished" for one in self.reports.values()):
                    # processes end by themselves now; those that do not are not awaited
                    asyncio.get_running_loop().call_later(GRACE, self._finish, End.FINISHED)
            case Failed():
                self._failed(happened.job, event)
            case Interrupted():
                self._watcher.log(happened.job, 20, "interrupted")
                self._finish(End.INTERRUPTED)
            case Exited():
                self._exited(happened.job, event.code)

    def _failed(self, job: int, event: Failed) -> None:
        report = self.reports[job]
        report.state = "failed"
        place = f"in round {event.round}" if event.where is Phase.RUN else _PLACES[event.where]
        message = f"job {report.name} failed {place}: {event.message}"
        self._watcher.log(job, 10, f"{message}\n{event.traceback}".rstrip())
        if event.where is Phase.RUN:
            report.complete(event.round - 1)
        if self._end is None:
            self._failure = Failure(message, event.traceback)
        self._finish(End.FAILED)

    def _exited(self, job: int, code: int) -> None:
        report = self.reports[job]
        self._watcher.log(job, 10, f"process ended with code {code}")
        self._running.discard(job)
        if report.state == "finished" and not self._running:
            self._finish(End.FINISHED)
        if report.state in ("finished", "failed") or self._end is not None:
            return
        report.state = "failed"
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended by itself with exit code {code}"
        self._failure = Failure(f"the process of job {report.name} {how}", "")
        self._finish(End.FAILED)


_PLACES = {
    Phase.LOADING: "while it was loaded",
    Phase.CONNECT: "while its pipes were connected",
    Phase.SETUP: "in setup()",
    Phase.FINISH: "while its outputs were ended",
    Phase.TEARDOWN: "in teardown()",
}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextlib.contextmanager
def simulation_folders(network: Network, folder: Path) -> Iterator[dict[int, Path]]:
    """Empty `folder`, lock it inside the `with` block, and provide a folder for each job in it. Raises ProjectError."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(exist_ok=True)
            if not stack.enter_context(locked(folder)):
                raise ProjectError(
                    "the network is being simulated already",
                    where=str(folder),
                    hint="End the other simulation first: both would write into this folder",
                )
            folders = _empty_folders(network, folder)
        except OSError as error:
            raise ProjectError(
                f"the simulation's folder cannot be prepared: {error.strerror}",
                where=str(error.filename or folder),
                hint="It is emptied before every simulation; check who owns it, and the room on its disk",
            ) from error
        yield folders


def _empty_folders(network: Network, folder: Path) -> dict[int, Path]:
    """Empty a folder, and create one folder per job and `info.txt` in it. Raises OSError."""
    for entry in folder.iterdir():
        if entry.name == LOCK_FILE:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    folders = {job.id: folder / str(job.id) for job in network.jobs}
    for path in folders.values():
        path.mkdir()
    lines = [f"{job.id}: {job.name}\n" for job in network.jobs]
    (folder / "info.txt").write_text("".join(lines), encoding="utf-8")
    return folders
