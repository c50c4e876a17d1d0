"""`nodes`: the nodes of a running network, where each comes from, its load and its jobs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from fission.cluster.transitions import JobState
from fission.core.groups import ALL
from fission.engine.client.views import STATES
from fission.management.commands.cluster.status import ask_client_of, heading, node_load
from fission.management.console.tables import LOAD, new_console, show, table


def nodes_command(root: Path, name: str, *, as_json: bool) -> int:
    """Print the nodes of a running network. Raises RunError when no client runs it here."""
    network = ask_client_of(root, name, "status")["network"]
    nodes = [with_jobs(node, network) for node in network["nodes"]]
    if as_json:
        print(json.dumps({"network": name, "nodes": nodes}, indent=2))
        return 0
    console = new_console()
    console.print(Text(f"{heading(network)}\n"))
    if nodes:
        show(console, table(_TITLES, [_row(node) for node in nodes], numbers=("slots\ntaken", *LOAD)))
    else:
        console.print("It has no nodes.")
    remarks = [f"{node['address']}: {node['reason']}" for node in nodes if node["reason"]]
    waiting = [job["name"] for job in network["jobs"] if job["state"] == STATES[JobState.WAITING]]
    if waiting:
        remarks.append(f"without a node: {', '.join(waiting)}")
    if remarks:
        console.print(Text("\n" + "\n".join(remarks)))
    return 0


_TITLES = ("node", "from", "state", "slots\ntaken", *LOAD, "groups", "jobs")


def with_jobs(node: Mapping[str, Any], network: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node with the names of the jobs on it."""
    jobs = [job["name"] for job in network["jobs"] if job["node"] == node["address"]]
    return {**node, "jobs": jobs}


def _row(node: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        node["address"] + (f" ({node['name']})" if node["name"] else ""),
        node["origin"],
        node["state"],
        *node_load(node),
        ", ".join(group for group in node["groups"] if group != ALL),
        ", ".join(node["jobs"]) or "-",
    )
