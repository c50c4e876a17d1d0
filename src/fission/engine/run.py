"""A run of a network on its nodes: the coordinator with its hands, its journal, its clock, and who watches.

`await ClusterRun(...).run()` starts the network, or takes over one that an earlier client has left running, and
returns when it has ended. `interrupt` asks for the end.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Protocol

from fission.cluster import (
    Coordinator,
    DrainRequested,
    EndNetwork,
    Event,
    MoveRequested,
    NodeJoined,
    Phase,
    Placed,
    Policy,
    RebalanceRequested,
    StartRequested,
    StopRequested,
    Tell,
    Tick,
)
from fission.cluster.board import NodeRecord
from fission.cluster.instructions import Instruction
from fission.cluster.states import JobState
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.core.nodes import LocalNode
from fission.engine.base import ClientLink, EngineEvent, JobSaid
from fission.engine.client_link import NOT_TRIED
from fission.engine.cluster import ClusterEngine
from fission.engine.journal import Journal
from fission.engine.reports import JobReport, Watcher
from fission.engine.views import STATES, JobPlace, information, view_of
from fission.errors import AllocationError, FissionError, RunError
from fission.monitor import NetworkView
from fission.placement import Placement
from fission.placement.model import natural
from fission.runtime.messages import Log, Status
from fission.runtime.supervisor import OutputLine

STATUS_INTERVAL = 0.5
GATHER_SECONDS = 3.0
"""How long a start waits for nodes that do not answer."""

_LOOK = 0.05


class RunWatcher(Watcher, Protocol):
    """Who is told what happens in a run."""

    def nodes(self, nodes: Sequence[NodeRecord], missing: Mapping[str, str]) -> None:
        """Once, before the start: the nodes that have answered, and the addresses of those that have not, with why."""

    def said(self, said: JobSaid) -> None:
        """A job wrote or logged a line."""

    def news(self, job: int | None, text: str) -> None:
        """Something happened to a job or a node that is no reason to worry."""

    def information(self, places: Sequence[JobPlace]) -> None:
        """All jobs work: where. At the start, and after every change."""

    def placed(self, placement: Placement) -> None:
        """Where the jobs go, and why."""

    def progress(self, node: str, done: int, total: int) -> None:
        """So many bytes of the files that a node needs have arrived."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run has ended."""

    end: EndNetwork
    seconds: float
    jobs: Mapping[int, JobReport]


class LocalHost(Protocol):
    """The client as a machine: it is opened once its address is known."""

    async def warm(self) -> None:
        """Get ready, before the nodes have answered."""

    def listen(self, address: str) -> None:
        """Keep states for others from now on, if not yet. Raises RunError."""

    async def open(self, address: str) -> NodeJoined:
        """Be ready to run jobs whose senders connect to `address`; return what the client joins its own cluster with."""

    async def close(self) -> None:
        """End whatever still runs."""


