"""The nodes of an embedded cluster as those of a run: started for it, or running already."""

import os
from collections.abc import Callable
from pathlib import Path

from fission.core.network import Network
from fission.engine.client.embedded import EmbeddedCluster, EmbeddedNode, plan, played
from fission.engine.client.node_source import NodeOffers
from fission.project.suggest import counted

__all__ = ["EmbeddedNodes", "NodeCommand", "PlayedNodes"]

NodeCommand = Callable[[int], Callable[[EmbeddedNode, Path, Path | None], list[str]]]
"""`command(slots)(node, root, certificates)`: the command line of an embedded node."""


class EmbeddedNodes:
    """A `NodeSource` that starts so many node services on this machine, and ends them with the run."""

    origin = "embedded"
    outlives = False
    shares_machine = True

    def __init__(self, count: int, command: NodeCommand) -> None:
        self._count = count
        self._command = command
        self._cluster: EmbeddedCluster | None = None

    @property
    def client(self) -> Path | None:
        """Folder of the client's certificate."""
        return None if self._cluster is None else self._cluster.client

    @property
    def description(self) -> str:
        """What is started."""
        return f"{counted(self._count, 'node service')} on this machine"

    def prepare(self, network: Network, folder: Path) -> Network:
        """Choose addresses and ports, and make the certificates."""
        network, nodes = plan(network, self._count)
        command = self._command(max(os.cpu_count() or 1, len(network.jobs)))
        secure = network.settings.security == "tls"
        self._cluster = EmbeddedCluster(nodes, folder, command=command, secure=secure)
        return network

    async def start(self, offers: NodeOffers, tell: Callable[[str], None]) -> None:
        """Start the services, and wait until they listen."""
        if self._cluster is not None:
            for node in self._cluster.nodes:
                offers.offer(node.address, node.port)
            self._cluster.spawn()
            await self._cluster.listening(lambda: offers.interrupted, tell)

    async def close(self) -> None:
        """Stop the services."""
        if self._cluster is not None:
            await self._cluster.close()


class PlayedNodes:
    """A `NodeSource` for an embedded cluster that somebody else has started, and ends; `client` is the client's certificate."""

    origin = "embedded"
    outlives = True
    shares_machine = False
    description = ""

    def __init__(self, nodes: tuple[EmbeddedNode, ...], client: Path | None) -> None:
        self.client = client
        self._nodes = nodes

    def prepare(self, network: Network, _folder: Path) -> Network:
        """Return the network with these nodes."""
        return played(network, self._nodes)

    async def start(self, offers: NodeOffers, _tell: Callable[[str], None]) -> None:
        """Offer the nodes."""
        for node in self._nodes:
            offers.offer(node.address, node.port)

    async def close(self) -> None:
        """Leave them running."""
