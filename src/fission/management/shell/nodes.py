"""Operations of `shell` on nodes: the devices in NODES, or the embedded cluster that it started."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.text import Text

from fission.core.network import Network
from fission.core.nodes import LocalNode
from fission.engine.client.embedded import EmbeddedCluster, plan, played
from fission.engine.client.embedded_command import embedded_commands
from fission.engine.client.invitations import client_identity, invited, ports_of
from fission.engine.files.bundles import bundles_of, ship
from fission.engine.files.transfer import DROP
from fission.engine.host.scratch import EMBEDDED, scratch
from fission.engine.protocol import link_messages
from fission.errors import ProjectError, UserError
from fission.management.access.node_query import NodeQuery, Request, Work
from fission.management.access.problems import load_valid
from fission.management.console.placement_table import render_placement
from fission.management.console.tables import LOAD, load_cells, new_console, show, table
from fission.placement import Links, NodeState, allocation_error, node_state, propose
from fission.security.identity import load_identity

_REMOVE_SECONDS = 60.0


class ShellNodes:
    """Starts and stops an embedded cluster, and sends requests to the nodes. Errors are FissionErrors."""

    def __init__(self, root: Path, name: str) -> None:
        self.cluster: EmbeddedCluster | None = None
        self._root = root
        self._name = name
        self._folder = contextlib.ExitStack()

    # -- embedded ----------------------------------------------------------------------------------------

    def open(self, count: int) -> None:
        """Start an embedded cluster."""
        if self.cluster is not None:
            raise UserError(
                "an embedded cluster is running already", where="startcluster", hint="Stop it: closecluster"
            )
        network = load_valid(self._root, self._name, quiet=True)
        _, nodes = plan(network, count)
        folder = self._folder.enter_context(scratch(EMBEDDED))
        secure = network.settings.security == "tls"
        command = embedded_commands(max(count, len(network.jobs)))
        cluster = EmbeddedCluster(nodes, folder, command=command, secure=secure)
        self.cluster = cluster
        try:
            cluster.spawn()
            asyncio.run(cluster.listening())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the embedded cluster, if there is one."""
        cluster, self.cluster = self.cluster, None
        if cluster is not None:
            asyncio.run(cluster.close())
        self._folder.close()

    # -- requests ----------------------------------------------------------------------------------------

    def show(self) -> None:
        """Print the nodes that answer."""
        found = self._look(self._network())
        rows = []
        for node, hello in found.items():
            info = link_messages.info_from_plain(hello["info"])
            slots = f"{hello['slots'] - hello['occupied']} of {hello['slots']}"
            groups = ", ".join(hello["groups"])
            version = hello["versions"].get("fission", "")
            rows.append((node, hello["name"], slots, *load_cells(info.cpu, info.memory), groups, version))
        if rows:
            titles = ("node", "name", "slots", *LOAD, "groups", "fission")
            show(new_console(), table(titles, rows, numbers=("slots", *LOAD)))

    def allocate(self) -> None:
        """Print which job would be placed on which of the nodes that answer."""
        network = self._network()
        states = list(self._states(network))
        placement = propose(network, states, Links())
        show(new_console(), render_placement(placement))
        if placement.unplaced:
            raise allocation_error(network, placement, states)

    def send(self) -> None:
        """Send all files of the network to the nodes."""
        network = self._network()
        code, files = asyncio.run(bundles_of(network, self._root))
        bundles = [code, *files.values()]
        console = new_console()
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:

            async def work(node: str, request: Request) -> None:
                bar = bars.add_task(f"files to {node}", total=None)

                await ship(
                    request, bundles, lambda done, total: bars.update(bar, completed=done, total=total)
                )

            done = self._visit(network, work)
        size = sum(bundle.listing.size for bundle in {bundle.digest: bundle for bundle in bundles}.values())
        for node in done:
            print(f"{node}: all files are present ({size:,} bytes)")

    def remove(self) -> None:
        """Remove the folders and files of the network from the nodes."""
        network = self._network()
        code, files = asyncio.run(bundles_of(network, self._root))
        digests = sorted({bundle.digest for bundle in (code, *files.values())})

        async def work(_node: str, request: Request) -> bool:
            removed = bool(
                await request("remove", timeout=_REMOVE_SECONDS, root=network.settings.remote_root)
            )
            await request(DROP, timeout=_REMOVE_SECONDS, bundles=digests)
            return removed

        for node, removed in self._visit(network, work).items():
            print(f"{node}: {'removed' if removed else 'had no files of the network'}")

    def reboot(self, chosen: list[str]) -> None:
        """Reboot the chosen devices, or all."""

        def work(_node: str, request: Request) -> Awaitable[Any]:
            return request("reboot")

        for node in self._visit(self._network(), work, chosen):
            print(f"{node}: rebooting")

    # -- inside ------------------------------------------------------------------------------------------

    def _network(self) -> Network:
        network = load_valid(self._root, self._name, quiet=True)
        return network if self.cluster is None else played(network, self.cluster.nodes)

    def addresses(self) -> list[str]:
        """Return the addresses of the nodes."""
        return list(invited(self._network()))

    def _look(self, network: Network) -> dict[str, Any]:
        return self._visit(
            network, lambda _node, request: request("look", network=network.name), observer=True
        )

    def _states(self, network: Network) -> list[NodeState]:
        entries = [one for one in network.nodes if not isinstance(one, LocalNode)]
        found: list[NodeState] = []
        for node, hello in self._look(network).items():
            state = node_state(
                entries,
                node,
                link_messages.info_from_plain(hello["info"]),
                slots=hello["slots"],
                groups=hello["groups"],
                occupied=hello["occupied"],
            )
            if state is not None:
                found.append(state)
        return found

    def _visit(
        self, network: Network, work: Work, chosen: list[str] | None = None, *, observer: bool = False
    ) -> dict[str, Any]:
        nodes = invited(network, {} if self.cluster is None else ports_of(self.cluster.nodes))
        for node in chosen or ():
            if node not in nodes:
                raise UserError("unknown node", where=node, expected=f"one of {', '.join(nodes) or 'none'}")
        if not nodes:
            raise ProjectError(
                "the network has no nodes",
                where=f"network {network.name}",
                hint="List them in NODES, or run: startcluster --embedded 3",
            )
        if self.cluster is None:
            identity = client_identity(network, self._root)
        else:
            identity = None if self.cluster.client is None else load_identity(self.cluster.client)
        if chosen:
            nodes = {node: nodes[node] for node in chosen}
        visit = NodeQuery(network.name, nodes, identity, observer=observer)
        done = asyncio.run(visit.run(work))
        for node, reason in sorted(visit.missing.items()):
            print(f"warning: {node}: {reason}", file=sys.stderr)
        return {node: done[node] for node in nodes if node in done}


def print_note(text: str) -> None:
    """Print a line that is not a result, dimmed on a terminal."""
    new_console().print(Text(text, style="dim"))
