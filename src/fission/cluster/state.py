"""The state of the coordinator in one place, with the instructions that the current event has led to so far."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from fission.channel.machine import Machine
from fission.cluster.faults.crash_counter import CrashCounter
from fission.cluster.instructions import (
    Failure,
    Instruction,
    Notice,
    Outcome,
    RequestAccepted,
    RequestRefused,
    StopJob,
    ToNode,
)
from fission.cluster.topology import Topology
from fission.cluster.transitions import (
    ALIVE,
    JOB_TABLE,
    REACHABLE,
    JobMove,
    JobState,
    NodeStatus,
    Phase,
    Policy,
)
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.placement import NodeState

DRAINED = "drained"
"""The reason of a node that takes no jobs because an operator drained it."""

JobMachine = Machine[JobState, JobMove]


def machine(name: str, state: JobState = JobState.WAITING) -> JobMachine:
    """Make the state machine of a job."""
    return Machine(f"job {name}", state, JOB_TABLE, frozenset(JobMove))


@dataclass(slots=True)
class DeliveredUpdates:
    """What the process of one incarnation has received; reset whenever that is uncertain."""

    routes: dict[int, str] = field(default_factory=dict)
    receivers_gone: set[int] = field(default_factory=set)
    senders_gone: set[int] = field(default_factory=set)
    epoch: int = 0


@dataclass(slots=True)
class JobRecord:
    """One job.

    `node` holds its slot, from the placement until its process has ended: while the job backs off, it is a reservation.
    `numbered`: the job may have numbered blocks in `epoch`. `stored`: a checkpoint of it exists. `avoid` is a node that could
    not start it, `target` the one that it moves to. `shown` is the traceback that was shown last. The meaning of `timer`
    depends on the state, see `job_lifecycle.expire`. `wait_reported`: the reason why it waits for a node was shown.
    `unheard` are incarnations that were lost with their nodes: how they have ended is not known.
    `trial` is the incarnation that has to prove its new code (see `reload`), 0 for none.
    `link_moves` counts moves because of cuts between nodes, the last one at `link_moved_at`.
    """

    id: int
    name: str
    machine: JobMachine
    node: str | None = None
    incarnation: int = 0
    address: str = ""
    crashes: CrashCounter = field(default_factory=CrashCounter)
    epoch: int = 1
    numbered: bool = False
    stored: bool = False
    avoid: str | None = None
    target: str | None = None
    failure: Failure | None = None
    shown: str = ""
    timer: float | None = None
    wait_reported: bool = False
    listening_since: float = 0.0
    unheard: list[int] = field(default_factory=list)
    link_moves: int = 0
    link_moved_at: float = 0.0
    trial: int = 0
    delivered: DeliveredUpdates = field(default_factory=DeliveredUpdates)

    @property
    def state(self) -> JobState:
        """The state of the job."""
        return self.machine.state

    @property
    def round(self) -> int:
        """The last complete round of this incarnation, as far as it was reported."""
        return self.crashes.round

    @property
    def alive(self) -> bool:
        """Whether a process should exist and work."""
        return self.machine.state in ALIVE

    @property
    def listening(self) -> bool:
        """Whether its process works and receives messages."""
        return self.address != "" and self.alive


@dataclass(slots=True)
class Orphan:
    """A process that must end; `timer`: when it is killed."""

    run: str
    job: int
    incarnation: int
    timer: float


@dataclass(slots=True)
class NodeRecord:
    """One node. The client is one too, without a `state`: placement knows it anyway."""

    address: str
    status: NodeStatus
    state: NodeState | None = None
    service: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    orphans: list[Orphan] = field(default_factory=list)
    timer: float | None = None


@dataclass(slots=True)
class SilentPipe:
    """A pipe whose ends do not reach each other, as one of them or both report.

    Not before `due` a job moves because of it. `timer`: when that is looked at next; None: when a slot may have become free.
    """

    since: float
    due: float
    timer: float | None
    reporters: set[int] = field(default_factory=set)
    reported: bool = False


@dataclass(slots=True)
class Ending:
    """How the network is going to end, once all processes have ended or the `timer` has run out twice."""

    outcome: Outcome
    exit_code: int
    failure: Failure | None
    timer: float
    forced: bool = False


@dataclass(slots=True)
class ClusterState:
    """The state of the coordinator. `touched` are jobs whose neighbors may need an update; `started` those of this event."""

    network: Network
    topology: Topology
    run: str
    policy: Policy
    jobs: dict[int, JobRecord]
    nodes: dict[str, NodeRecord]
    client: str = LOCAL
    """The client's address in measurements of links."""
    drained: set[str] = field(default_factory=set)
    """Nodes drained by an operator; survives reconnects."""
    tq: dict[tuple[str, str], float] = field(default_factory=dict)
    silent: dict[int, SilentPipe] = field(default_factory=dict)
    cuts: dict[frozenset[str], float] = field(default_factory=dict)
    """Pairs of nodes that have not reached each other, and until when that is remembered."""
    phase: Phase = Phase.GATHERING
    epoch: int = 1
    start_timer: float | None = None
    ending: Ending | None = None
    fault: Failure | None = None
    """A failure that does not stop other jobs, but decides how the network ends."""
    now: float = 0.0
    vacancy: bool = False
    """A slot may have become free, or a job may have begun to wait."""
    touched: set[int] = field(default_factory=set)
    started: list[int] = field(default_factory=list)
    out: list[Instruction] = field(default_factory=list)

    def notify(self, level: int, text: str, *, job: JobRecord | None = None, node: str | None = None) -> None:
        """Add a line for people."""
        self.out.append(Notice(level, text, None if job is None else job.id, node))

    def accept(
        self, request: int, text: str, *, job: JobRecord | None = None, node: str | None = None
    ) -> None:
        """Answer an operator request with a step that is being taken."""
        self.out.append(RequestAccepted(request, text, None if job is None else job.id, node))

    def refuse(
        self, request: int, text: str, *, job: JobRecord | None = None, node: str | None = None
    ) -> None:
        """Answer an operator request with the reason why it, or a part of it, is not carried out."""
        self.out.append(RequestRefused(request, text, None if job is None else job.id, node))

    def send(self, instruction: ToNode) -> None:
        """Send an instruction, unless its node cannot be reached."""
        if self.reachable(instruction.node):
            self.out.append(instruction)

    def reachable(self, address: str | None) -> bool:
        """Whether instructions reach a node."""
        node = self.nodes.get(address or "")
        return node is not None and node.status in REACHABLE

    def usable(self, address: str | None) -> bool:
        """Whether jobs may be started on a node."""
        node = self.nodes.get(address or "")
        return node is not None and node.status is NodeStatus.UP

    def stop_process(self, job: JobRecord, *, force: bool = False) -> None:
        """Let the node of a job end its process."""
        if job.node is not None:
            self.send(StopJob(job.node, job.id, job.incarnation, self.run, force))

    def on_node(self, address: str) -> Iterator[JobRecord]:
        """The jobs that hold a slot on a node, found one by one: what the caller does with one may move others."""
        return (job for job in self.jobs.values() if job.node == address)

    def held(self, job: JobRecord) -> bool:
        """Whether a job that resumes must not be started yet: nodes may still return that run it or keep its checkpoint."""
        back = all(
            node.status is not NodeStatus.AWAITED for node in self.nodes.values() if node.address != LOCAL
        )
        return job.incarnation > 0 and not back

    def cut_pairs(self) -> set[frozenset[str]]:
        """The pairs of nodes that do not reach each other: now, or as remembered."""
        for pair in [pair for pair, until in self.cuts.items() if self.now >= until]:
            del self.cuts[pair]
        found = set(self.cuts)
        for job in self.jobs.values():
            for pipe in self.topology.out_of[job.id]:
                here, there = job.node, self.jobs[pipe.destination].node
                if pipe.id in self.silent and here is not None and there is not None and here != there:
                    found.add(frozenset((here, there)))
        return found

    def forget_silence(self, job: JobRecord) -> None:
        """A process of the job begins or ends: what was reported about its pipes is over."""
        for pipe in (*self.topology.into[job.id], *self.topology.out_of[job.id]):
            self.silent.pop(pipe.id, None)

    def finished(self, job: int) -> bool:
        """Whether a job has finished."""
        return self.jobs[job].state is JobState.FINISHED
