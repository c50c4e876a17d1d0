"""A run of a network on its nodes: connects the coordinator with executor, journal, clock and observer.

`await ClusterRun(...).run()` starts the network, or takes over one that an earlier client has left running, and
returns when it has ended. `interrupt` asks for the end.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from fission.cluster import (
    Coordinator,
    DrainRequested,
    EndNetwork,
    Event,
    MoveRequested,
    NodeJoined,
    NodeWithdrawn,
    Notice,
    Phase,
    Placed,
    Policy,
    RebalanceRequested,
    ReloadFailed,
    ReloadRequested,
    RequestAccepted,
    RequestRefused,
    StartRequested,
    StopRequested,
    Tick,
)
from fission.cluster.instructions import Instruction
from fission.cluster.transitions import JobState
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.client.client_host import LocalHost, client_address
from fission.engine.client.control_socket import (
    DrainRequest,
    MoveRequest,
    RebalanceRequest,
    ReloadRequest,
    Request,
    StatusRequest,
    StopRequest,
)
from fission.engine.client.executor import InstructionExecutor
from fission.engine.client.presenter import RunObserver, RunPresenter
from fission.engine.client.private.journal import Journal
from fission.engine.protocol.clock_offset import NodeClocks
from fission.engine.protocol.interfaces import ClientLink, EngineEvent, JobSaid, PlacedJob
from fission.engine.protocol.job_report import JobReport
from fission.engine.protocol.pipe_taps import PipeTaps
from fission.errors import AllocationError, FissionError, RunError
from fission.runtime.messages import Tap, TapBlock

STATUS_INTERVAL = 0.5
GATHER_SECONDS = 3.0
"""Seconds that a start waits for nodes that do not answer and are not needed."""

_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The outcome of a run."""

    end: EndNetwork
    seconds: float
    jobs: Mapping[int, JobReport]


