"""Interfaces between the parts of an engine: orders, events, and the link between a client and its nodes.

```
Run (client) --instructions--> InstructionExecutor --requests--> ClientLink ==TLS== NodeLink --> NodeService --> JobHost
                                    |                                                                        |
                                    +--for the client's own jobs------------------------------------> JobHost
```

A `JobHost` runs jobs on one machine, whatever machine that is. `NodeService` offers one to clients, by way of a
`NodeLink`. `InstructionExecutor` has one for the jobs of the client itself, and a `ClientLink` to the others. The links
carry plain data only: None, bool, int, float, str, bytes, list, dict with str keys. They know nothing of jobs.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fission.cluster import Event
from fission.engine.protocol.clock_offset import NodeClocks
from fission.errors import RunError
from fission.runtime.launch.supervisor import Event as ProcessEvent
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import JobSpec, Log, Status, TapBlock

Plain = Any
"""None, bool, int, float, str, bytes, list or dict with str keys, however deep."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to, or was said by, job `job` (its id) of a local engine."""

    job: int
    event: ProcessEvent


@dataclass(frozen=True, slots=True)
class JobOrder:
    """All that a machine needs to start one incarnation of a job.

    `spec` lacks what only the machine knows: `folder`, `sys_path`, `listen`, `machine`, `identity`. `root` is the network's
    REMOTE_ROOT ("" for the machine's own choice). `code` and `files` are digests of bundles that the machine must have
    before (see `engine.bundles`): the user's modules, and what lies in the job's folder. `keep` leaves the files of an earlier
    run in the job's folder.
    """

    network: str
    root: str
    spec: JobSpec
    code: str
    files: str
    keep: bool = False
    orphan_timeout: float = 600.0
    """Seconds that the job goes on without a client."""
    replicas: tuple[str, ...] = ()
    """The addresses of the `CheckpointServer`s that store checkpoints, in order of preference."""
    checkpoint_key: bytes = field(default=b"", repr=False)
    """Authenticates the job's checkpoints; it belongs to this job in this run, and never reaches the job's process."""

    @property
    def writer(self) -> "CheckpointWriter":
        """The incarnation as the writer of its checkpoints."""
        spec = self.spec
        return CheckpointWriter(self.network, spec.run, spec.job_id, spec.incarnation, self.checkpoint_key)


@dataclass(frozen=True, slots=True)
class CheckpointWriter:
    """An incarnation that writes checkpoints, with the key of its job."""

    network: str
    run: str
    job: int
    incarnation: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlacedJob:
    """The newest incarnation of a job and its node, `LOCAL` for the client."""

    incarnation: int
    node: str


PlacedJobs = Mapping[int, PlacedJob]
"""Jobs by id. Only these incarnations, from their nodes, may write checkpoints and send blocks."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """Which machines store the checkpoints of a network, and where its jobs are placed.

    `addresses` are those of `CheckpointServer`s, in order of preference.
    """

    addresses: tuple[str, ...]
    placed: dict[int, PlacedJob]


@dataclass(frozen=True, slots=True)
class JobSaid:
    """What a job printed, logged, counted or showed: for people, not for the coordinator."""

    node: str
    job: int
    incarnation: int
    what: OutputLine | Log | Status | TapBlock


EngineEvent = Event | JobSaid
"""What a `JobHost` and a `InstructionExecutor` tell, through one callback, in the order in which it happened."""


class LinkError(RunError):
    """A request was not answered: the node is gone, refuses, or took too long."""


NodeHandler = Callable[[str, str, Mapping[str, Plain]], Awaitable[Plain]]
"""`await handler(client, operation, arguments)`: what a node does for a client. A FissionError that it raises reaches the
client as a LinkError with the same text."""


class NodeLink(Protocol):
    """A node's end of the links to its clients (there may be several, each with another network).

    `admit(client, about)` is called when a client joins; it returns the reason for refusing or "". `gone(client)`
    is called when an admitted client is gone, however that became clear.
    """

    async def start(self) -> None:
        """Listen on the node's port. Raises RunError when that is impossible."""

    def post(self, client: str, topic: str, data: Plain) -> None:
        """Send something to a client, in order; dropped when it is gone."""

    def backlog(self, client: str) -> int:
        """Return how many bytes wait for a client to take them; 0 when it is gone."""

    async def close(self) -> None:
        """Say goodbye to all clients and stop listening."""


class ClientLink(Protocol):
    """A client's end of the links to its nodes, which are named by their addresses as in NODES.

    Callbacks, called in the client's event loop: `up(node)` when a node has joined (again), `down(node, reason)` when it is
    lost, `refused(node, reason)` when it answers but cannot be used, `posted(node, topic, data)` for what it sends.
    """

    async def start(self) -> None:
        """Get ready to join nodes; nothing listens, since the client dials. Raises RunError when that is impossible."""

    def invite(self, nodes: Mapping[str, int]) -> None:
        """Try to reach these nodes (address, or address:port, to port) from now on, again and again while they are away."""

    def dismiss(self, node: str, reason: str) -> None:
        """Close the link to a node, and do not try it again; `down` is called if it was joined."""

    def away(self) -> Mapping[str, str]:
        """Return the nodes that are not joined, with the reason of the last attempt; "" before the first one."""

    async def request(self, node: str, operation: str, *, timeout: float = 5.0, **arguments: Plain) -> Plain:
        """Ask a node to do something; return its answer. Raises LinkError."""

    def drop(self, node: str, reason: str) -> None:
        """Close the link to a node and call `down`; it may come back."""

    def own_address(self, node: str) -> str:
        """The address of this machine as the node sees it, for data connections."""

    def clocks(self) -> Mapping[str, NodeClocks]:
        """Return how far the clocks of the joined nodes are ahead of this machine's, as far as that is known."""

    async def close(self) -> None:
        """Close all links; `down` is not called."""
