"""The input of the coordinator. Every event but an operator request is a fact: it has happened.

Job events carry the node that reports them and the incarnation that they are about. Events of one incarnation must come in
the order in which they happened; those of different jobs and nodes may come in any order, late, or, when a link breaks,
never. `JobExited` and `JobNotStarted` are the last event of an incarnation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fission.core.nodes import NodeInfo


class IncarnationStatus(StrEnum):
    """How far an incarnation in an inventory has come."""

    STARTING = "starting"
    """Its process exists or is being started; `setup()` is not done."""
    RUNNING = "running"
    FINISHED = "finished"
    """Its stream has ended and was processed downstream; the process may have ended too."""
    FAILED = "failed"
    """It has reported that it cannot go on; the process may have ended too."""
    GONE = "gone"
    """The process has ended without having finished or failed."""


@dataclass(frozen=True, slots=True)
class ReportedFailure:
    """Why an incarnation cannot go on; the fields are those of `JobFailed`."""

    round: int
    where: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """A line of a node's inventory: one incarnation of a job that the node service was instructed to start.

    `run` is the run it belongs to; `address` where it listens ("" as long as it does not); `round` the last complete round;
    `alive` whether the process exists.
    """

    job: int
    incarnation: int
    run: str
    status: IncarnationStatus
    alive: bool = True
    address: str = ""
    round: int = 0
    stored: bool = False
    """A checkpoint of it exists."""
    failure: ReportedFailure | None = None
    """What it has reported, which the client may not have heard."""


@dataclass(frozen=True, slots=True)
class NodeJoined:
    """A node service has connected (again). `service` names its process: another one after each of its starts.

    `inventory` has every incarnation of this network's jobs, of whatever run, that the service holds: those that are alive
    and those that have ended while no client was connected. It must be taken after everything that was sent over earlier
    connections is done or dropped. The client itself joins as `LOCAL`.
    """

    node: str
    info: NodeInfo
    name: str = ""
    groups: frozenset[str] = frozenset()
    slots: int = 1
    occupied: int = 0
    """Slots taken by jobs of other networks."""
    service: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    inventory: tuple[InventoryEntry, ...] = ()
    tq: Mapping[str, float] = field(default_factory=dict)
    """Transmit quality (0 to 255) to other addresses, where it is measured."""


@dataclass(frozen=True, slots=True)
class NodeRefused:
    """A node service has answered, but cannot be used: what differs, one line each (see `versions.differences`)."""

    node: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """The load of a node, about once a second."""

    node: str
    info: NodeInfo
    occupied: int = 0
    tq: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeDraining:
    """A node service is about to end: it keeps its jobs for now and takes no new ones."""

    node: str


@dataclass(frozen=True, slots=True)
class NodeLost:
    """The connection to a node service is gone, or its heartbeats are missing: its processes count as dead."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class NodeWithdrawn:
    """A node will not come back: whoever provided it has taken it away. Until it joins anew nothing is known of it."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobNotStarted:
    """There is no process: files did not arrive, or the system did not start one."""

    node: str
    job: int
    incarnation: int
    message: str


@dataclass(frozen=True, slots=True)
class JobListening:
    """The job's process accepts connections of its senders at `address`."""

    node: str
    job: int
    incarnation: int
    address: str


@dataclass(frozen=True, slots=True)
class JobReady:
    """`setup()` is done; rounds begin after `round`."""

    node: str
    job: int
    incarnation: int
    round: int = 0


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The number of the last complete round, about twice a second."""

    node: str
    job: int
    incarnation: int
    round: int


@dataclass(frozen=True, slots=True)
class JobStored:
    """The first checkpoint of the job exists: a successor must not begin without one."""

    node: str
    job: int
    incarnation: int


@dataclass(frozen=True, slots=True)
class PipesSilent:
    """The pipes of a job whose other machine does not answer, with the seconds for which its process knows that.

    Reported when the set changes, and repeated as long as it is not empty; the last report is empty.
    """

    node: str
    job: int
    incarnation: int
    pipes: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobFinished:
    """The job's stream has ended, and all that it sent was processed downstream."""

    node: str
    job: int
    incarnation: int
    round: int = 0


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The job cannot go on; its process is about to end. `where` and `traceback` as in runtime.messages.Failed."""

    node: str
    job: int
    incarnation: int
    round: int
    where: str
    message: str
    traceback: str = ""
    exit_code: int = 1


@dataclass(frozen=True, slots=True)
class JobExited:
    """The process has ended and was reaped; a negative code is a signal."""

    node: str
    job: int
    incarnation: int
    code: int
    run: str = ""
    """Given for a process of another run that had to be stopped; "" stands for the run of this client."""


@dataclass(frozen=True, slots=True)
class StartRequested:
    """Place and start the network on the nodes that have joined."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Stop all jobs on all nodes; a second one, or `force`, does not wait for processes to end."""

    force: bool = False
    request: int = 0


@dataclass(frozen=True, slots=True)
class MoveRequested:
    """Move a job to another node: to `node`, or to the best one where that is ""."""

    job: int
    node: str = ""
    request: int = 0


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """Move all jobs away from a node and place no new ones there; `undo` ends that."""

    node: str
    undo: bool = False
    request: int = 0


@dataclass(frozen=True, slots=True)
class RebalanceRequested:
    """Move the jobs to where they would be placed now."""

    request: int = 0


@dataclass(frozen=True, slots=True)
class ReloadRequested:
    """Restart a job where it is, with new code that the client has for it from now on."""

    job: int
    request: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: `deadline()` has come."""


JobEvent = (
    JobNotStarted
    | JobListening
    | JobReady
    | JobProgress
    | JobStored
    | PipesSilent
    | JobFinished
    | JobFailed
    | JobExited
)
NodeEvent = NodeJoined | NodeRefused | NodeReport | NodeDraining | NodeLost | NodeWithdrawn
OperatorRequest = StopRequested | MoveRequested | DrainRequested | RebalanceRequested | ReloadRequested
"""What an operator asks for. At least one `RequestAccepted` or `RequestRefused` with the same `request` answers it, in the
same call. The number 0 stands for a request that nothing waits for, as that of Ctrl+C."""
Event = JobEvent | NodeEvent | StartRequested | OperatorRequest | Tick
