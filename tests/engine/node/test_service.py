"""What a node does for its clients, told over a link that is only a list."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fission.cluster import IncarnationStatus, JobExited, JobListening, JobReady, NodeDraining, NodeReport
from fission.core import base
from fission.engine.checkpoints.client import CheckpointClient
from fission.engine.checkpoints.store import CheckpointEntry, CheckpointKey
from fission.engine.node import service
from fission.engine.node.service import NodeService, NodeSettings
from fission.engine.protocol import link_messages
from fission.engine.protocol.interfaces import JobSaid, PlacedJob, Plain, Replicas
from fission.engine.transport.dialer import Dialer
from fission.errors import RunError
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log, Route
from fission.security import Role
from kits.hosts import Events, Store, make_jobs, order
from kits.waiting import until

NODE = "192.168.4.2"


@dataclass
class Link:
    """A link that keeps what is posted, by client."""

    posted: dict[str, Events] = field(default_factory=dict)
    status: list[str] = field(default_factory=list)

    async def start(self) -> None:
        self.status.append("start")

    def backlog(self, client: str) -> int:
        return 0

    def post(self, client: str, topic: str, data: Plain) -> None:
        assert topic == "event"
        self.to(client).seen.append(link_messages.event_from_plain(data))

    async def close(self) -> None:
        self.status.append("close")

    def to(self, client: str) -> Events:
        return self.posted.setdefault(client, Events())


@dataclass
class Bed:
    """A service and its link, as its clients see them."""

    service: NodeService
    link: Link

    async def join(self, client: str, network: str = "net", run: str = "run1") -> Any:
        assert self.service.admit(client, {"network": network, "name": "anna", "host": "10.0.0.9"}) == ""
        return await self.ask(client, "hello", address=NODE, run=run)

    async def ask(self, client: str, operation: str, **arguments: Plain) -> Any:
        return await self.service.handle(client, operation, arguments)

    async def start(self, client: str, one: Any) -> None:
        await self.ask(client, "start", order=link_messages.order_to_plain(one))


@pytest.fixture
def jobs(tmp_path: Path) -> Any:
    base.reset()
    yield make_jobs(tmp_path / "code")
    base.reset()


Play = Callable[[Callable[[Bed], Awaitable[None]]], Link]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    async def echo(arguments: Mapping[str, Plain]) -> Plain:
        return dict(arguments)

    def run(scenario: Callable[[Bed], Awaitable[None]]) -> Link:
        async def work() -> Link:
            settings = NodeSettings("127.0.0.1", tmp_path / "root", "pi", 3, ("lab", "roof"))
            service = NodeService(
                settings,
                Store(tmp_path / "code"),
                versions={"python": "3", "fission": "1.2.3"},
                operations={"bundle.echo": echo},
            )
            service.link = link = Link()
            await service.start()
            try:
                async with asyncio.timeout(60):
                    await scenario(Bed(service, link))
            finally:
                await service.close()
            return link

        return asyncio.run(work())

    return run


def test_a_client_joins_and_learns_what_the_node_is(play: Play) -> None:
    async def scenario(bed: Bed) -> None:
        hello = await bed.join("c1")
        assert hello | {"info": {}, "service": "", "states": ""} == {
            "states": "",
            "service": "",
            "name": "pi",
            "address": "127.0.0.1",
            "groups": ["lab", "roof"],
            "slots": 3,
            "occupied": 0,
            "info": {},
            "versions": {"python": "3", "fission": "1.2.3"},
            "tq": {},
        }
        assert link_messages.info_from_plain(hello["info"]).memory > 0
        assert await bed.ask("c1", "inventory") == []
        assert await bed.ask("c1", "bundle.echo", data=b"x") == {"data": b"x"}
        assert await bed.ask("c1", "prepare", code="code") is None
        report = await bed.link.to("c1").wait(NodeReport)
        assert (report.node, report.occupied) == (NODE, 0)

    link = play(scenario)
    assert link.status == ["start", "close"]
    assert link.to("c1").seen[-1] == NodeDraining(NODE)


def test_a_job_is_started_told_and_stopped(play: Play, jobs: Any) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        events = bed.link.to("c1")
        await bed.start("c1", order(jobs.Talker()))
        assert (await events.wait(JobReady)).node == NODE
        which = {"run": "run1", "job": 1, "incarnation": 1}
        await bed.ask(
            "c1", "tell", **which, message=link_messages.message_to_plain(Route(9, "unix:/nowhere"))
        )
        (line,) = [link_messages.resident_from_plain(line) for line in await bed.ask("c1", "inventory")]
        assert (line.status, line.address) == (
            IncarnationStatus.RUNNING,
            (await events.wait(JobListening)).address,
        )
        await bed.ask("c1", "stop", **which, force=True)
        await events.wait(JobExited)
        await bed.ask("c1", "stop", **(which | {"incarnation": 9}))
        assert events.seen[-1] == JobExited(NODE, 1, 9, 0, "run1")

    play(scenario)


@pytest.mark.parametrize(
    ("operation", "arguments", "line"),
    [
        ("dance", {}, "there is no operation 'dance'"),
        ("inventory", {"network": "other"}, "not the client's; expected net, found other"),
        ("start", {}, "this is no order"),
        ("stop", {"run": "r", "job": "1", "incarnation": 1}, "which process"),
        ("tell", {"run": "r", "job": 1, "incarnation": 1, "message": ["Start", {}]}, "no message to a job"),
        ("hello", {"address": 3}, "address is no text"),
    ],
)
def test_nonsense_is_answered_in_a_line(
    play: Play, operation: str, arguments: dict[str, Plain], line: str
) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        with pytest.raises(RunError, match=line):
            await bed.ask("c1", operation, **arguments)

    play(scenario)


def test_who_has_not_joined_gets_nothing(play: Play) -> None:
    async def scenario(bed: Bed) -> None:
        with pytest.raises(RunError, match="has not joined"):
            await bed.ask("stranger", "inventory")
        assert bed.service.admit("c1", {}) == "it does not say which network it is for"

    play(scenario)


def test_a_client_of_another_minor_version_is_refused(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(bed: Bed) -> None:
        reason = bed.service.admit("c1", {"network": "net", "fission": "1.3.0", "name": "anna"})
        assert reason.startswith(
            "this node has fission 1.2.3, the client 1.3.0. On the client, `fission deploy"
        )
        assert f"refused anna at c1: {reason}" in caplog.text
        assert bed.service.admit("c1", {"network": "net", "fission": "1.2.9"}) == ""

    play(scenario)


def test_an_observer_sees_and_changes_nothing(play: Play) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        assert bed.service.admit("looks", {"network": "net", "observer": True}) == ""
        with pytest.raises(RunError, match="this node keeps no log"):
            await bed.ask("looks", "log")
        for operation in ("hello", "inventory", "start", "stop", "bundle.echo"):
            with pytest.raises(RunError, match="has not joined"):
                await bed.ask("looks", operation)
        bed.service.gone("looks")
        with pytest.raises(RunError, match="has not joined"):
            await bed.ask("looks", "log")
        assert await bed.ask("c1", "inventory") == []

    play(scenario)


# -- several clients -----------------------------------------------------------------------------------------


def test_a_network_has_one_client(play: Play) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        assert bed.service.admit("c2", {"network": "net"}).startswith(
            "network net is in use by anna at 10.0.0.9, since 2"
        )
        assert (
            bed.service.admit("c1", {"network": "net"}) == ""
        )  # its link broke, and this one has not noticed
        bed.service.gone("c1")
        assert "in use" in bed.service.admit("c2", {"network": "net"})
        bed.service.gone("c1")
        bed.service.gone("c1")
        assert bed.service.admit("c2", {"network": "net"}) == ""

    play(scenario)


def test_networks_do_not_meet(play: Play, jobs: Any) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        await bed.start("c1", order(jobs.Talker()))
        await bed.link.to("c1").wait(JobReady)
        assert (await bed.join("c2", "other", "run2"))["occupied"] == 1
        assert await bed.ask("c2", "inventory") == []
        with pytest.raises(RunError, match="belongs to another network"):
            await bed.ask("c2", "stop", run="run1", job=1, incarnation=1)
        with pytest.raises(RunError, match="the order is for another network"):
            await bed.start("c2", order(jobs.Talker()))
        await bed.link.to("c2").wait(NodeReport)

    link = play(scenario)
    assert {type(event) for event in link.to("c2").seen} == {NodeReport, NodeDraining}


def test_jobs_outlive_their_client_and_are_handed_over(play: Play, jobs: Any) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        await bed.start("c1", order(jobs.Talker()))
        await bed.link.to("c1").wait(JobReady)
        (before,) = bed.service.host.incarnations()
        bed.service.gone("c1")
        await bed.join("c2")
        (line,) = [link_messages.resident_from_plain(line) for line in await bed.ask("c2", "inventory")]
        assert (line.alive, line.status, line.run) == (True, IncarnationStatus.RUNNING, "run1")
        assert bed.service.host.incarnations()[0].pid == before.pid
        await bed.ask("c2", "stop", run="run1", job=1, incarnation=1)
        await bed.link.to("c2").wait(JobExited)

    assert not play(scenario).to("c1").of(JobExited)


def test_what_happened_while_nobody_was_there_is_told(play: Play, jobs: Any) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        await bed.start("c1", order(jobs.Raiser()))
        bed.service.gone("c1")
        await until(lambda: not bed.service.host.incarnations())
        await bed.join("c2")
        (line,) = [link_messages.resident_from_plain(line) for line in await bed.ask("c2", "inventory")]
        assert (line.alive, line.status) == (False, IncarnationStatus.FAILED)
        assert line.failure is not None
        assert (line.failure.round, line.failure.where, line.failure.message) == (
            1,
            "run",
            "ValueError: no good",
        )
        assert line.failure.traceback.startswith("Traceback")

    play(scenario)


def test_an_older_run_is_not_taken_for_the_new_one(play: Play, jobs: Any) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        await bed.start("c1", order(jobs.Talker()))
        await bed.link.to("c1").wait(JobReady)
        bed.service.gone("c1")
        await bed.join("c2", run="run2")
        (line,) = await bed.ask("c2", "inventory")
        await bed.ask("c2", "stop", run=line["run"], job=1, incarnation=1)
        assert (await bed.link.to("c2").wait(JobExited)).run == "run1"

    link = play(scenario)
    assert {type(event) for event in link.to("c2").seen} <= {JobExited, NodeReport, NodeDraining}


def test_orphans_end_in_time(play: Play, jobs: Any) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        await bed.start("c1", order(jobs.Talker(), orphan_timeout=0.1))
        await bed.link.to("c1").wait(JobReady)
        bed.service.gone("c1")
        await until(lambda: not bed.service.host.inventory("net"))
        assert await bed.join("c2")
        assert await bed.ask("c2", "inventory") == []

    play(scenario)


KEY = CheckpointKey("net", "run1", 1)


async def keep_a_state(bed: Bed, client: str, states: str) -> None:
    """Store what another machine leaves here, after the client has placed the job there."""
    replicas = Replicas(("127.0.0.1:9",), {KEY.job: PlacedJob(1, "127.0.0.1")})
    await bed.ask(client, "replicas", replicas=link_messages.replicas_to_plain(replicas))
    one = CheckpointClient(states, Dialer(None, (Role.NODE,)))
    entry = CheckpointEntry(1, 5, "00aa00aa", 5, 1, "0" * 64)
    assert await one.put(KEY, 1, entry, (1, 0), io.BytesIO(b"state"))
    one.close()


async def _fenced(states: str) -> tuple[CheckpointEntry, ...]:
    one = CheckpointClient(states, Dialer(None, (Role.NODE,)))
    try:
        return await one.fence(KEY, 1)
    finally:
        one.close()


def test_a_run_that_has_ended_leaves_nothing(play: Play, jobs: Any, tmp_path: Path) -> None:
    states = tmp_path / "root" / ".states"

    async def scenario(bed: Bed) -> None:
        hello = await bed.join("c1")
        await keep_a_state(bed, "c1", hello["states"])
        await bed.start("c1", order(jobs.Ender()))
        await bed.link.to("c1").wait(JobExited)
        assert (states / "net").exists()
        await bed.ask("c1", "ended")
        assert bed.service.host.inventory("net") == ()
        bed.service.gone("c1")
        assert not (states / "net").exists()
        assert bed.service._sessions.abandoned(time.monotonic()) == []

    play(scenario)


def test_the_end_of_a_run_does_not_reach_the_next_one(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = tmp_path / "root" / ".states"

    async def scenario(bed: Bed) -> None:
        ended = asyncio.Event()

        async def abandon(_network: str) -> None:
            await ended.wait()  # a job of the earlier run takes its time to end

        await bed.join("c1", run="run0")
        monkeypatch.setattr(bed.service.host, "abandon", abandon)
        ending = asyncio.create_task(bed.ask("c1", "ended"))
        await asyncio.sleep(0)
        bed.service.gone("c1")  # it has not waited
        hello = await bed.join("c2", run="run1")
        await keep_a_state(bed, "c2", hello["states"])
        ended.set()
        await ending
        assert (states / "net" / "run1").exists()
        assert await _fenced(hello["states"]), "its placements and replicas are still known"

    play(scenario)


def test_a_network_whose_client_never_comes_back_is_forgotten(
    play: Play, jobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = tmp_path / "root" / ".states"
    (states / "other" / "run0" / "1").mkdir(parents=True)  # of a service before this one

    async def scenario(bed: Bed) -> None:
        hello = await bed.join("c1")
        await keep_a_state(bed, "c1", hello["states"])
        await bed.start("c1", order(jobs.Ender()))
        await bed.link.to("c1").wait(JobExited)
        bed.service.gone("c1")
        await bed.service._look_around()
        assert (states / "net").exists()
        assert bed.service.host.inventory("net"), (
            "whoever takes the network over must hear that the job has finished"
        )
        monkeypatch.setattr(service, "_REMEMBERED", -1.0)
        await until(lambda: not bed.service._sessions.abandoned(time.monotonic()), "nobody is waited for")
        assert not list(states.glob("[a-z]*"))
        assert bed.service.host.inventory("net") == ()

    play(scenario)


def test_a_flood_of_lines_is_cut_and_counted(play: Play, jobs: Any) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        events = bed.link.to("c1")
        await bed.start("c1", order(jobs.Flood()))

        def cut() -> bool:
            logs = [said.what for said in events.of(JobSaid) if isinstance(said.what, Log)]
            return any("lines of output were dropped" in log.text for log in logs)

        await until(cut)
        await bed.ask("c1", "stop", run="run1", job=1, incarnation=1, force=True)

    link = play(scenario)
    assert len([said for said in link.to("c1").of(JobSaid) if isinstance(said.what, OutputLine)]) > 9000


def test_a_draining_node_takes_nobody(play: Play) -> None:
    async def scenario(bed: Bed) -> None:
        await bed.join("c1")
        bed.service.drain()
        assert bed.link.to("c1").seen[-1] == NodeDraining(NODE)
        assert "about to end" in bed.service.admit("c2", {"network": "other"})

    play(scenario)
