"""Runs the jobs of a network as real processes and starts those again that are killed: what an engine does, in little."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from fission.cluster.topology import Topology
from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.engine.host.job_spec import needed_blocks, pickle_job, queue_limits
from fission.runtime import messages
from fission.runtime.launch.supervisor import Exited, JobSupervisor
from fission.runtime.messages import JobSpec

HERE = str(Path(__file__).parent)
DEADLINE = 60.0


class Life:
    """What is known of one job."""

    def __init__(self, job: BaseJob) -> None:
        self.job = job
        self.incarnation = 0
        self.supervisor: JobSupervisor | None = None
        self.address = ""
        self.ready = False
        self.finished = False
        self.rounds = 0
        self.epoch = 1
        self.stored: list[messages.Checkpoint] = []
        self.kept = False
        self.log: list[str] = []


class Run:
    """Make it, `await start()`, then `kill`, at last `await finish()`. `keep`: checkpoints are stored."""

    def __init__(self, jobs: Iterable[BaseJob], folder: Path, *, keep: bool = True) -> None:
        network, problems = Network.build("net", jobs)
        assert not problems
        self.network, self.folder, self.keep = network, folder, keep
        self.run = uuid.uuid4().hex
        self.topology = Topology.of(network)
        self.lives = {job.id: Life(job) for job in network.jobs}
        self.failures: list[messages.Failed] = []
        self.changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._epoch = 1
        self._losing: set[int] = set()

    async def start(self) -> None:
        await asyncio.gather(*(self._start(life) for life in self.lives.values()))

    async def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something that is told by an event is so."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not condition():
                    assert not self.failures, self.failures
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            states = {
                life.job.name: (life.rounds, life.incarnation, life.ready) for life in self.lives.values()
            }
            raise AssertionError(f"waited for {what}: {states} {self.logs()}") from None

    async def finish(self) -> None:
        """Wait until every job has finished."""
        await self.wait_for(lambda: all(life.finished for life in self.lives.values()), "the end")

    def logs(self) -> list[str]:
        return [f"{life.job.name}: {line}" for life in self.lives.values() for line in life.log]

    def kill(self, *jobs: int) -> None:
        """End these processes at once, if they are there; they are started again when they are gone."""
        for job in jobs:
            supervisor = self.lives[job].supervisor
            if supervisor is not None and supervisor.pid is not None and not supervisor.ended.is_set():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(supervisor.pid, signal.SIGKILL)

    def keep_nothing(self, job: int) -> None:
        """Lose all that is kept of a job, and keep nothing more."""
        self.lives[job].stored.clear()
        self._losing.add(job)

    async def stop(self) -> None:
        """End whatever is left."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(one.supervisor.stop(0.5) for one in self.lives.values() if one.supervisor))

    # -- inside ------------------------------------------------------------------------------------------

    async def _start(self, life: Life) -> None:
        job = life.job
        life.incarnation += 1
        life.ready, life.address = False, ""
        folder = self.folder / str(job.id)
        folder.mkdir(parents=True, exist_ok=True)
        states = self.folder / f"state-{job.id}"
        states.mkdir(exist_ok=True)
        if life.incarnation > 1 and job.id in self.topology.live:
            self._begin_epoch(life)
        spec = JobSpec(
            run=self.run,
            job_id=job.id,
            name=job.name,
            incarnation=life.incarnation,
            folder=str(folder),
            sys_path=(HERE,),
            listen=f"unix:{self.folder}/{job.id}.{life.incarnation}",
            head_size=1,
            log_level="DEBUG",
            needed_blocks=needed_blocks(self.network),
            queue_limits=queue_limits(self.network),
            job=pickle_job(job),
            resume=life.incarnation > 1,
            epoch=life.epoch,
            stored=life.kept,
            senders={pipe.id: self.lives[pipe.source].incarnation for pipe in self.topology.into[job.id]},
            state_folder=str(states) if self.keep else "",
            checkpoints=tuple(life.stored),
        )
        life.supervisor = JobSupervisor(spec, lambda event: self._on_event(life, event))
        await life.supervisor.start()
        for pipe in self.topology.out_of[job.id]:
            other = self.lives[pipe.destination]
            if other.finished:
                life.supervisor.receiver_gone(pipe.id)
            elif other.address:
                life.supervisor.route(pipe.id, other.address)
        for pipe in self.topology.into[job.id]:
            if not pipe.waited and self.lives[pipe.source].finished:
                life.supervisor.send(messages.SenderGone(pipe.id))

    def _begin_epoch(self, life: Life) -> None:
        self._epoch += 1
        for origin in self.topology.reset_group[life.job.id]:
            other = self.lives[origin]
            other.epoch = self._epoch
            if other is not life and other.supervisor is not None:
                other.supervisor.send(messages.BeginEpoch(self._epoch))

    def _on_event(self, life: Life, event: object) -> None:
        self.changed.set()
        match event:
            case messages.Listening(address):
                self._spread(life, address)
            case messages.Ready():
                life.ready = True
            case messages.Status(rounds):
                life.rounds = rounds
            case messages.Log(_, text):
                life.log.append(text)
            case messages.Failed():
                self.failures.append(event)
            case messages.Checkpoint():
                self._store(life, event)
            case messages.Finished():
                self._finished(life)
            case Exited() if not life.finished and not self.failures:
                life.address = ""
                task = asyncio.get_running_loop().create_task(self._start(life))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _spread(self, life: Life, address: str) -> None:
        life.address = address
        for pipe in self.topology.into[life.job.id]:
            sender = self.lives[pipe.source]
            if sender.supervisor is not None and not sender.finished:
                sender.supervisor.route(pipe.id, address)

    def _finished(self, life: Life) -> None:
        life.finished = True
        for pipe in self.topology.into[life.job.id]:
            sender = self.lives[pipe.source].supervisor
            if sender is not None:
                sender.receiver_gone(pipe.id)

    def _store(self, life: Life, event: messages.Checkpoint) -> None:
        """Copy it elsewhere, as a replica would."""
        if life.job.id in self._losing:
            return
        copies = self.folder / f"kept-{life.job.id}"
        copies.mkdir(exist_ok=True)
        states = [one.path for one in life.stored if one.epoch != messages.LOG_EPOCH]
        name = f"{event.epoch}-{event.round}-{event.digest}"  # two incarnations may have another state there
        path = states[-1] if not event.path else str(copies / name)
        if event.path:
            Path(path).write_bytes(Path(event.path).read_bytes())
        life.stored.append(replace(event, path=path))
        life.kept = True
        assert life.supervisor is not None
        life.supervisor.send(messages.Stored(event.epoch, event.round))
