"""What jobs say reaches people, unless another incarnation has taken their place; a run that cannot tell or store ends."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fission.cluster import (
    Coordinator,
    DrainRequested,
    EndNetwork,
    NodeJoined,
    NodeRefused,
    Policy,
    StartRequested,
)
from fission.cluster.state import machine
from fission.cluster.transitions import JobState
from fission.core import base
from fission.core.groups import LOCAL
from fission.core.jobs import ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.nodes import NodeInfo
from fission.core.pipes import PicklePipe
from fission.engine.client.control_socket import DrainRequest, StatusRequest
from fission.engine.client.presenter import RunObserver, RunPresenter
from fission.engine.client.private.journal import Journal
from fission.engine.client.run import ClusterRun
from fission.engine.protocol.interfaces import JobSaid
from fission.errors import AllocationError, RunError
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log, Status
from kits.waiting import until


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


def test_a_superseded_incarnation_is_not_heard(tmp_path: Path) -> None:
    told: list[JobSaid] = []
    watcher = SimpleNamespace(said=told.append)
    journal = Journal(tmp_path)
    network, problems = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(101)]), ForwardingJob(inputs=[PicklePipe(101)])]
    )
    assert not problems
    run = ClusterRun(network, cast(RunObserver, watcher), journal, invited={}, policy=Policy())
    start(run.coordinator)
    run.coordinator.jobs[1].incarnation = 2
    for incarnation in (1, 2):
        run.on_event(JobSaid("node", 1, incarnation, OutputLine("stdout", f"line of {incarnation}")))
        run.on_event(JobSaid("node", 1, incarnation, Log(30, f"log of {incarnation}")))
        run.on_event(JobSaid("node", 1, incarnation, Status(incarnation * 10, 0.1, {})))
    assert [one.what for one in told] == [OutputLine("stdout", "line of 2"), Log(30, "log of 2")]
    assert run.answer(StatusRequest())["network"]["jobs"][0]["round"] == 20


def start(coordinator: Coordinator) -> None:
    for event in (NodeJoined("n1", NodeInfo(50.0, 0, 0, 0.0), slots=4, service="s"), StartRequested()):
        coordinator.handle(event, 0.0)


def test_what_jobs_of_an_earlier_run_have_said_is_nobodys_business() -> None:
    network, _ = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(101)]), ForwardingJob([PicklePipe(101)])]
    )
    told: list[str] = []
    watcher = SimpleNamespace(said=lambda said: told.append(said.what.text))
    coordinator = Coordinator(network, "run")
    teller = RunPresenter(network, coordinator, cast(RunObserver, watcher), clocks=dict, taken_over=False)
    teller.said(JobSaid("n1", 1, 1, OutputLine("stdout", "of an earlier run")))
    start(coordinator)
    teller.said(JobSaid("n1", 1, 1, OutputLine("stdout", "of this one")))
    assert told == ["of this one"]


def test_what_was_said_without_a_client_comes_after_the_nodes() -> None:
    network, _ = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(101)]), ForwardingJob([PicklePipe(101)])]
    )
    told: list[Any] = []
    watcher = SimpleNamespace(
        said=lambda said: told.append(said.what.text),
        news=lambda _job, text: told.append(text),
        nodes=lambda nodes, missing: told.append(([node.address for node in nodes], dict(missing))),
    )
    coordinator = Coordinator(network, "run")
    start(coordinator)
    teller = RunPresenter(network, coordinator, cast(RunObserver, watcher), clocks=dict, taken_over=True)
    teller.begin()
    teller.said(JobSaid("n1", 1, 1, OutputLine("stdout", "early")))
    teller.nodes(["n1", "n2"], {"n2": "is off"})
    teller.catch_up()
    teller.said(JobSaid("n1", 1, 1, OutputLine("stdout", "late")))
    assert told == [
        "an earlier client has left the network running: it is taken over",
        (["n1"], {"n2": "is off"}),
        "said since the earlier client has gone:",
        "early",
        "late",
    ]


@pytest.mark.parametrize("state", JobState)
def test_every_state_of_a_job_has_a_word_for_people(tmp_path: Path, state: JobState) -> None:
    network, _ = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(101)]), ForwardingJob([PicklePipe(101)])]
    )
    journal = Journal(tmp_path)
    run = ClusterRun(network, cast(RunObserver, SimpleNamespace()), journal, invited={}, policy=Policy())
    run.coordinator.jobs[1].machine = machine("job 1", state)
    shown = run.answer(StatusRequest())["network"]["jobs"][0]["state"]
    assert shown
    assert shown != state.name


def test_a_view_that_fails_ends_the_run(tmp_path: Path) -> None:
    network, _ = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(101)]), ForwardingJob([PicklePipe(101)])]
    )

    async def story() -> None:
        def broken(*_what: Any) -> None:
            raise ZeroDivisionError

        async def nothing() -> None:
            return None

        async def open_(_address: str) -> JobSaid:
            await until(lambda: run._broken)
            return JobSaid("node", 1, 7, OutputLine("stdout", "a line of one who is not known"))

        watcher: Any = SimpleNamespace(status=broken, nodes=lambda *_all: None, said=lambda _said: None)
        local: Any = SimpleNamespace(warm=nothing, open=open_, close=nothing)
        engine: Any = SimpleNamespace(close=nothing, say_ended=nothing, announce_replicas=lambda: None)
        run = ClusterRun(network, watcher, journal, invited={}, policy=Policy())
        await asyncio.wait_for(run.run(engine, None, local), 30)

    journal = Journal(tmp_path)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(story())


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ((), "no node has answered; expected one of 1 in NODES at port 9. Do their node services run?"),
        (
            (NodeRefused("n1", ("it is odd",)),),
            "no node can be used; expected one of 1 in NODES at port 9, found 1",
        ),
    ],
)
def test_a_run_without_nodes_says_which_kind_of_nothing_there_is(
    tmp_path: Path, events: tuple[NodeRefused, ...], text: str
) -> None:
    network, _ = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(101)]), ForwardingJob([PicklePipe(101)])]
    )
    told: list[str] = []

    async def story() -> None:
        async def nothing() -> None:
            return None

        async def open_(_address: str) -> NodeJoined:
            return NodeJoined(LOCAL, NodeInfo(50.0, 0, 0, 0.0), service="client")

        watcher: Any = SimpleNamespace(
            status=lambda *_all: None,
            nodes=lambda *_all: None,
            news=lambda *_all: None,
            log=lambda _job, _level, text: told.append(text),
        )
        local: Any = SimpleNamespace(warm=nothing, open=open_, close=nothing)
        engine: Any = SimpleNamespace(
            close=nothing, say_ended=nothing, announce_replicas=lambda: None, carry_out=lambda _what: None
        )
        run = ClusterRun(network, watcher, journal, invited={"n1": 9}, policy=Policy())
        for event in events:
            run.on_event(event)
        await asyncio.wait_for(run.run(engine, None, local), 30)

    journal = Journal(tmp_path)
    with pytest.raises(AllocationError) as error:
        asyncio.run(story())
    assert text in str(error.value)
    assert told == (["node n1: refused: it is odd"] if events else [])


def test_a_run_that_cannot_store_or_tell_what_is_decided_ends_by_that_error(tmp_path: Path) -> None:
    network, _ = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(101)]), ForwardingJob([PicklePipe(101)])]
    )

    def full(*_what: Any, **_how: Any) -> None:
        raise OSError(28, "No space left on device")

    async def story(watcher: Any, journal: Any) -> tuple[dict[str, Any], BaseException | None]:
        run = ClusterRun(network, watcher, journal, invited={}, policy=Policy())
        over: asyncio.Future[EndNetwork] = asyncio.get_running_loop().create_future()
        run._over = over
        answer = run.answer(DrainRequest("n9", undo=False))
        run.handle(DrainRequested("n9"))  # nothing more is done
        return answer, over.exception()

    stored = SimpleNamespace(read=lambda: None, write=lambda _state, needed: "")
    unstored = SimpleNamespace(read=lambda: None, write=full)
    for watcher, journal in ((SimpleNamespace(log=full), stored), (SimpleNamespace(), unstored)):
        answer, error = asyncio.run(story(watcher, journal))
        assert isinstance(error, RunError)
        assert "No space left" in str(error)
        assert "No space left" in answer["errors"][-1]
