"""A client that takes over: it joins its own network only when it knows how nodes see it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fission.cluster import (
    Coordinator,
    IncarnationStatus,
    Instruction,
    InventoryEntry,
    JobExited,
    NodeJoined,
    Outcome,
    Phase,
    Policy,
    StartRequested,
    StopJob,
)
from fission.core import base
from fission.core.groups import LOCAL
from fission.core.jobs import ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.nodes import NodeInfo
from fission.core.pipes import PicklePipe
from fission.engine.client.private.journal import Journal
from fission.engine.client.run import ClusterRun, RunOutcome
from fission.engine.protocol.interfaces import LinkError
from kits.waiting import until

INFO = NodeInfo(50.0, 0, 0, 0.0)
ADDRESS = "10.0.0.9"


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


class LocalSource(SourceJob):
    GROUPS = LOCAL


class LocalSink(ForwardingJob):
    GROUPS = LOCAL


def left_by_another(*jobs: type[Any]) -> tuple[Network, dict[str, Any]]:
    """A network of two jobs, and what a client has stored of it that was killed."""
    source, sink = jobs or (SourceJob, ForwardingJob)
    network, problems = Network.build("net", [source(outputs=[PicklePipe(101)]), sink([PicklePipe(101)])])
    assert not problems
    coordinator = Coordinator(network, "run1")
    coordinator.handle(joined("n1"), 0.0)
    coordinator.handle(StartRequested(), 0.0)
    assert coordinator.phase is Phase.RUNNING
    return network, coordinator.snapshot()


def joined(node: str) -> NodeJoined:
    return NodeJoined(node, INFO, slots=4, service="s")


class Client:
    """A run that takes the network over, with hands that only write down what they are to do."""

    def __init__(
        self, folder: Path, network: Network, snapshot: dict[str, Any], policy: Policy | None = None
    ) -> None:
        self.news: list[str] = []
        self.opened: list[str] = []
        self.done: list[Instruction] = []
        self.cut: set[str] = set()
        self.journal = Journal(folder)
        self.journal.write(snapshot)
        watcher: Any = SimpleNamespace(
            status=lambda *_all: None,
            nodes=lambda *_all: None,
            information=lambda *_all: None,
            news=lambda _job, text: self.news.append(text),
            log=lambda _job, _level, text: self.news.append(text),
        )
        self.run = ClusterRun(
            network, watcher, self.journal, invited={"n1": 9}, policy=policy or Policy(), gather=0.01
        )

    async def work(self) -> RunOutcome:
        async def nothing() -> None:
            return None

        async def open_(address: str) -> NodeJoined:
            self.opened.append(address)
            return NodeJoined(LOCAL, INFO, service=address)

        local: Any = SimpleNamespace(warm=nothing, open=open_, close=nothing, listen=lambda _address: None)
        link: Any = SimpleNamespace(
            start=nothing,
            close=nothing,
            invite=lambda _nodes: None,
            away=dict,
            own_address=self.own_address,
        )
        engine: Any = SimpleNamespace(
            close=nothing,
            say_ended=nothing,
            announce_replicas=lambda: None,
            carry_out=self.done.append,
            copying=False,
        )
        return await asyncio.wait_for(self.run.run(engine, link, local), 30)

    def own_address(self, node: str) -> str:
        if node in self.cut:
            raise LinkError("is not connected", where=node)
        return ADDRESS

    @property
    def waits(self) -> bool:
        return any("waits for the first node" in text for text in self.news)


def test_it_joins_when_the_first_node_has_said_how_it_sees_it(tmp_path: Path) -> None:
    async def story() -> None:
        client = Client(tmp_path, *left_by_another())
        working = asyncio.create_task(client.work())
        await until(lambda: client.waits)
        client.cut = {"n0"}
        client.run.on_event(joined("n0"))  # gone before it could be asked
        assert client.opened == []
        client.run.on_event(joined("n1"))
        await until(lambda: client.opened)
        assert client.opened == [ADDRESS]
        client.run.interrupt()
        assert not any(one.force for one in client.done if isinstance(one, StopJob))
        client.run.interrupt(force=True)
        assert (await working).end.outcome is Outcome.STOPPED

    asyncio.run(story())


def test_it_can_be_stopped_while_it_waits(tmp_path: Path) -> None:
    async def story() -> None:
        client = Client(tmp_path, *left_by_another())
        working = asyncio.create_task(client.work())
        await until(lambda: client.waits)
        client.run.interrupt()
        assert (await working).end.outcome is Outcome.STOPPED

    asyncio.run(story())


def test_it_takes_over_only_to_stop_and_stops_once(tmp_path: Path) -> None:
    async def story() -> None:
        client = Client(tmp_path, *left_by_another())
        client.run.interrupt()  # as `stop` does
        alive = [
            InventoryEntry(job, 1, "run1", IncarnationStatus.RUNNING) for job in client.run.coordinator.jobs
        ]
        client.run.on_event(replace(joined("n1"), inventory=tuple(alive)))
        working = asyncio.create_task(client.work())
        await until(lambda: any(isinstance(one, StopJob) for one in client.done))
        assert not client.waits
        stops = [one for one in client.done if isinstance(one, StopJob)]
        assert [(one.job, one.force) for one in stops] == [
            (job, False) for job in client.run.coordinator.jobs
        ]
        for one in stops:
            client.run.on_event(JobExited(one.node, one.job, one.incarnation, 0, "run1"))
        assert (await working).end.outcome is Outcome.STOPPED

    asyncio.run(story())


def test_times_run_while_it_waits(tmp_path: Path) -> None:
    policy = Policy(allocation_timeout=0.02, return_grace=0.02)
    outcome = asyncio.run(Client(tmp_path, *left_by_another(), policy).work())
    assert outcome.end.outcome is Outcome.FAILED
    assert outcome.end.failure is not None
    assert "for a node" in str(outcome.end.failure)


def test_nobody_has_to_see_it_where_all_jobs_are_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        client = Client(tmp_path, *left_by_another(LocalSource, LocalSink))
        working = asyncio.create_task(client.work())
        await until(lambda: client.opened)
        assert client.opened == ["127.0.0.1"]
        assert not client.waits
        client.run.interrupt(force=True)
        client.run.interrupt(force=True)
        await working

    asyncio.run(story())
