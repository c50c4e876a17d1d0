"""Run the chain once: `python -m benchmarks.wires KIND PROJECT`, KIND is tcp or tls.

Each job has an address of the loopback for itself, as if it were alone on a machine. Its folder is PROJECT/wires/<id>.
"""

import asyncio
import os
import signal
import sys
import tempfile
import uuid
from pathlib import Path

from fission.core.network import Network
from fission.engine.spec import needed_blocks, pickle_job, queue_limits
from fission.runtime.messages import Failed, Finished, JobSpec, Listening
from fission.runtime.supervisor import Event, JobSupervisor
from fission.security.ephemeral import ephemeral_authority


class Chain:
    """The processes of the network's jobs, and what they have said about themselves."""

    def __init__(self, network: Network, project: Path, kind: str, certificates: Path) -> None:
        self.failures: list[str] = []
        self._network = network
        self._project = project
        self._kind = kind
        self._authority = ephemeral_authority(certificates) if kind == "tls" else None
        self._run = uuid.uuid4().hex
        self._processes = {job.id: self._process(job.id) for job in network.jobs}

    async def run(self) -> None:
        """Start the jobs and wait for their end; when cancelled, end them."""
        try:
            await asyncio.gather(*(process.start() for process in self._processes.values()))
            await asyncio.gather(*(process.ended.wait() for process in self._processes.values()))
        finally:
            await asyncio.gather(*(process.stop() for process in self._processes.values()))

    def _process(self, job: int) -> JobSupervisor:
        folder = self._project / "wires" / str(job)
        folder.mkdir(parents=True)
        machine = f"127.0.0.{job + 1}"
        spec = JobSpec(
            run=self._run,
            job_id=job,
            name=self._network.job(job).name,
            incarnation=1,
            folder=os.fspath(folder),
            sys_path=(os.fspath(self._project),),
            listen=f"{self._kind}:{machine}:0",
            head_size=1,
            log_level="INFO",
            needed_blocks=needed_blocks(self._network),
            queue_limits=queue_limits(self._network),
            job=pickle_job(self._network.job(job)),
            machine=machine,
            identity=os.fspath(self._authority.node(machine)) if self._authority else "",
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


async def carry(kind: str, project: Path) -> int:
    """Run the chain; return the exit code."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    sys.path.insert(0, os.fspath(project))
    from chain import config

    network, problems = Network.build("chain", config.JOBS)
    with tempfile.TemporaryDirectory(prefix="fb-certificates-") as certificates:
        chain = Chain(network, project, kind, Path(certificates))
        await chain.run()
    for text in (*problems, *chain.failures):
        print(text, file=sys.stderr)
    return 1 if chain.failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(carry(sys.argv[1], Path(sys.argv[2]))))
