"""`place`: show which job would be placed on which node, from NODES or from the state of the running network."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from fission.core.groups import ALL
from fission.core.network import Network
from fission.core.nodes import BaseNode, LocalNode, MultiNode, NodeInfo
from fission.management.console.placement_table import render_placement
from fission.management.console.tables import Row, new_console, show, table
from fission.placement import (
    LOCAL,
    Links,
    NodeState,
    Placement,
    allocation_error,
    node_state,
    propose,
)

ASSUMED_SLOTS = 4
"""Slots of a node whose entry in NODES has no `max_jobs`: the CPUs of a common small device."""

_IDLE = NodeInfo(cpu=100.0, memory=0, disk=0, swap=0.0)


def place_network(network: Network, *, explain: bool = False, live: Mapping[str, Any] | None = None) -> int:
    """Print the node of each job, assuming that all NODES are up and idle; return 2 if a job has no node.

    With `live`, a view of the running network, the nodes are those of that view. Else the number of nodes behind a
    MultiNode is unknown, so it counts as one node, and so does every DEFAULT_NODE that it matches. With `explain` every
    job gets a table of all nodes with their scores or refusals.
    """
    nodes = assumed_nodes(network) if live is None else live_nodes(live)
    placement = propose(network, nodes, Links())
    console = new_console()
    show(console, _render_nodes(network, nodes, placement, known=live is not None))
    text = "Assumption: all nodes are up and idle, all links perfect; * = assumed"
    if live is not None:
        text = (
            "Nodes as they are now, without the slots of this network's own jobs; all links assumed perfect"
        )
    console.print(Text(f"{text}\n", style="dim"))
    show(console, render_placement(placement, explain=explain))
    if not placement.unplaced:
        return 0
    error = allocation_error(network, placement, nodes)
    new_console(stderr=True).print(Text(f"error: {error}", style="red"), soft_wrap=True)
    return error.exit_code


def assumed_nodes(network: Network) -> tuple[NodeState, ...]:
    """Return the nodes that NODES describes, up and idle."""
    states: dict[str, NodeState] = {}
    entries = [one for one in network.nodes if not isinstance(one, LocalNode)]
    for address in _addresses(entries, network):
        state = node_state(entries, address, _IDLE, slots=ASSUMED_SLOTS)
        if state is not None:
            states[address] = state
    for one in entries:
        if isinstance(one, MultiNode):
            slots = ASSUMED_SLOTS if one.max_jobs is None else one.max_jobs
            states[one.ip] = NodeState(one.ip, _IDLE, groups=frozenset(one.groups) - {ALL}, slots=slots)
    return tuple(states.values())


def live_nodes(view: Mapping[str, Any]) -> tuple[NodeState, ...]:
    """Return the nodes of a running network that are up, without the network's own jobs."""
    own = [job["node"] for job in view["jobs"]]
    return tuple(
        NodeState(
            node["address"],
            NodeInfo(node["cpu"], node["memory"], node["disk"], node["swap"]),
            name=node["name"] or node["address"],
            groups=frozenset(node["groups"]),
            slots=node["slots"],
            occupied=node["taken"] - own.count(node["address"]),
        )
        for node in view["nodes"]
        if node["state"] == "up"
    )


def _addresses(entries: Iterable[BaseNode], network: Network) -> list[str]:
    own = [one.ip for one in entries if not isinstance(one, MultiNode)]
    return own + [job.DEFAULT_NODE for job in network.jobs if job.DEFAULT_NODE]


def _render_nodes(
    network: Network, nodes: Iterable[NodeState], placement: Placement, *, known: bool
) -> Table:
    taken = list(placement.nodes.values())
    rows: list[Row] = []
    for node in nodes:
        certain = known or any(
            one.max_jobs is not None and one.matches(node.address) for one in network.nodes
        )
        pattern = any(isinstance(one, MultiNode) and one.ip == node.address for one in network.nodes)
        rows.append(
            (
                node.address + (" (one node *)" if pattern else ""),
                "" if node.name == node.address else node.name,
                ", ".join(sorted(node.groups)),
                f"{node.slots}" if certain else f"{node.slots} *",
                f"{taken.count(node.address)}",
            )
        )
    rows.append(("client", "", LOCAL, "-", f"{taken.count(LOCAL)}"))
    return table(("node", "name", "groups", "slots", "jobs"), rows, numbers=("slots", "jobs"))
