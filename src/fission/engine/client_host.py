"""The client as one of the machines of its network: it runs the local jobs, in `<network>/local/<id>/`."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fission.cluster import NodeJoined
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.base import EngineEvent, JobOrder
from fission.engine.bundles import Bundle
from fission.engine.host import JobHost
from fission.engine.keeper import StateKeeper
from fission.engine.load import LoadMeter
from fission.engine.provision import OriginalFiles
from fission.engine.state_link import StateServer
from fission.engine.states import StateStore
from fission.errors import LocalProtocolError
from fission.runtime import messages
from fission.security import IdentityFiles

FOLDER = "local"
STATES = "states"
"""Folder in the client's private one with the states that it keeps."""


class ClientHost:
    """`open` it once the client's address is known, then use it as the `Local` of a `ClusterEngine`."""

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
        self._files = OriginalFiles(root, bundles)
        self._identity = identity
        self._on_event = on_event
        files_of = IdentityFiles(Path(identity)) if identity else None
        self._server = StateServer(StateStore(private / STATES), files_of)
        self.keeper = StateKeeper(files_of)
        self.states = ""
        """Where the client keeps states for others, once it is open."""
        self._host: JobHost | None = None

    async def open(self, address: str) -> NodeJoined:
        """Be ready to run jobs whose senders connect to `address`; return what the client joins its own cluster with."""
        self._host = JobHost(
            LOCAL,
            address,
            homes=lambda _order: self._home,
            place=str(self._home),
            store=self._files,
            on_event=lambda _network, _run, event: self._on_event(event),
            identity=self._identity,
            keeper=self.keeper,
        )
        self.states = await self._server.start(address)
        await self._host.clear()
        return NodeJoined(LOCAL, LoadMeter(self._home.parent).sample(), service=address)

    async def start(self, order: JobOrder) -> None:
        """Start an incarnation; what becomes of it is told by events."""
        await self._open.start(order)

    async def stop(self, run: str, job: int, incarnation: int, *, force: bool) -> None:
        """End an incarnation; JobExited is told in any case."""
        await self._open.stop(run, job, incarnation, force=force)

    def tell(self, run: str, job: int, incarnation: int, message: messages.ToJob) -> None:
        """Hand a message to the process of an incarnation."""
        self._open.tell(run, job, incarnation, message)

    def set_keepers(self, network: str, addresses: Sequence[str]) -> None:
        """Say who keeps the states of jobs now."""
        self.keeper.set_keepers(network, addresses)

    async def close(self) -> None:
        """End whatever still runs."""
        if self._host is not None:
            await self._host.close()
        await self._server.close()
        self.keeper.close()

    @property
    def _open(self) -> JobHost:
        if self._host is None:
            raise LocalProtocolError("the client has no address yet", where="client host")
        return self._host