class ClusterRun:
    """One run: `await run(...)` once; `interrupt` may be called at any time.

    `invited` maps the addresses of the nodes to their ports. A start waits up to `wait` seconds (None: without end) for nodes
    without which jobs have no place, and up to `gather` seconds for the others. `origin` is what has provided the nodes.
    """

    def __init__(
        self,
        network: Network,
        watcher: RunObserver,
        journal: Journal,
        *,
        invited: Mapping[str, int],
        policy: Policy,
        seconds: float | None = None,
        gather: float = GATHER_SECONDS,
        wait: float | None = 0.0,
        origin: str = "NODES",
    ) -> None:
        self._network = network
        self._journal = journal
        self._invited = dict(invited)
        self._seconds, self._gather, self._wait = seconds, gather, wait
        self.on_reverted: Callable[[ReloadFailed], None] = lambda _failed: None
        """Called when a job needs its old code again; see `reloading`."""
        self._changed = asyncio.Event()  # set by every event of the engine
        snapshot = journal.read()
        self.taken_over = snapshot is not None
        if snapshot is None:
            self.run_id = uuid.uuid4().hex
            self.coordinator = Coordinator(network, self.run_id, policy=policy)
        else:
            self.run_id = str(snapshot["run"])
            self.coordinator = Coordinator.from_snapshot(network, snapshot, monotonic(), policy=policy)
        self.engine: InstructionExecutor | None = None
        self._presenter = RunPresenter(
            network, self.coordinator, watcher, clocks=self._clocks, taken_over=self.taken_over, origin=origin
        )
        self.taps = PipeTaps(network, self._order_tap)
        self._stored = self.coordinator.revision
        self._answered = asyncio.Event()
        self._over: asyncio.Future[EndNetwork] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._asked = 0
        self._started = monotonic()
        self._broken = self._timed = False  # timed: every job runs
        self._meet: Callable[[str], None] | None = None
        self._seen_as = ""
        self._seen = asyncio.Event()  # the address of the client is known, or no longer needed

    @property
    def started(self) -> bool:
        """Whether every job runs, or has run."""
        return self._timed

    @property
    def interrupted(self) -> bool:
        """Whether the end has been requested."""
        return self._asked > 0

    # -- from outside ------------------------------------------------------------------------------------

    def offer(self, node: str, port: int) -> None:
        """Add a node, before the run or while it goes on; see `NodeOffers`."""
        self._invited[node] = port
        link = None if self.engine is None else self.engine.link
        if link is not None:
            link.invite({node: port})

    def withdraw(self, node: str, reason: str) -> None:
        """Take a node away for good: its jobs continue elsewhere."""
        if self._invited.pop(node, None) is None:
            return
        link = None if self.engine is None else self.engine.link
        if link is not None:
            link.dismiss(node, reason)
        self.handle(NodeWithdrawn(node, reason))
        self._changed.set()
        self._look_who_answered()

    def interrupt(self, *, force: bool = False, request: int = 0) -> None:
        """Stop everything everywhere; a second call stops by force."""
        self._asked += 1
        self._answered.set()
        self._changed.set()
        self._seen.set()
        if self._over is not None:
            self.handle(StopRequested(force or self._asked > 1, request))

    def answer(self, request: Request) -> dict[str, Any]:
        """Carry out a request of another terminal (see `control_socket`); return the answer."""
        with self._presenter.answering() as (number, answer):
            match request:
                case StatusRequest():
                    view = self._presenter.view(self.run_id, monotonic() - self._started)
                    return answer.plain() | {"network": view.plain()}
                case StopRequest(force):
                    self.interrupt(force=force, request=number)
                case MoveRequest(job, node):
                    self.handle(MoveRequested(job, node, number))
                case DrainRequest(node, undo):
                    self.handle(DrainRequested(node, undo, number))
                case RebalanceRequest():
                    self.handle(RebalanceRequested(number))
                case ReloadRequest():
                    answer.add("the run has not begun", refused=True)
        return answer.plain()

    def request_reload(self, job: int) -> dict[str, Any]:
        """Restart a job with the code that its next order has; return the answer to that request."""
        with self._presenter.answering() as (number, answer):
            self.handle(ReloadRequested(job, number))
        return answer.plain()

    def placed(self) -> dict[int, PlacedJob]:
        """Return the newest incarnation of each job that has a node."""
        return {
            job.id: PlacedJob(job.incarnation, job.node)
            for job in self.coordinator.jobs.values()
            if job.node is not None
        }

    def on_event(self, event: EngineEvent) -> None:
        """Handle an event of the engine."""
        if isinstance(event, JobSaid):
            if isinstance(event.what, TapBlock):
                self.taps.receive(event.job, event.incarnation, event.what)
            else:
                self._presenter.said(event)
        else:
            if isinstance(event, NodeJoined) and self._meet is not None:
                self._meet(event.node)
            self.handle(event)
            self._changed.set()
            self._look_who_answered()
            self._look_whether_all_run()

    async def run(self, engine: InstructionExecutor, link: ClientLink | None, local: LocalHost) -> RunOutcome:
        """Run to the end. Raises RunError when the client cannot do its part."""
        self.engine = engine
        self._over = asyncio.get_running_loop().create_future()
        self._started = monotonic()
        self._presenter.begin()
        showing = asyncio.create_task(self._show())
        showing.add_done_callback(self._shown)
        try:
            await self._assemble(link, local)
            end = await self._over
            self._journal.clear()
            await engine.say_ended()
        finally:
            for handle in (self._ending, self._timer):
                if handle is not None:
                    handle.cancel()
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
            await engine.close()
            await local.close()
            if link is not None:
                await link.close()
        self._presenter.update()
        return RunOutcome(end, monotonic() - self._started, self._presenter.reports)

    def handle(self, event: Event) -> None:
        """Let the coordinator decide, store the decision, then carry it out. A failure of that ends the run."""
        if self._broken:
            return
        try:
            instructions = self.coordinator.handle(event, monotonic())
            if self.coordinator.revision != self._stored:
                ending = self.coordinator.phase in (
                    Phase.ENDING,
                    Phase.ENDED,
                )  # which the next `run` can repeat
                if problem := self._journal.write(self.coordinator.snapshot(), needed=not ending):
                    self._presenter.warn(problem)
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

    def _order_tap(self, job: int, order: Tap) -> bool:
        """Send an order for a tap to where the job runs now; return False when its last block was sent."""
        record = self.coordinator.jobs[job]
        if record.state in (JobState.FINISHED, JobState.STOPPED) or (self._over and self._over.done()):
            return False
        if record.state is JobState.RUNNING and record.node is not None and self.engine is not None:
            self.engine.tap(record.node, job, record.incarnation, order)
        return True

    def _clocks(self) -> Mapping[str, NodeClocks]:
        link = None if self.engine is None else self.engine.link
        return {} if link is None else link.clocks()

    def _break(self, error: Exception) -> None:
        """End the run by an error: a decision was not stored, not carried out, or the view has failed."""
        if isinstance(error, OSError):
            error = RunError(
                "the run cannot go on",
                where=f"network {self._network.name}",
                found=str(error),
                hint="Its jobs on nodes wait for the next `run`, which takes them over",
            )
        self._broken = True
        self._seen.set()
        self._changed.set()
        self._presenter.fail(str(error))
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    async def _assemble(self, link: ClientLink | None, local: LocalHost) -> None:
        """Wait for the nodes, join the client itself, and start."""
        early = self._asked > 0  # the coordinator does not know yet
        self._presenter.connect(self._invited)
        await local.warm()
        if link is not None:
            self._meet = partial(self._met, link, local)
            await link.start()
            if self._invited:
                link.invite(self._invited)
                with contextlib.suppress(TimeoutError):  # nodes that have not answered join later
                    await asyncio.wait_for(self._answered.wait(), self._gather)
                await self._await_needed(link)
                # files that go to nodes before the start take as long as they take
                while self.engine is not None and self.engine.copying and not self._asked:
                    await asyncio.sleep(_LOOK)
        if not self._asked:
            self._presenter.nodes(self._invited, {} if link is None else link.away())
            await self._be_seen()
        self._presenter.catch_up()
        self._meet = None
        if self.coordinator.phase is Phase.ENDED or self._broken:
            return
        self.on_event(await local.open(self._own_address()))
        if self.engine is not None:
            self.engine.announce_replicas()
        if early:
            self.handle(StopRequested())
        elif self.coordinator.phase is Phase.GATHERING:
            self._require_nodes()
            self.handle(StartRequested())

    async def _await_needed(self, link: ClientLink) -> None:
        """Wait until every job has a place, as long as nodes are missing that may give one."""
        until = None if self._wait is None else self._started + self._wait
        while self.coordinator.phase is Phase.GATHERING and not self._asked and not self._broken:
            missing = self._missing()
            problem = self.coordinator.start_problem() if missing else ""
            left = None if until is None else until - monotonic()
            if not problem or (left is not None and left <= 0):
                return
            self._presenter.wait_for_nodes(problem, missing, link.away(), self._wait)
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)

    def _met(self, link: ClientLink, local: LocalHost, node: str) -> None:
        """Read the client's address from the connection to the first node; that node may be gone when it is needed.

        The first node of a network that runs may have jobs started at once: they need the states that we keep.
        """
        try:
            self._seen_as = link.own_address(node)
        except FissionError as error:  # its link has just been cut: the next node is asked
            self._presenter.warn(str(error))
            return
        self._meet = None
        self._seen.set()
        try:
            if self.taken_over:
                local.listen(self._own_address())
        except FissionError as error:  # `open` tries to listen again, and fails for good
            self._presenter.warn(str(error))

    async def _be_seen(self) -> None:
        """In a network that runs, wait for a node where only a connection shows the client's address: it cannot change later.

        A start without nodes ends, unless all jobs are local: then it is seen by nobody else.
        """
        remote = self._invited and any(job.GROUPS != LOCAL for job in self._network.jobs)
        if (
            self.coordinator.phase is Phase.GATHERING
            or not remote
            or client_address(self._network, self._seen_as)
        ):
            return
        self._presenter.wait_for_a_node()
        self.handle(Tick())  # its timers run from now on, although no event has happened yet
        await self._seen.wait()

    def _require_nodes(self) -> None:
        """Raise AllocationError when no node has answered, before placement reports that there are none."""
        nodes = [node for address, node in self.coordinator.nodes.items() if address != LOCAL]
        usable = any(node.service for node in nodes)
        if self._invited and not usable and any(job.GROUPS != LOCAL for job in self._network.jobs):
            self._journal.clear()
            raise AllocationError(
                "no node can be used" if nodes else "no node has answered",
                where=f"network {self._network.name}",
                expected=f"one of {len(self._invited)} in NODES at port {next(iter(self._invited.values()))}",
                found=f"{len(nodes)} that cannot be used" if nodes else "",
                hint=""
                if nodes
                else "Do their node services run? `--embedded 3` needs none, `--wait 10m` gives them more time",
            )

    def _own_address(self) -> str:
        """Return the address of the client for data connections."""
        return client_address(self._network, self._seen_as) or "127.0.0.1"

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case Notice():
                self._presenter.notice(instruction)
            case RequestAccepted() | RequestRefused():
                self._presenter.answered(instruction)
            case Placed():
                self._presenter.placed(instruction.placement)
            case ReloadFailed():
                self._presenter.warn(
                    f"{self._network.job(instruction.job).name}: the new code has failed, the old one goes on"
                )
                self.on_reverted(instruction)
            case EndNetwork():
                self._seen.set()
                if self._over is not None and not self._over.done():
                    self._over.set_result(instruction)
            case _ if self.engine is not None:
                self.engine.carry_out(instruction)

    def _rearm(self) -> None:
        """Set the timer for the coordinator's next deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.coordinator.deadline()
        if deadline is not None and not self._broken:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - monotonic()), self.handle, Tick())

    def _look_whether_all_run(self) -> None:
        """Let the time begin once every job runs: neither `seconds` nor rates contain the start."""
        jobs = self.coordinator.jobs.values()
        if self._timed or any(job.state not in (JobState.RUNNING, JobState.FINISHED) for job in jobs):
            return
        self._timed = True
        self._started = monotonic()
        if self._seconds is not None:
            self._ending = asyncio.get_running_loop().call_later(self._seconds, self.interrupt)

    def _look_who_answered(self) -> None:
        if not self._missing():
            self._answered.set()

    def _missing(self) -> list[str]:
        """Return the nodes that have not answered."""
        known = self.coordinator.nodes
        return [
            address
            for address in self._invited
            if address not in known or not (known[address].service or known[address].reason)
        ]

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(STATUS_INTERVAL)
            self._presenter.status(monotonic() - self._started)

    def _shown(self, showing: asyncio.Task[None]) -> None:
        """End the run when the view has failed: it must not stand still while the network goes on."""
        error = None if showing.cancelled() else showing.exception()
        if isinstance(error, Exception):
            self._break(error)
