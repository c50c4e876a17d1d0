"""Job processes that reach each other by TCP addresses only."""

import asyncio
import ctypes
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fission.core.network import Network
from fission.engine.host.job_spec import needed_blocks, pickle_job, queue_limits
from fission.runtime.launch.supervisor import Event, JobSupervisor
from fission.runtime.messages import Failed, Finished, JobSpec, Listening

_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Place:
    """An address, the folder of its certificate (None for clear text), and the network namespace that it belongs to."""

    address: str
    certificate: Path | None
    namespace: str = ""


class Chain:
    """The processes of the network's jobs, each at its place, and what they have said about themselves."""

    def __init__(self, network: Network, project: Path, places: Sequence[Place]) -> None:
        self.failures: list[str] = []
        self._network = network
        self._project = project
        self._places = dict(zip((job.id for job in network.jobs), places, strict=True))
        self._run = uuid.uuid4().hex
        self._processes = {job.id: self._process(job.id) for job in network.jobs}

    async def run(self) -> None:
        """Start the jobs and wait for their end; when cancelled, end them."""
        try:
            for job, process in self._processes.items():
                with _inside(self._places[job].namespace):
                    await process.start()
            await asyncio.gather(*(process.ended.wait() for process in self._processes.values()))
        finally:
            await asyncio.gather(*(process.stop() for process in self._processes.values()))

    def _process(self, job: int) -> JobSupervisor:
        folder = self._project / "wires" / str(job)
        folder.mkdir(parents=True)
        place = self._places[job]
        spec = JobSpec(
            run=self._run,
            job_id=job,
            name=self._network.job(job).name,
            incarnation=1,
            folder=os.fspath(folder),
            sys_path=(os.fspath(self._project),),
            listen=f"{'tls' if place.certificate else 'tcp'}:{place.address}:0",
            head_size=1,
            log_level="INFO",
            needed_blocks=needed_blocks(self._network),
            queue_limits=queue_limits(self._network),
            job=pickle_job(self._network.job(job)),
            machine=place.address,
            identity=os.fspath(place.certificate or ""),
        )
        return JobSupervisor(spec, lambda event: self._heard(job, event))

    def _heard(self, job: int, event: Event) -> None:
        before = self._network.inputs_of(job)
        if isinstance(event, Listening):
            for edge in before:
                self._processes[edge.source].route(edge.pipe.id, event.address)
        elif isinstance(event, Finished):
            for edge in before:
                self._processes[edge.source].receiver_gone(edge.pipe.id)
        elif isinstance(event, Failed):
            self.failures.append(f"{event.message}\n{event.traceback}")
            for process in self._processes.values():
                asyncio.ensure_future(process.stop())  # noqa: RUF006 - `run` waits for the end of all


@contextmanager
def _inside(namespace: str) -> Iterator[None]:
    """Let processes that this thread starts belong to a network namespace of `ip netns`."""
    if not namespace:
        yield
        return
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(namespace: int) -> None:
    """Move this thread into a network namespace (os.setns comes with Python 3.12)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
