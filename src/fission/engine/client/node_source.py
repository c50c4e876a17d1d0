"""Where the nodes of a run come from when nobody lists them: an embedded cluster, or a cluster of another system."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fission.core.network import Network

__all__ = ["NodeOffers", "NodeSource"]


class NodeOffers(Protocol):
    """What a source may do with a run while that goes on."""

    @property
    def interrupted(self) -> bool:
        """Whether the end has been requested: a source gives up what it waits for."""

    def offer(self, node: str, port: int) -> None:
        """Add a node; `node` is its address, or address:port where several share one address."""

    def withdraw(self, node: str, reason: str) -> None:
        """Take a node away for good: its jobs continue elsewhere."""


class NodeSource(Protocol):
    """Provides the nodes of one run: `prepare`, then `start`, and `close` in any case."""

    @property
    def client(self) -> Path | None:
        """Folder of the client's certificate for these nodes; None for clear text."""

    @property
    def origin(self) -> str:
        """What provides the nodes, in one word: embedded, dask."""

    @property
    def description(self) -> str:
        """What is started, as "3 node services on this machine"; "" for nothing."""

    @property
    def shares_machine(self) -> bool:
        """Whether all nodes are this machine: where it is busy, the last processes take longer to end."""

    @property
    def outlives(self) -> bool:
        """Whether the nodes go on without this client, so that the next one can take the run over."""

    def prepare(self, network: Network, folder: Path) -> Network:
        """Return the network with the entries of these nodes in the place of its own. `folder` is private to the run."""

    async def start(self, offers: NodeOffers, tell: Callable[[str], None]) -> None:
        """Start the nodes and offer them; return when those that exist now listen. `tell` hears what is waited for.

        Further ones are offered and withdrawn from then on. Raises FissionError.
        """

    async def close(self) -> None:
        """Stop the nodes and leave nothing behind."""