class ClusterRun:
    """One run. Give `up`, `down` ... of `engine` to the link that is passed to `run`; `interrupt` may be called any time.

    `invited` maps the addresses of the nodes to their ports. `local_address` is what CLIENT_IP says, or None.
    """

    def __init__(
        self,
        network: Network,
        watcher: RunWatcher,
        journal: Journal,
        *,
        invited: Mapping[str, int],
        policy: Policy,
        seconds: float | None = None,
        gather: float = GATHER_SECONDS,
    ) -> None:
        self._network = network
        self._watcher = watcher
        self._journal = journal
        self._invited = dict(invited)
        self._seconds = seconds
        self._gather = gather
        snapshot = journal.read()
        self.taken_over = snapshot is not None
        if snapshot is None:
            self.run_id = uuid.uuid4().hex
            self.coordinator = Coordinator(network, self.run_id, policy=policy)
        else:
            self.run_id = str(snapshot["run"])
            self.coordinator = Coordinator.from_snapshot(network, snapshot, monotonic(), policy=policy)
        self.engine: ClusterEngine | None = None
        seen = None if self.taken_over else 0
        self.reports = {job.id: JobReport(job.name, seen=seen) for job in network.jobs}
        self._stored = self.coordinator.revision
        self._answered = asyncio.Event()
        self._over: asyncio.Future[EndNetwork] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked = 0
        self._started = monotonic()
        self._answers: list[str] | None = None
        self._refused = False
        self._broken = False
        self._places: tuple[JobPlace, ...] = ()
        self._listen: Callable[[str], None] | None = None

    # -- from outside ------------------------------------------------------------------------------------

    def interrupt(self, *, force: bool = False) -> None:
        """Stop everything everywhere; the second time by force."""
        self._asked += 1
        self._answered.set()
        if self._over is not None:
            self.handle(StopRequested(force=force or self._asked > 1))

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what another terminal wants (see `engine.control`); return the answer."""
        lines: list[str] = []
        self._answers = lines
        self._refused = False
        try:
            match request:
                case {"do": "status"}:
                    return {"lines": lines, "network": self.view().plain()}
                case {"do": "stop", "force": bool(force)}:
                    self.interrupt(force=force)
                case {"do": "move", "job": int(job), "node": str(node)}:
                    self.handle(MoveRequested(job, node))
                case {"do": "drain", "node": str(node), "undo": bool(undo)}:
                    self.handle(DrainRequested(node, undo))
                case {"do": "rebalance"}:
                    self.handle(RebalanceRequested())
                case _:
                    lines.append(f"this version cannot do {request.get('do')!r}")
        finally:
            self._answers = None
        return {"lines": lines, "refused": self._refused}

    def view(self) -> NetworkView:
        """Look at the network now."""
        self._update_reports()
        seconds = monotonic() - self._started
        return view_of(self._network, self.coordinator, self.reports, self.run_id, seconds)

    def on_event(self, event: EngineEvent) -> None:
        """Take in what the engine tells."""
        if isinstance(event, JobSaid):
            self._said(event)
        else:
            if isinstance(event, NodeJoined) and self._listen is not None:
                self._listen(event.node)
            self.handle(event)
            self._look_who_answered()

    async def run(self, engine: ClusterEngine, link: ClientLink | None, local: LocalHost) -> RunOutcome:
        """Run to the end. Raises RunError when the client cannot do its part."""
        self.engine = engine
        self._over = asyncio.get_running_loop().create_future()
        self._started = monotonic()
        showing = asyncio.create_task(self._show())
        showing.add_done_callback(self._shown)
        ending: asyncio.TimerHandle | None = None
        try:
            await self._assemble(link, local)
            if self._seconds is not None:
                ending = asyncio.get_running_loop().call_later(self._seconds, self.interrupt)
            end = await self._over
            self._journal.clear()
        finally:
            for handle in (ending, self._timer):
                if handle is not None:
                    handle.cancel()
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
            await engine.close()
            await local.close()
            if link is not None:
                await link.close()
        self._update_reports()
        return RunOutcome(end, monotonic() - self._started, self.reports)

    def handle(self, event: Event) -> None:
        """Let the coordinator decide, store that, then do it. What goes wrong with that is the end of the run."""
        if self._broken:
            return
        try:
            instructions = self.coordinator.handle(event, monotonic())
            if self.coordinator.revision != self._stored:
                self._journal.write(self.coordinator.snapshot())
                self._stored = self.coordinator.revision
            for instruction in instructions:
                self._carry_out(instruction)
        except Exception as error:
            if self._over is None or self._over.done():
                raise
            self._break(error)
        finally:
            self._rearm()

    # -- inside ------------------------------------------------------------------------------------------

    def _break(self, error: Exception) -> None:
        """End the run by an error: what was decided is not stored, or not all of it is done, or nobody sees it."""
        if isinstance(error, OSError):
            error = RunError(
                "the run cannot go on",
                where=f"network {self._network.name}",
                found=str(error),
                hint="Its jobs on nodes wait for the next `run`, which takes them over",
            )
        self._broken = True
        if self._answers is not None:
            self._answers.append(str(error))
            self._refused = True
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    async def _assemble(self, link: ClientLink | None, local: LocalHost) -> None:
        """Wait for the nodes, join them ourselves, and start."""
        await local.warm()
        if link is not None:
            if self.taken_over:
                self._listen = partial(self._keep_states, link, local)
            await link.start()
            if self._invited:
                link.invite(self._invited)
                with contextlib.suppress(TimeoutError):  # whoever has not answered joins later
                    await asyncio.wait_for(self._answered.wait(), self._gather)
                while self.engine is not None and self.engine.copying and not self._asked:
                    await asyncio.sleep(
                        _LOOK
                    )  # files that go to nodes before the start take as long as they take
        if not self._asked:
            self._show_nodes({} if link is None else link.away())
        self._listen = None
        self.on_event(await local.open(self._own_address(link)))
        if self.engine is not None:
            self.engine.tell_keepers()
        if self._asked:
            self.handle(StopRequested())
        elif self.coordinator.phase is Phase.GATHERING:
            self._require_nodes()
            self.handle(StartRequested())

    def _keep_states(self, link: ClientLink, local: LocalHost, node: str) -> None:
        """The first node of a network that runs may have jobs started at once: they need the states that we keep."""
        self._listen = None
        try:
            local.listen(self._network.settings.client_ip or link.own_address(node))
        except FissionError as error:  # `open` tries it again, and fails for good
            self._watcher.log(None, logging.WARNING, str(error))

    def _require_nodes(self) -> None:
        """Say it before placement says that there are no nodes: there are, and none has come."""
        nodes = [node for address, node in self.coordinator.nodes.items() if address != LOCAL]
        if self._invited and not nodes and any(job.GROUPS != LOCAL for job in self._network.jobs):
            self._journal.clear()
            raise AllocationError(
                "no node has answered",
                where=f"network {self._network.name}",
                expected=f"one of {len(self._invited)} in NODES at port {next(iter(self._invited.values()))}",
                hint="Do their node services run? `--embedded 3` needs none, `--wait 1m` gives them time",
            )

    def _own_address(self, link: ClientLink | None) -> str:
        """The address of the client in data connections."""
        declared = [node.ip for node in self._network.nodes if isinstance(node, LocalNode)]
        if self._network.settings.client_ip:
            return self._network.settings.client_ip
        for address, node in self.coordinator.nodes.items():
            if link is not None and address != LOCAL and node.service:
                return link.own_address(address)
        return declared[0] if declared else "127.0.0.1"

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case Tell():
                self._tell(instruction)
            case Placed():
                self._watcher.placed(instruction.placement)
            case EndNetwork():
                if self._over is not None and not self._over.done():
                    self._over.set_result(instruction)
            case _ if self.engine is not None:
                self.engine.carry_out(instruction)

    def _tell(self, tell: Tell) -> None:
        text = f"node {tell.node}: {tell.text}" if tell.node not in (None, LOCAL) else tell.text
        if self._answers is not None:
            name = "" if tell.job is None else f"{self.reports[tell.job].name}: "
            self._answers.append(f"{name}{text}")
            self._refused |= tell.level >= logging.WARNING
        if tell.level == logging.INFO:
            self._watcher.news(tell.job, text)
        else:
            self._watcher.log(tell.job, tell.level, text)

    def _said(self, said: JobSaid) -> None:
        job = self.coordinator.jobs.get(said.job)
        if job is not None and said.incarnation < job.incarnation:
            return  # from behind a link that was cut: its successor has said so already
        match said.what:
            case OutputLine() | Log():
                self._watcher.said(said)
            case Status() if job is not None and job.incarnation == said.incarnation:
                self.reports[said.job].hear(said.what)

    def _rearm(self) -> None:
        """Wake the coordinator when it wants to be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.coordinator.deadline()
        if deadline is not None and not self._broken:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - monotonic()), self.handle, Tick())

    def _look_who_answered(self) -> None:
        known = self.coordinator.nodes
        if all(
            address in known and (known[address].service or known[address].reason)
            for address in self._invited
        ):
            self._answered.set()

    def _show_nodes(self, away: Mapping[str, str]) -> None:
        nodes = sorted(
            (node for address, node in self.coordinator.nodes.items() if address != LOCAL),
            key=lambda node: natural(node.address),
        )
        there = {node.address for node in nodes if node.service or node.reason}
        missing = {
            address: away.get(address, NOT_TRIED).removeprefix(f"{address}:{port}: ")
            for address, port in self._invited.items()
            if address not in there
        }
        self._watcher.nodes(
            nodes, {address: "" if why == NOT_TRIED else why for address, why in missing.items()}
        )

    def _update_reports(self) -> None:
        for id, job in self.coordinator.jobs.items():
            report = self.reports[id]
            report.state = STATES[job.state]
            report.node = "client" if job.node == LOCAL else job.node or report.node
            report.incarnation = job.incarnation
            if job.state is JobState.FINISHED and not report.round:  # before we came
                report.complete(job.round)

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(STATUS_INTERVAL)
            self._update_reports()
            self._watcher.status(self.reports, monotonic() - self._started)
            self._inform()

    def _shown(self, showing: asyncio.Task[None]) -> None:
        """Nobody may be left with a view that stands still while the network goes on."""
        error = None if showing.cancelled() else showing.exception()
        if isinstance(error, Exception):
            self._break(error)

    def _inform(self) -> None:
        """Tell where the jobs are, if that has changed."""
        places = information(self.coordinator)
        if places is not None and self.coordinator.phase is Phase.RUNNING:
            places = tuple(
                next((old for old in self._places if old.id == new.id and not new.port), new)
                for new in places
            )
            if places != self._places:
                self._places = places
                self._watcher.information(places)
