"""Runs a few jobs as processes of this machine, each as if it were alone on a machine of its own: 127.0.0.2, .3, ..."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import pytest

from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.engine.host.job_spec import needed_blocks, pickle_job, queue_limits
from fission.runtime import messages
from fission.runtime.launch.supervisor import Event, Exited, JobSupervisor, OutputLine

HERE = Path(__file__).parent
DEADLINE = 60.0


def machine(job: int) -> str:
    """Where a job runs."""
    return f"127.0.0.{job + 1}"


class Certificates(Protocol):
    """Who makes certificates."""

    def node(self, address: str) -> Path:
        """The folder of the node at this address."""


class Wired:
    """`async with` it: every job is started, and is told where its receivers listen. Nothing is left at the end.

    `kind` is tls, tcp, unix, or "tls+unix" for both; `via` may change the address that a sender is told; `senders` has the
    oldest incarnation of the sender of a pipe that is listened to.
    """

    def __init__(
        self,
        folder: Path,
        jobs: Iterable[PythonJob],
        kind: str,
        authority: Certificates | None = None,
        *,
        machines: Callable[[int], str] = machine,
        via: Callable[[int, str], str] = lambda _pipe, address: address,
        senders: dict[int, int] | None = None,
        run: str = "",
    ) -> None:
        self.network, problems = Network.build("wired", jobs)
        assert not problems
        self.folder = folder
        self.kind = kind
        self.addresses: dict[int, str] = {}
        self.told: list[tuple[int, Event]] = []
        self._authority = authority
        self._machines = machines
        self._via = via
        self._senders = senders or {}
        self._supervisors: dict[int, JobSupervisor] = {}
        self._news = asyncio.Event()
        self._run = run or uuid.uuid4().hex

    async def __aenter__(self) -> "Wired":
        blocks, limits = needed_blocks(self.network), queue_limits(self.network)
        for job in self.network.jobs:
            self.path(job.id).mkdir()
            spec = messages.JobSpec(
                run=self._run,
                job_id=job.id,
                name=job.name,
                incarnation=1,
                folder=str(self.path(job.id)),
                sys_path=(str(HERE),),
                listen=self._listen(job.id),
                head_size=1,
                log_level="DEBUG",
                needed_blocks=blocks,
                queue_limits=limits,
                job=pickle_job(job),
                machine=self._machines(job.id),
                senders=self._senders or {pipe.id: 1 for pipe in job.inputs},
                sources={pipe.id: self.network.edge(pipe.id).source for pipe in job.inputs},
                identity=self._identity(job.id),
            )
            self._supervisors[job.id] = JobSupervisor(spec, lambda event, id=job.id: self._heard(id, event))  # type: ignore[misc]
        await asyncio.gather(*(one.start() for one in self._supervisors.values()))
        placed = {
            job.id: (max(self._senders.values(), default=1), self._machines(job.id))
            for job in self.network.jobs
        }
        for one in self._supervisors.values():
            one.send(messages.Placed(placed))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(one.stop() for one in self._supervisors.values()))

    def path(self, job: int) -> Path:
        """The working directory of a job."""
        return self.folder / str(job)

    def route(self, pipe: int, address: str) -> None:
        """Tell the sender of a pipe that its receiver listens elsewhere."""
        self._supervisors[self.network.edge(pipe).source].route(pipe, address)

    def stop_source(self) -> None:
        """Let `Blocks` end."""
        (self.path(1) / "stop").touch()

    async def until(
        self, condition: Callable[[], Any], what: str, deadline: float = DEADLINE, *, expected: bool = False
    ) -> None:
        """Wait until the condition holds; it is looked at whenever a job says something.

        A failure of a job ends the test, unless it is `expected`.
        """
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end or (self.failures() and not expected):
                pytest.fail(f"waited for: {what}\n" + "\n".join(self.failures() or self.lines()))
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), 0.02)
            except TimeoutError:
                continue

    async def progress(self, job: int = 3) -> None:
        """Wait until a job has computed more rounds than now, by its own reports."""
        before = self.rounds(job)
        await self.until(lambda: self.rounds(job) > before, f"more rounds than {before} of job {job}")

    async def finished(self) -> None:
        """Wait until all jobs have ended well."""
        await self.until(
            lambda: sum(isinstance(event, Exited) for _, event in self.told) == len(self.network.jobs),
            "the end of all jobs",
        )
        assert [event.code for _, event in self.told if isinstance(event, Exited)] == [0] * len(
            self.network.jobs
        )

    def rounds(self, job: int) -> int:
        """Rounds that a job has reported."""
        reports = [event for id, event in self.told if id == job and isinstance(event, messages.Status)]
        return reports[-1].rounds if reports else 0

    @property
    def sent(self) -> int:
        """Rounds that the first job had computed at its end."""
        return next(
            event.rounds for id, event in self.told if id == 1 and isinstance(event, messages.Finished)
        )

    def counters(self, job: int, pipe: int) -> dict[str, float]:
        """The last report of a job about a pipe."""
        reports = [event for id, event in self.told if id == job and isinstance(event, messages.Status)]
        return reports[-1].pipes[pipe]

    def failures(self) -> list[str]:
        """What made jobs fail."""
        return [
            f"{event.message}\n{event.traceback}"
            for _, event in self.told
            if isinstance(event, messages.Failed)
        ]

    def logs(self, job: int) -> list[str]:
        """What the runtime of a job has logged."""
        return [event.text for id, event in self.told if id == job and isinstance(event, messages.Log)]

    def lines(self) -> list[str]:
        """Logs and outputs of all jobs."""
        kinds = (messages.Log, OutputLine)
        return [f"{id}: {event.text}" for id, event in self.told if isinstance(event, kinds)]

    def result(self) -> dict[str, Any]:
        """What `Check` has left."""
        text = (self.path(len(self.network.jobs)) / "result.json").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text)
        return found

    def _listen(self, job: int) -> str:
        both = {
            "unix": f"unix:{self.folder / f'{job}.s'}",
            "tcp": f"tcp:{self._machines(job)}:0",
            "tls": f"tls:{self._machines(job)}:0",
        }
        return " ".join(both[kind] for kind in self.kind.split("+"))

    def _identity(self, job: int) -> str:
        return str(self._authority.node(self._machines(job))) if self._authority else ""

    def _heard(self, job: int, event: Event) -> None:
        self.told.append((job, event))
        if isinstance(event, messages.Listening):
            self.addresses[job] = event.address
            for edge in self.network.inputs_of(job):
                self._supervisors[edge.source].route(edge.pipe.id, self._via(edge.pipe.id, event.address))
        elif isinstance(event, messages.Finished):
            for edge in self.network.inputs_of(job):
                self._supervisors[edge.source].receiver_gone(edge.pipe.id)
        self._news.set()
