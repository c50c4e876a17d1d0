"""A cluster without machines: nodes, processes and wires that do what the coordinator's instructions say.

Everything that may go wrong is a method; `settle` lets everything that is on its way arrive. Checks that hold at
every moment are made on the way, those of a calm cluster by `check_calm`.
"""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from fission.cluster import (
    BeginEpoch,
    Coordinator,
    DrainRequested,
    EndNetwork,
    Event,
    IncarnationStatus,
    Instruction,
    InventoryEntry,
    JobExited,
    JobFailed,
    JobFinished,
    JobListening,
    JobNotStarted,
    JobProgress,
    JobReady,
    JobState,
    JobStored,
    NodeDraining,
    NodeJoined,
    NodeLost,
    NodeReport,
    NodeStatus,
    NodeWithdrawn,
    Notice,
    OperatorRequest,
    Outcome,
    Phase,
    PipesSilent,
    Placed,
    Policy,
    ReceiverGone,
    ReloadFailed,
    ReportedFailure,
    RequestAccepted,
    RequestRefused,
    SenderGone,
    SendRoute,
    StartJob,
    StartRequested,
    StopJob,
    StopRequested,
    Tick,
)
from fission.cluster.topology import Topology
from fission.core.groups import LOCAL
from fission.core.jobs.base import is_replayable
from fission.core.network import Network
from fission.core.nodes import NodeInfo
from fission.placement import Links, NodeState, propose

INFO = NodeInfo(cpu=100.0, memory=1 << 30, disk=1 << 30, swap=0.0)
RUN = "this run"
ROUNDING = 1e-9
"""Seconds by which a deadline minus its beginning may be less than what was added."""


@dataclass(eq=False)
class Process:
    """One incarnation of a job, as it is in truth."""

    job: int
    incarnation: int
    address: str
    epoch: int
    run: str = RUN
    status: IncarnationStatus = IncarnationStatus.STARTING
    listens: bool = False
    alive: bool = True
    round: int = 0
    stubborn: bool = False
    stored: bool = False  # a state of it is kept elsewhere
    failing: bool = False
    ended: bool = False  # its stream has ended: nothing left to compute
    routes: dict[int, str] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)  # outputs that nobody wants any more
    said_done: set[int] = field(default_factory=set)  # inputs
    ends: set[int] = field(default_factory=set)  # inputs of which END has come
    newest: dict[int, int] = field(default_factory=dict)  # incarnation of the sender, by input


@dataclass(eq=False)
class Machine:
    """One node service with its wires to the client; `connection` grows with each."""

    address: str
    slots: int
    groups: frozenset[str] = frozenset()
    up: bool = True
    linked: bool = False
    refuses: int = 0
    connection: int = 0
    processes: list[Process] = field(default_factory=list)
    inbox: deque[Instruction] = field(default_factory=deque)
    outbox: deque[Event] = field(default_factory=deque)
    late: deque[Event] = field(default_factory=deque)  # of earlier connections, on their way still

    def living(self) -> list[Process]:
        return [process for process in self.processes if process.alive]

    def say(self, event: Event) -> None:
        if self.linked:
            self.outbox.append(event)


