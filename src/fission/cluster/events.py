"""What the coordinator is told. Every event is a fact: it has happened, whether or not it suits.

Job events carry the node that says them and the incarnation they are about. Events about one incarnation
must come in the order in which they happened; those of different jobs and nodes may come in any order, late,
or, when a link breaks, never. After `JobExited` or `JobNotStarted` nothing more is said of an incarnation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fission.core.nodes import NodeInfo


class IncarnationStatus(StrEnum):
    """How far an incarnation in an inventory has got."""

    STARTING = "starting"
    """Its process is there, or is being started; `setup()` is not done."""
    RUNNING = "running"
    FINISHED = "finished"
    """Its stream has ended and was worked off; the process may have ended too."""
    GONE = "gone"
    """The process has ended without having finished."""


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """A line of a node's inventory: one incarnation of a job that the node service was once told to start.

    `run` is the run it belongs to; `address` where it listens ("" as long as it does not); `round` the last
    complete round; `alive` whether the process is there.
    """

    job: int
    incarnation: int
    run: str
    status: IncarnationStatus
    alive: bool = True
    address: str = ""
    round: int = 0
    stored: bool = False
    """A state of it is kept elsewhere."""


@dataclass(frozen=True, slots=True)
class NodeJoined:
    """A node service has connected (again). `service` names its process: another one after each of its starts.

    `inventory` has every incarnation of this network's jobs, of whatever run, that the service holds: those
    that are alive and those that have ended while nobody listened. It must be taken after everything that was
    sent over earlier connections is done or dropped. The client itself joins as `LOCAL`.
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
    """A node service has answered, but cannot be used: what differs, one line each ("python 3.11, here 3.12")."""

    node: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """How a node is doing, about once a second."""

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
    """The connection to a node service is gone, or it has missed its pulses: whatever ran there counts as dead."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobNotStarted:
    """There is no process: files did not arrive, or the system would not start one."""

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
    """A state of the job is kept elsewhere for the first time: its successors will not be without."""

    node: str
    job: int
    incarnation: int


@dataclass(frozen=True, slots=True)
class JobFinished:
    """The job's stream has ended and everything it sent was worked off downstream."""

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
    """Stop everything everywhere; a second one, or `force`, does not wait for anybody."""

    force: bool = False


@dataclass(frozen=True, slots=True)
class MoveRequested:
    """Let a job go on on another node: on `node`, or on the best one where that is ""."""

    job: int
    node: str = ""


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """Move all jobs away from a node and give it no new ones; `undo` takes that back."""

    node: str
    undo: bool = False


@dataclass(frozen=True, slots=True)
class RebalanceRequested:
    """Move the jobs to where they would be placed now."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: `deadline()` has come."""


JobEvent = (
    JobNotStarted | JobListening | JobReady | JobProgress | JobStored | JobFinished | JobFailed | JobExited
)
NodeEvent = NodeJoined | NodeRefused | NodeReport | NodeDraining | NodeLost
Wish = StartRequested | StopRequested | MoveRequested | DrainRequested | RebalanceRequested
"""What people want; the answer is in the lines that are told."""
Event = JobEvent | NodeEvent | Wish | Tick
