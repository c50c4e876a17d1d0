"""One incarnation of a job on a machine, from its order to its end, with the events that it reports."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from fission.cluster import (
    IncarnationStatus,
    InventoryEntry,
    JobExited,
    JobFailed,
    JobFinished,
    JobListening,
    JobNotStarted,
    JobProgress,
    JobReady,
    JobStored,
    PipesSilent,
    ReportedFailure,
)
from fission.cluster.faults.stall_detector import Stall, StallDetector
from fission.engine.protocol.interfaces import CheckpointWriter, EngineEvent, JobOrder, JobSaid
from fission.errors import RunError
from fission.runtime import messages
from fission.runtime.launch.launcher import Launcher
from fission.runtime.launch.supervisor import GRACE, Event, Exited, JobSupervisor, OutputLine
from fission.runtime.messages import JobSpec, Phase
from fission.serialization.limits import MESSAGE_LIMIT, shorten

_WARNING = 30
_STALLS = {
    Stall.COMPUTING: "the round has begun and is not complete",
    Stall.SILENT: "the process reports nothing; it is stopped, or its code does not release the interpreter",
}
_T = TypeVar("_T")


class Replicator(Protocol):
    """Stores copies of the checkpoints of jobs on other machines."""

    async def store(self, writer: CheckpointWriter, checkpoint: messages.Checkpoint) -> bool:
        """Copy a checkpoint to where it outlives this machine; return whether it is stored."""

    async def fetch(self, order: JobOrder, folder: Path) -> tuple[messages.Checkpoint, ...]:
        """Bring the checkpoints of a job into a folder, and refuse later ones of its older incarnations."""


class Incarnation:
    """`await launch(spec, launcher)` or `fail(message)`, once; `stop` at any time; `ended` is set at the end.

    `on_event` receives the events in order; the last one is JobNotStarted or JobExited.
    """

    def __init__(
        self,
        order: JobOrder,
        node: str,
        on_event: Callable[[EngineEvent], None],
        replicator: Replicator | None = None,
    ) -> None:
        spec = order.spec
        self.network, self.run, self.orphan_timeout = order.network, order.spec.run, order.orphan_timeout
        self.job, self.incarnation = spec.job_id, spec.incarnation
        self.bundles = frozenset({order.code, order.files} - {""})
        self.ended = asyncio.Event()
        self.stopping = False
        self.code = 0
        self._node = node
        self._on_event = on_event
        self._replicator = replicator
        self._writer = order.writer
        self._status = IncarnationStatus.STARTING
        self._failure: ReportedFailure | None = None
        self._address = ""
        self._round = 0
        self._sys_path: Sequence[str] = ()
        self._stored = False
        self._silent = False
        self._supervisor: JobSupervisor | None = None
        self._keeping: dict[bool, tuple[asyncio.Queue[messages.Checkpoint], asyncio.Task[None]]] = {}
        self._place = ""
        self._detector = StallDetector(spec.progress_timeout)
        self._watching: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[Any] | None = None

    @property
    def alive(self) -> bool:
        """Whether there is, or may still be, a process."""
        return not self.ended.is_set()

    @property
    def resident(self) -> InventoryEntry:
        """The entry in the inventory."""
        return InventoryEntry(
            self.job,
            self.incarnation,
            self.run,
            self._status,
            self.alive,
            self._address,
            self._round,
            self._stored,
            self._failure,
        )

    @property
    def pid(self) -> int | None:
        """The process id, as long as the process exists."""
        return self._supervisor.pid if self._supervisor is not None and self.alive else None

    async def unless_stopped(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for something that the launch needs. Raises RunError when `stop` is called meanwhile."""
        task = asyncio.create_task(work)
        self._waiting = task
        if self.stopping:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            raise RunError("it was told to stop before it had started") from None
        finally:
            self._waiting = None

    async def launch(self, spec: JobSpec, launcher: Launcher) -> None:
        """Start the process; stop it at once if `stop` was called meanwhile. Raises OSError."""
        self._sys_path = spec.sys_path
        supervisor = JobSupervisor(spec, self._heard, launcher=launcher)
        await supervisor.start()
        self._supervisor = supervisor
        if self.stopping:
            await supervisor.stop()

    def fail(self, message: str) -> None:
        """Report that there is no process and will be none."""
        self._status = IncarnationStatus.GONE
        self.ended.set()
        if self.stopping:
            self._on_event(JobExited(self._node, self.job, self.incarnation, self.code, self.run))
        else:
            self._on_event(JobNotStarted(self._node, self.job, self.incarnation, message))

    async def stop(self, *, force: bool = False) -> None:
        """Stop the process, at once or after a grace period; return when it has ended."""
        self.stopping = True
        if self._waiting is not None:
            self._waiting.cancel()
        if self._supervisor is not None:
            await self._supervisor.stop(0.0 if force else GRACE)
        await self.ended.wait()

    def tell(self, message: messages.ToJob) -> None:
        """Send a message to the process, if it exists."""
        if self._supervisor is not None:
            self._supervisor.send(message)

    # -- inside ------------------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        """Turn a message of the process into events of the cluster."""
        who = (self._node, self.job, self.incarnation)
        match event:
            case OutputLine() | messages.Log() | messages.TapBlock():
                self._on_event(JobSaid(*who, event))
            case messages.Status():
                self._round = max(self._round, event.rounds)
                self._detector.report((event.epoch, event.rounds), event.computing, time.monotonic())
                self._place = event.place
                self._on_event(JobProgress(*who, event.rounds))
                self._report_silence(event.silent)
                self._on_event(JobSaid(*who, event))
            case messages.Listening():
                self._address = event.address
                self._on_event(JobListening(*who, event.address))
            case messages.Ready():
                self._status, self._round = IncarnationStatus.RUNNING, max(self._round, event.round)
                self._on_event(JobReady(*who, event.round))
                self._watch(event.round)
            case messages.Finished():
                self._status, self._round = IncarnationStatus.FINISHED, event.rounds
                self._on_event(JobFinished(*who, event.rounds))
            case messages.Failed():
                self._fail(event)
            case messages.Interrupted():
                self._say(_WARNING, "its process was interrupted (SIGINT)")
            case messages.Checkpoint():
                self._keep(event)
            case Exited():
                self._exited(event.code)

    def _fail(self, failed: messages.Failed) -> None:
        """Report that the job cannot go on, and keep that for a client that does not hear it."""
        where, traceback = str(failed.where), failed.traceback
        for path in self._sys_path:  # users know the project, not the folder of its copy
            traceback = traceback.replace(f'File "{path}/', 'File "')
        if failed.where is Phase.TEARDOWN:  # the job had finished before
            self._status = IncarnationStatus.FINISHED
        else:
            self._status = IncarnationStatus.FAILED
            kept = shorten(traceback, MESSAGE_LIMIT)  # an inventory has the failures of many jobs
            self._failure = ReportedFailure(failed.round, where, failed.message, kept)
        who = (self._node, self.job, self.incarnation)
        self._on_event(JobFailed(*who, failed.round, where, failed.message, traceback))

    def _exited(self, code: int) -> None:
        self.code = code
        if self._status not in (IncarnationStatus.FINISHED, IncarnationStatus.FAILED):
            self._status = IncarnationStatus.GONE
        for task in (self._watching, *(task for _, task in self._keeping.values())):
            if task is not None:
                task.cancel()
        self._supervisor = None  # it holds the whole job
        self.ended.set()
        self._on_event(JobExited(self._node, self.job, self.incarnation, code, self.run))

    def _report_silence(self, pipes: Mapping[int, float]) -> None:
        """Report the pipes that are silent, until the last one is not any more."""
        if pipes or self._silent:
            self._silent = bool(pipes)
            self._on_event(PipesSilent(self._node, self.job, self.incarnation, dict(pipes)))

    def _watch(self, begun: int) -> None:
        """Watch the progress of the process, whose rounds begin after `begun`, if the job has a PROGRESS_TIMEOUT."""
        if self._detector.timeout:
            self._detector.begin((1, begun), time.monotonic())
            self._watching = asyncio.create_task(self._end_stalled())

    async def _end_stalled(self) -> None:
        """End the process when it makes no progress: that is a failure in its round."""
        detector = self._detector
        while (stall := detector.look(time.monotonic())) is None:
            await asyncio.sleep(detector.period)
        if self._supervisor is None or self.stopping:
            return
        round = detector.position[1] + 1
        text = f"no progress for {detector.timeout:g} s (PROGRESS_TIMEOUT): {_STALLS[stall]}"
        place = f"Where it is (most recent call last):\n{self._place}" if self._place else ""
        self._fail(messages.Failed(round, Phase.RUN, text, place, user=True))
        await self._supervisor.stop()

    def _say(self, level: int, text: str) -> None:
        self._on_event(JobSaid(self._node, self.job, self.incarnation, messages.Log(level, text)))

    def _keep(self, checkpoint: messages.Checkpoint) -> None:
        if self._replicator is None:
            return
        log = checkpoint.epoch == messages.LOG_EPOCH  # must not wait for a large state
        if log not in self._keeping:
            queue: asyncio.Queue[messages.Checkpoint] = asyncio.Queue()
            self._keeping[log] = queue, asyncio.create_task(self._replicate(self._replicator, queue))
        self._keeping[log][0].put_nowait(checkpoint)

    async def _replicate(self, replicator: Replicator, kept: asyncio.Queue[messages.Checkpoint]) -> None:
        complained = False
        while True:
            checkpoint = await kept.get()
            try:
                stored = await replicator.store(self._writer, checkpoint)
            except Exception as error:  # noqa: BLE001 - the job goes on, and upstream keeps more
                stored = False
                if not complained:
                    self._say(_WARNING, f"its checkpoint cannot be stored: {error}")
                complained = True
            if stored:
                complained = False
                if not self._stored and checkpoint.epoch != messages.LOG_EPOCH:
                    self._stored = True
                    self._on_event(JobStored(self._node, self.job, self.incarnation))
                self.tell(messages.Stored(checkpoint.epoch, checkpoint.round))