class Cluster:
    """A network, its client, and the machines."""

    def __init__(self, network: Network, machines: list[Machine], policy: Policy) -> None:
        self.network = network
        self.topology = Topology.of(network)
        self.policy = policy
        self.now = 100.0
        self.machines = {one.address: one for one in [Machine(LOCAL, 1 << 20), *machines]}
        self.client = Coordinator(network, RUN, policy=policy)
        self.stored = json.dumps(self.client.snapshot())
        self.revision = self.client.revision
        self.client_up = True
        self.known: dict[str, str] = {}  # connections that the client has been told of, by node
        self.started: dict[int, int] = {}  # the highest incarnation of each job so far
        self.numbered: dict[int, int] = {}  # the newest epoch in which an origin may have numbered blocks
        self.crashes: dict[int, int] = {}
        self.over = False  # the sources' streams have ended
        self.end: EndNetwork | None = None
        self.stop_asked: float | None = None
        self.delivered: list[Notice] = []
        self.link_moves: dict[int, list[float]] = {}  # when each job has moved because of a cut
        self.answered = 0

    # -- the client --------------------------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        if not self.client_up or self.end is not None:
            return
        match event:
            case NodeJoined():
                self.known[event.node] = event.service
            case NodeLost():
                self.known.pop(event.node, None)
        instructions = self.client.handle(event, self.now)
        self.answered = 0
        if self.client.revision != self.revision:
            self.revision = self.client.revision
            self.stored = json.dumps(self.client.snapshot())
        else:
            assert all(isinstance(one, Notice) for one in instructions), (
                "instructions without anything to store"
            )
        for instruction in instructions:
            self.carry_out(instruction)
        assert (self.answered > 0) == isinstance(event, OperatorRequest), (
            "a request is answered, and only a request"
        )
        self.check_slots()

    def carry_out(self, instruction: Instruction) -> None:
        assert self.end is None, f"{instruction} after the end"
        match instruction:
            case EndNetwork():
                self.end = instruction
                self.check_end()
            case Notice():
                self.delivered.append(instruction)
                self.check_link_move(instruction)
            case RequestAccepted() | RequestRefused():
                self.answered += 1
            case Placed():
                pass  # for people
            case ReloadFailed():
                assert instruction.message
                self.crashes[instruction.job] = self.crashes.get(instruction.job, 0) - 1  # it does not count
            case _:
                assert instruction.node in self.known, f"{instruction} to a node that is lost"
                if isinstance(instruction, StartJob):
                    self.check_start(instruction)
                machine = self.machines[instruction.node]
                if machine.linked and self.known[instruction.node] == str(machine.connection):
                    machine.inbox.append(instruction)  # else it goes to a connection that is broken

    def tick(self) -> None:
        self.handle(Tick())

    def pass_time(self, seconds: float) -> None:
        """Let time pass as a client does that keeps its deadlines."""
        until = self.now + seconds
        while self.client_up and self.end is None:
            deadline = self.client.deadline()
            if deadline is None or deadline > until:
                break
            self.now = max(self.now, deadline)
            self.tick()
        self.now = max(self.now, until)

    def kill_client(self) -> None:
        if self.end is not None:
            return
        self.client_up = False
        for machine in self.machines.values():
            machine.linked = False
            for queue in (machine.inbox, machine.outbox, machine.late):
                queue.clear()
        local = self.machines[LOCAL]
        local.processes.clear()

    def start_client(self) -> None:
        """A new client goes on from what the old one has stored; its own node joins first."""
        self.now = self.now * 0.5  # another clock
        self.link_moves.clear()
        stored = json.loads(self.stored)
        self.client = Coordinator.from_snapshot(self.network, stored, self.now, policy=self.policy)
        assert {**self.client.snapshot(), "nodes": ()} == {**stored, "nodes": ()}
        self.revision = self.client.revision
        self.known = {}
        self.client_up = True
        self.stop_asked = None
        self.connect(self.machines[LOCAL])

    # -- wires -------------------------------------------------------------------------------------------

    def connect(self, machine: Machine) -> None:
        """A connection with an inventory; what was sent before and not worked off is lost."""
        if machine.linked or not machine.up or not self.client_up:
            return
        machine.linked = True
        machine.connection += 1
        machine.inbox.clear()
        machine.late.extend(machine.outbox)
        machine.outbox.clear()
        inventory = tuple(
            InventoryEntry(
                p.job,
                p.incarnation,
                p.run,
                p.status,
                p.alive,
                p.address if p.listens else "",
                p.round,
                p.stored,
                self.failure_of(p) if p.failing else None,
            )
            for p in machine.processes
        )
        machine.say(
            NodeJoined(
                machine.address,
                INFO,
                groups=machine.groups,
                slots=machine.slots,
                service=str(machine.connection),
                inventory=inventory,
            )
        )

    def cut(self, machine: Machine) -> None:
        """The connection breaks; the client hears of it, but not before what was on its way."""
        if not machine.linked:
            return
        machine.linked = False
        machine.inbox.clear()
        machine.outbox.append(NodeLost(machine.address, "silent"))

    def withdraw(self, machine: Machine, *, drained: bool) -> None:
        """The machine is taken away while the client is there; it may be given again later."""
        if not self.client_up:
            return
        if drained:
            self.handle(DrainRequested(machine.address))
        self.cut(machine)
        self.detect(machine)
        machine.late.clear()
        self.handle(NodeWithdrawn(machine.address, "taken away"))
        if self.end is not None:
            return
        assert machine.address not in self.client.nodes
        assert machine.address not in json.loads(self.stored)["nodes"] + json.loads(self.stored)["drained"]

    def detect(self, machine: Machine) -> None:
        """The client notices; what was on its way from there comes even later."""
        if machine.outbox and isinstance(machine.outbox[-1], NodeLost):
            lost = machine.outbox.pop()
            machine.late.extend(machine.outbox)
            machine.outbox.clear()
            self.handle(lost)

    def deliver(self, machine: Machine, choice: int = 0) -> bool:
        """The client gets one event: the first of some job (joins and losses stay where they are in the order)."""
        if not machine.outbox or not self.client_up:
            return False
        firsts: dict[object, Event] = {}
        for event in machine.outbox:
            if isinstance(event, NodeJoined | NodeLost):
                if not firsts:
                    firsts[0] = event
                break
            firsts.setdefault(getattr(event, "job", None), event)
        event = list(firsts.values())[choice % len(firsts)]
        machine.outbox.remove(event)
        self.handle(event)
        return True

    def deliver_late(self, machine: Machine) -> bool:
        if not machine.late or not self.client_up:
            return False
        event = machine.late.popleft()
        if not isinstance(event, NodeJoined | NodeLost):
            self.handle(event)
        return True

    # -- machines ----------------------------------------------------------------------------------------

    def execute(self, machine: Machine) -> bool:
        """A node service carries out one instruction."""
        if not machine.inbox:
            return False
        order = machine.inbox.popleft()
        assert not isinstance(
            order, Notice | RequestAccepted | RequestRefused | Placed | ReloadFailed | EndNetwork
        )
        run = order.run if isinstance(order, StopJob) else RUN
        key = (run, order.job, order.incarnation)
        found = [p for p in machine.living() if (p.run, p.job, p.incarnation) == key]
        process = found[0] if found else None
        match order:
            case StartJob():
                self.start(machine, order)
            case StopJob() if process is None:
                machine.say(JobExited(machine.address, order.job, order.incarnation, 0, run))
            case StopJob():
                if order.force or not process.stubborn:
                    self.exit(machine, process, -15)
            case SendRoute() if process:
                process.routes[order.pipe] = order.address
            case ReceiverGone() if process:
                process.done.add(order.pipe)
            case SenderGone() if process:
                process.ends.add(order.pipe)
            case BeginEpoch() if process:
                process.epoch = max(process.epoch, order.epoch)
        return True

    def start(self, machine: Machine, order: StartJob) -> None:
        if machine.refuses:
            machine.refuses -= 1
            self.crashes[order.job] = self.crashes.get(order.job, 0) + 1
            machine.say(JobNotStarted(machine.address, order.job, order.incarnation, "disk full"))
            return
        living = machine.living()
        assert len(living) < machine.slots, f"no slot for {order}: {living}"
        assert all(p.job != order.job for p in living), f"{order} meets its predecessor"
        address = f"{machine.address}:{order.job}.{order.incarnation}"
        process = Process(order.job, order.incarnation, address, order.epoch)
        process.newest.update(order.senders)
        machine.processes.append(process)

    def exit(self, machine: Machine, process: Process, code: int) -> None:
        process.alive = False
        if process.status not in (IncarnationStatus.FINISHED, IncarnationStatus.FAILED):
            process.status = IncarnationStatus.GONE
        process.listens = False
        machine.say(JobExited(machine.address, process.job, process.incarnation, code, process.run))

    def crash(self, machine: Machine, process: Process) -> None:
        if process.run == RUN and process.status is not IncarnationStatus.FINISHED:
            self.crashes[process.job] = self.crashes.get(process.job, 0) + 1
        self.exit(machine, process, -9)

    def fail(self, machine: Machine, process: Process) -> None:
        """The user's code raises; the process is there for a while."""
        if process.failing or process.run != RUN or process.status is IncarnationStatus.FINISHED:
            return
        process.failing = True
        self.crashes[process.job] = self.crashes.get(process.job, 0) + 1
        failure = self.failure_of(process)
        process.status = IncarnationStatus.FAILED
        fields = (failure.round, failure.where, failure.message, failure.traceback)
        machine.say(JobFailed(machine.address, process.job, process.incarnation, *fields))

    def failure_of(self, process: Process) -> ReportedFailure:
        """What a failing process has reported."""
        return ReportedFailure(process.round + 1, "run" if process.round else "setup", "boom", "tb")

    def power_off(self, machine: Machine) -> None:
        self.cut(machine)
        machine.up = False
        for process in machine.processes:
            process.alive = False
        machine.processes.clear()

    def power_on(self, machine: Machine) -> None:
        machine.up = True

    def step(self, machine: Machine, process: Process) -> bool:
        """A process gets one step further. Returns whether there was one."""
        who = (machine.address, process.job, process.incarnation)
        if process.run != RUN or process.stubborn:
            return False
        if process.failing:
            self.exit(machine, process, 1)
        elif not process.listens:
            process.listens = True
            machine.say(JobListening(*who, process.address))
        elif process.status is IncarnationStatus.STARTING:
            process.status = IncarnationStatus.RUNNING
            machine.say(JobReady(*who))
        elif process.status is IncarnationStatus.FINISHED:
            self.exit(machine, process, 0)
        else:
            return self.flow(machine, process)
        return True

    def compute(self, machine: Machine, process: Process) -> None:
        if process.status is IncarnationStatus.RUNNING and not process.failing and process.run == RUN:
            process.round += 5
            if process.job in self.topology.reset_group:
                newest = self.numbered.get(process.job, 0)
                self.numbered[process.job] = max(newest, process.epoch)
            machine.say(JobProgress(machine.address, process.job, process.incarnation, process.round))
            if not process.stored:
                process.stored = True
                machine.say(JobStored(machine.address, process.job, process.incarnation))

    def silence(self, machine: Machine, process: Process, choice: int, seconds: float) -> None:
        """A process reports that some of its pipes are silent, or none any more; true or not."""
        if process.run != RUN or not process.listens:
            return
        around = [*self.topology.into[process.job], *self.topology.out_of[process.job]]
        pipes = {pipe.id: seconds for bit, pipe in enumerate(around) if choice >> bit & 1}
        machine.say(PipesSilent(machine.address, process.job, process.incarnation, pipes))

    # -- the stream --------------------------------------------------------------------------------------

    def processes(self) -> Iterator[tuple[Machine, Process]]:
        for machine in self.machines.values():
            for process in machine.living():
                if process.run == RUN:
                    yield machine, process

    def flow(self, machine: Machine, process: Process) -> bool:
        """END and DONE as `Exchange.finish` passes them on."""
        into, out_of = self.topology.into[process.job], self.topology.out_of[process.job]
        before = (len(process.ends), len(process.done), len(process.said_done), process.ended)
        for pipe in into:
            for sender in self.connected(pipe.id, pipe.source, process):
                if sender.ended:
                    process.ends.add(pipe.id)
        for pipe in out_of:
            for _, receiver in self.processes():
                if receiver.address == process.routes.get(pipe.id) and receiver.listens:
                    current = self.connected(pipe.id, process.job, receiver)
                    if pipe.id in receiver.said_done and process in current:
                        process.done.add(pipe.id)
        awaited = {p.id for p in into if p.waited} or {p.id for p in into}
        cancelled = bool(out_of) and process.done >= {p.id for p in out_of}
        process.ended |= cancelled or (awaited <= process.ends if into else self.over)
        if process.ended:
            process.said_done |= {p.id for p in into if not p.waited}
            if process.done >= {p.id for p in out_of}:
                process.said_done |= {p.id for p in into}
                process.status = IncarnationStatus.FINISHED
                machine.say(JobFinished(machine.address, process.job, process.incarnation, process.round))
                return True
        return before != (len(process.ends), len(process.done), len(process.said_done), process.ended)

    def connected(self, pipe: int, source: int, receiver: Process) -> list[Process]:
        """The sender that a receiver listens to: the newest that has ever connected."""
        senders = [
            p
            for _, p in self.processes()
            if p.job == source
            and p.status is not IncarnationStatus.STARTING
            and p.routes.get(pipe) == receiver.address
        ]
        newest = max([receiver.newest.get(pipe, 0), *(p.incarnation for p in senders)])
        receiver.newest[pipe] = newest
        return [p for p in senders if p.incarnation == newest]

    # -- calm --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everything arrives and goes on until nothing more happens. Machines that are off stay off."""
        if not self.client_up:
            self.start_client()
        for machine in self.machines.values():
            machine.refuses = 0
        for _ in range(3000):
            moved = False
            for machine in self.machines.values():
                if not machine.linked and machine.up:
                    while self.deliver(machine):
                        pass
                    self.connect(machine)
                    moved = True
                moved |= self.execute(machine) | self.deliver(machine) | self.deliver_late(machine)
                for process in machine.living():
                    moved |= self.step(machine, process)
            if self.end is not None:
                return
            if not moved:
                deadline = self.client.deadline()
                if deadline is None:
                    return
                self.pass_time(max(0.0, deadline - self.now))
        raise AssertionError("never calm")

    # -- what must hold ----------------------------------------------------------------------------------

    def check_start(self, order: StartJob) -> None:
        before = self.started.get(order.job, 0)
        assert order.incarnation > before, f"{order} is not newer than incarnation {before}"
        assert order.resume == (before > 0) or order.incarnation > 1
        self.started[order.job] = order.incarnation
        numbered = self.numbered.get(order.job, 0)
        live = order.job in self.topology.reset_group and not is_replayable(self.network.job(order.job))
        assert not live or order.epoch > numbered, f"{order}: blocks of epoch {numbered} again"
        assert self.client.nodes[order.node].status is NodeStatus.UP

    def check_link_move(self, notice: Notice) -> None:
        """Moves because of cuts are bounded: both ends had time, and each move of a job waits twice as long as the one before."""
        if "have not reached each other" not in notice.text or notice.job is None:
            return
        timeout, moves = self.policy.link_timeout, self.link_moves.setdefault(notice.job, [])
        assert timeout is not None
        pipe = int(notice.text.rpartition("(pipe ")[2].rstrip(")"))
        ends = next(one for pipes in self.topology.into.values() for one in pipes if one.id == pipe)
        for end in (ends.source, ends.destination):
            assert self.now - self.client.jobs[end].listening_since >= timeout - ROUNDING, "it has just come"
        if moves:
            since = self.now - moves[-1] + ROUNDING
            assert since >= timeout * 2 ** min(len(moves), 6) or since > 600
        moves.append(self.now)

    def check_slots(self) -> None:
        for machine in self.machines.values():
            held = [job.id for job in self.client.jobs.values() if job.node == machine.address]
            assert len(held) <= machine.slots, f"{machine.address}: {held} in {machine.slots} slots"

    def check_end(self) -> None:
        end = self.end
        assert end is not None
        jobs = self.client.jobs.values()
        assert self.client.phase is Phase.ENDED
        assert self.client.deadline() is None
        if end.outcome is Outcome.FINISHED:
            assert all(job.state is JobState.FINISHED for job in jobs)
            assert self.over, "finished before the streams were over"
            assert end.exit_code == 0
        elif end.outcome is Outcome.STOPPED:
            assert self.stop_asked is not None or self.now < 100
        elif end.exit_code == 2:
            assert not self.started
        else:
            assert end.failure is not None
            limit = self.policy.max_restarts
            assert any(count > limit for count in self.crashes.values()), f"{end} for no reason"
        if not any("could not be ended" in one.text for one in self.delivered):
            for machine in self.machines.values():
                if machine.linked and machine.address in self.known:
                    left = [p for p in machine.living() if p.status is not IncarnationStatus.FINISHED]
                    assert not left, f"{left} on {machine.address} after the end"

    def check_calm(self) -> None:
        """After `settle`: what is believed is so, and everything is where it can be."""
        if self.end is not None:
            return
        client = self.client
        assert client.deadline() is None
        for machine in self.machines.values():
            assert (machine.address in self.known) == machine.up
            node = client.nodes.get(machine.address)
            assert (node is not None and node.status is NodeStatus.UP) == machine.up
            for process in machine.living():
                job = client.jobs[process.job]
                assert process.run == RUN
                assert (job.node, job.incarnation) == (machine.address, process.incarnation), "an orphan"
        if client.phase is not Phase.RUNNING:
            return
        at = {process.job: (machine, process) for machine, process in self.processes()}
        for job in client.jobs.values():
            assert job.state in (JobState.RUNNING, JobState.WAITING, JobState.FINISHED), job
            if job.state is JobState.RUNNING:
                assert job.id in at, f"{job.name} is believed to run"
                self._check_running(at, job.id)
        self._check_waiting()

    def _check_running(self, at: dict[int, tuple[Machine, Process]], job: int) -> None:
        machine, process = at[job]
        assert machine.up
        assert process.status is IncarnationStatus.RUNNING
        groups = self.network.job(job).GROUPS
        allowed = groups == "ALL" or (groups == "LOCAL") == (machine.address == LOCAL)
        assert allowed, (groups, machine.address)
        assert (machine.address == LOCAL) == (groups == "LOCAL")
        assert not isinstance(groups, tuple) or set(groups) & machine.groups
        for pipe in self.topology.out_of[job]:
            if pipe.destination in at:
                assert process.routes.get(pipe.id) == at[pipe.destination][1].address, f"pipe {pipe.id}"
            elif self.client.jobs[pipe.destination].state is JobState.FINISHED:
                assert pipe.id in process.done
        for pipe in self.topology.into[job]:
            if pipe.waited:
                state = self.client.jobs[pipe.source].state
                assert state is not JobState.FINISHED, "waits for a job that has finished"
        for other in self.topology.reset_group.get(job, ()):
            if other in at and at[other][1].status is IncarnationStatus.RUNNING:
                assert at[other][1].epoch == process.epoch, "a join of two epochs"

    def _check_waiting(self) -> None:
        client = self.client
        waiting = [job.id for job in client.jobs.values() if job.state is JobState.WAITING]
        fixed = {job.id: job.node for job in client.jobs.values() if job.node is not None}
        states = [
            NodeState(one.address, INFO, "", one.groups, one.slots, active=one.up)
            for one in self.machines.values()
            if one.address != LOCAL
        ]
        placement = propose(self.network, states, Links(), fixed=fixed, only=waiting)
        placed = [one.job for one in placement if one.job in waiting and one.node is not None]
        assert not placed, f"jobs {placed} wait although there is a node"
        for job in waiting:
            assert any(notice.job == job and "waits" in notice.text for notice in self.delivered), (
                "waits in silence"
            )


__all__ = ["Cluster", "Machine", "NodeDraining", "NodeReport", "StartRequested", "StopRequested"]
