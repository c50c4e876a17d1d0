"""The local engine: every job of a network as a process of this machine, joined by Unix sockets."""

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.engine.host.job_spec import needed_blocks, pickle_jobs, queue_limits
from fission.engine.host.socket_folder import socket_folder
from fission.engine.protocol.interfaces import JobEvent
from fission.errors import RunError
from fission.runtime.launch.supervisor import Event, JobSupervisor
from fission.runtime.messages import Finished, JobSpec, Listening, ToJob


class LocalEngine:
    """Runs one network: `await start()`, read `events`, and `await stop()` in any case.

    `folders` maps a job's id to its working directory; `sys_path` is put before the module search path of the
    jobs. The sockets live in a private folder that goes with the engine. In `trials` the jobs record rounds that are to be
    repeated (see `runtime.trial`).
    """

    def __init__(
        self,
        network: Network,
        folders: Mapping[int, Path],
        *,
        sys_path: tuple[str, ...],
        trials: Path | None = None,
    ) -> None:
        self.events: asyncio.Queue[JobEvent] = asyncio.Queue()
        self._network = network
        self._folders = folders
        self._sys_path = sys_path
        self._trials = trials
        self._supervisors: dict[int, JobSupervisor] = {}
        self._sockets: Path | None = None
        self._finished: set[int] = set()

    async def start(self) -> None:
        """Start the process of every job. Raises RunError on failure; then call `stop`."""
        self._sockets = socket_folder()
        run = uuid.uuid4().hex
        jobs = pickle_jobs(self._network.jobs)
        blocks, limits = needed_blocks(self._network), queue_limits(self._network)
        for job in self._network.jobs:
            spec = JobSpec(
                run=run,
                job_id=job.id,
                name=job.name,
                incarnation=1,
                folder=os.fspath(self._folders[job.id]),
                sys_path=self._sys_path,
                listen=f"unix:{self._sockets / str(job.id)}",
                head_size=self._network.settings.head_size,
                log_level=self._network.settings.log_level,
                needed_blocks=blocks,
                queue_limits=limits,
                job=jobs[job.id],
                trial="" if self._trials is None else os.fspath(self._trials / f"{job.id}.trial"),
            )
            self._supervisors[job.id] = JobSupervisor(spec, self._handler(job))
        try:
            await asyncio.gather(*(supervisor.start() for supervisor in self._supervisors.values()))
        except OSError as error:
            raise RunError(
                "the processes of the jobs cannot be started",
                found=str(error),
                hint=f"The network needs {len(self._supervisors)} processes and 4 open files for each (see ulimit)",
            ) from error

    async def stop(self) -> None:
        """Stop every process and remove the sockets; return when nothing is left."""
        await asyncio.gather(*(supervisor.stop() for supervisor in self._supervisors.values()))
        if self._sockets is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._sockets)

    def tell(self, job: int, message: ToJob) -> None:
        """Send a message to the process of a job, if it exists."""
        self._supervisors[job].send(message)

    def pids(self) -> dict[int, int]:
        """Return the process ids of the jobs whose processes exist."""
        found = {job: one.pid for job, one in self._supervisors.items() if not one.ended.is_set()}
        return {job: pid for job, pid in found.items() if pid is not None}

    def _handler(self, job: BaseJob) -> Callable[[Event], None]:
        def handle(event: Event) -> None:
            if isinstance(event, Listening):
                for edge in self._network.inputs_of(job.id):
                    if edge.source not in self._finished:
                        self._supervisors[edge.source].route(edge.pipe.id, event.address)
            elif isinstance(event, Finished):
                self._finished.add(job.id)
                for edge in self._network.inputs_of(job.id):
                    self._supervisors[edge.source].receiver_gone(edge.pipe.id)
            self.events.put_nowait(JobEvent(job.id, event))

        return handle
