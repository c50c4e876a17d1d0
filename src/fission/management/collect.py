"""`collect`: copy the log of every node to `<network>/collection`."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from fission.core.network import Network
from fission.engine.base import LinkError
from fission.engine.client_link import DaskClientLink
from fission.errors import ProjectError, RunError
from fission.management.run import client_identity, invited

FOLDER = "collection"
_NODES_SECONDS = 6.0
_LOOK_SECONDS = 0.1
_LOG_SECONDS = 30.0


def collect_network(network: Network, root: Path) -> int:
    """Copy the logs; return 1 when a node could not be asked. Raises FissionError when none can be."""
    nodes = invited(network)
    if not nodes:
        raise ProjectError(
            "the network has no nodes whose logs could be collected",
            where=f"network {network.name}",
            hint="List them in NODES; what local jobs did is in the log of the project",
        )
    collector = _Collector(network, nodes)
    logs = asyncio.run(collector.run(root))
    folder = Path(network.folder) / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        for node, text in sorted(logs.items()):
            path = folder / f"fission-{node.replace('.', '-').replace(':', '-')}.log"
            path.write_text(text, encoding="utf-8")
            print(f"{node}: {len(text.splitlines())} lines in {os.path.relpath(path)}")
    except OSError as error:
        raise ProjectError(
            f"the logs cannot be written: {error.strerror}", where=str(error.filename or folder)
        ) from error
    for node, reason in sorted(collector.missing.items()):
        print(f"warning: {node}: {reason}", file=sys.stderr)
    if not logs:
        raise RunError("no node has answered", where=f"network {network.name}")
    return 1 if collector.missing else 0


class _Collector:
    """Asks each node once, beside the client that may be running the network. `missing` says who has not answered."""

    def __init__(self, network: Network, nodes: dict[str, int]) -> None:
        self.missing: dict[str, str] = {}
        self._network = network
        self._nodes = nodes
        self._logs: dict[str, str] = {}
        self._up: asyncio.Queue[str] = asyncio.Queue()

    async def run(self, root: Path) -> dict[str, str]:
        """Return the logs of those that answer."""
        link = DaskClientLink(
            identity=client_identity(self._network, root),
            network=self._network.name,
            client=f"collect-{os.getpid()}",
            pulse_interval=1.0,
            up=self._up.put_nowait,
            down=lambda _node, _reason: None,
            refused=lambda node, reason: self.missing.update({node: f"refuses: {reason}"}),
            posted=lambda _node, _topic, _data: None,
            about={"observer": True},
        )
        await link.start()
        try:
            link.invite(self._nodes)
            deadline = asyncio.get_running_loop().time() + _NODES_SECONDS
            while self._open(link) and asyncio.get_running_loop().time() < deadline:
                with contextlib.suppress(TimeoutError):
                    await self._ask(link, await asyncio.wait_for(self._up.get(), _LOOK_SECONDS))
            for node in self._open(link):
                self.missing[node] = "has not answered"
            self.missing.update({node: why for node, why in link.away().items() if node not in self._logs})
        finally:
            await link.close()
        return self._logs

    def _open(self, link: DaskClientLink) -> set[str]:
        """The nodes about which nothing is known yet."""
        return self._nodes.keys() - self._logs.keys() - self.missing.keys() - link.away().keys()

    async def _ask(self, link: DaskClientLink, node: str) -> None:
        try:
            self._logs[node] = str(await link.request(node, "log", timeout=_LOG_SECONDS))
        except LinkError as error:
            self.missing[node] = str(error)
