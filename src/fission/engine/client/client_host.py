"""The client as a machine of its network: it runs the local jobs in `<network>/local/<id>/`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from fission.cluster import NodeJoined
from fission.core.groups import LOCAL, names
from fission.core.network import Network
from fission.core.nodes import LocalNode
from fission.engine.checkpoints.replicator import CheckpointReplicator
from fission.engine.checkpoints.server import CheckpointServer
from fission.engine.checkpoints.store import CheckpointStore
from fission.engine.files.bundles import Bundle
from fission.engine.files.provision import OriginalFiles
from fission.engine.host.job_host import JobHost
from fission.engine.host.load_average import LoadMeter
from fission.engine.protocol.interfaces import EngineEvent, JobOrder, Replicas
from fission.errors import LocalProtocolError
from fission.runtime import messages
from fission.security import IdentityFiles

FOLDER = "local"
STATES = "states"
"""Folder of checkpoints in the client's private folder."""


def client_address(network: Network, seen_as: str) -> str:
    """Return the client's address for data connections if it is configured, or as a node has seen it; else ""."""
    declared = [node.ip for node in network.nodes if isinstance(node, LocalNode)]
    return network.settings.client_ip or seen_as or (declared[0] if declared else "")


class LocalHost(Protocol):
    """The client as a machine of its network; it is opened once its address is known."""

    async def warm(self) -> None:
        """Prepare before the nodes have answered."""

    def listen(self, address: str) -> None:
        """Store checkpoints for nodes from now on, if not yet. Raises RunError."""

    async def open(self, address: str) -> NodeJoined:
        """Get ready for jobs whose senders connect to `address`; return the event with which the client joins its own cluster."""

    async def close(self) -> None:
        """Stop whatever still runs."""


class ClientHost:
    """Call `warm`, then `open` once the client's address is known; then it is the `Local` of an `InstructionExecutor`."""

    def __init__(
        self,
        network: Network,
        root: Path,
        bundles: Iterable[Bundle],
        *,
        identity: str,
        on_event: Callable[[EngineEvent], None],
        private: Path,
    ) -> None:
        self._home = Path(network.folder) / FOLDER
        files_of = IdentityFiles(Path(identity)) if identity else None
        self._server = CheckpointServer(CheckpointStore(private / STATES), files_of)
        self._replicator = CheckpointReplicator(files_of)
        self.states = ""
        """The address of the client's checkpoint server, once it listens."""
        self._has_jobs = any(LOCAL in names(job.GROUPS) for job in network.jobs)
        self._files = OriginalFiles(root, bundles)
        self._host = JobHost(
            LOCAL,
            "",
            homes=lambda _order: self._home,
            place=str(self._home),
            store=self._files,
            on_event=lambda _network, _run, event: on_event(event),
            identity=identity,
            replicator=self._replicator,
        )

    async def warm(self) -> None:
        """Kill what an earlier client has left, and prepare for local jobs, before the nodes have answered."""
        await self._host.clear()
        if self._has_jobs:
            self._host.warm()

    def listen(self, address: str) -> None:
        """Store checkpoints for nodes from now on, if not yet. Raises RunError."""
        if not self.states:
            self.states = self._server.listen(address)

    async def open(self, address: str) -> NodeJoined:
        """Get ready for jobs whose senders connect to `address`; return the event with which the client joins its own cluster."""
        self._host.ip = address
        self.listen(address)
        return NodeJoined(LOCAL, LoadMeter(self._home.parent).sample(), service=address)

    def add(self, bundles: Iterable[Bundle]) -> None:
        """Add bundles that orders may name from now on."""
        self._files.add(bundles)

    async def start(self, order: JobOrder) -> None:
        """Start an incarnation; events report its progress."""
        await self._open.start(order)

    async def stop(self, run: str, job: int, incarnation: int, *, force: bool) -> None:
        """Stop an incarnation; JobExited follows in any case."""
        await self._open.stop(run, job, incarnation, force=force)

    def tell(self, run: str, job: int, incarnation: int, message: messages.ToJob) -> None:
        """Send a message to the process of an incarnation."""
        self._open.tell(run, job, incarnation, message)

    def pids(self) -> dict[int, int]:
        """Return the process of each local job."""
        return self._host.pids()

    def set_replicas(self, network: str, run: str, replicas: Replicas) -> None:
        """Take in which machines store checkpoints, and where the jobs are placed."""
        self._replicator.set_replicas(network, replicas.addresses)
        self._server.announce(network, run, replicas.placed)
        self._host.announce(network, run, replicas.placed)

    async def close(self) -> None:
        """Stop whatever still runs."""
        await self._host.close()
        await self._server.close()
        self._replicator.close()

    @property
    def _open(self) -> JobHost:
        if not self._host.ip:
            raise LocalProtocolError("the client has no address yet", where="client host")
        return self._host
