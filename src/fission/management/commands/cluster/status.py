"""`status`: what runs where, asked from another terminal."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from fission.cluster.transitions import REACHABLE, NodeStatus
from fission.core.groups import ALL
from fission.engine.client.processes import CLIENT
from fission.errors import RunError
from fission.management.access.running_client import ask, ask_simulation, no_client
from fission.management.console.tables import LOAD, load_cells, new_console, show, table

MOST_OFFSET = 0.1
"""Seconds by which the clocks of client and node may differ without a remark."""


def status_command(root: Path, name: str, *, as_json: bool, pids: bool = False) -> int:
    """Print the nodes, jobs and pipes of a running network, with their processes if `pids`.

    Raises RunError when no client runs it here.
    """
    network = ask_client_of(root, name, "status")["network"]
    if pids:
        network = with_pids(network, ask_client_of(root, name, "processes")["processes"])
    if as_json:
        print(json.dumps(network, indent=2))
        return 0
    console = new_console()
    console.print(Text(f"{heading(network)}\n"))
    for part in (
        _client(network),
        _nodes(network),
        _reasons(network),
        _clocks(network),
        jobs_table(network),
        _pipes(network),
    ):
        if part is not None:
            show(console, part)
            console.print()
    console.print(Text(_WORDS, style="dim"))
    return 0


def ask_client_of(root: Path, name: str, what: str) -> dict[str, Any]:
    """Ask the client that runs or simulates the network. Raises RunError."""
    answer = ask(root, name, do=what) or ask_simulation(root, name, do=what)
    if answer is None:
        raise no_client(root, name)
    if answer.get("errors"):
        raise RunError(str(answer["errors"][0]), where=f"network {name}")
    return answer


def with_pids(network: Mapping[str, Any], processes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a view of a network with `client` and the processes of its nodes and jobs; None where a process is not known."""

    def machine(name: str) -> dict[str, Any]:
        found = processes.get(name, {})
        return {"pid": found.get("pid"), "host": found.get("host")}

    def job(view: Mapping[str, Any]) -> dict[str, Any]:
        # the answer has passed through JSON, where keys are texts
        pid = processes.get(view["node"], {}).get("jobs", {}).get(str(view["id"]))
        return {**view, "pid": pid}

    return {
        **network,
        CLIENT: machine(CLIENT),
        "nodes": [{**node, **machine(node["address"])} for node in network["nodes"]],
        "jobs": [job(view) for view in network["jobs"]],
    }


_WORDS = """\
starts: processes of the job so far; round: the last complete one of this epoch. Of blocks: queued wait for their round,
replayed were sent again after a failure, duplicates had arrived before, dropped were given up by live pipes, dummies
stand for missing ones"""


def heading(network: Mapping[str, Any]) -> str:
    """Return the line that describes the network as a whole."""
    return f"{network['name']}: {network['phase']}, {network['seconds']:.0f} s, epoch {network['epoch']}"


def _nodes(network: Mapping[str, Any]) -> Table | None:
    rows = [
        (
            node["address"] + (f" ({node['name']})" if node["name"] else ""),
            node["state"],
            *node_load(node),
            ", ".join(group for group in node["groups"] if group != ALL),
            _pid(node),
            node.get("host") or "",
        )
        for node in network["nodes"]
    ]
    numbers = ("slots\ntaken", *LOAD)
    return (
        table(("node", "state", *numbers, "groups", "pid", "host"), rows, numbers=(*numbers, "pid"))
        if rows
        else None
    )


def _client(network: Mapping[str, Any]) -> Text | None:
    """Name the process of the client, with `--pids`."""
    client = network.get(CLIENT)
    return None if client is None else Text(f"client: process {client['pid']} on {client['host']}")


def _pid(view: Mapping[str, Any]) -> str:
    """Return the process id of a job or a node; "" without `--pids`, and where there is none."""
    return str(view.get("pid") or "")


def node_load(node: Mapping[str, Any]) -> tuple[str, str, str]:
    """Slots taken, free cpu, free memory; nothing of a node that is not there."""
    if NodeStatus[node["state"].upper()] not in REACHABLE:
        return "", "", ""
    return f"{node['taken']} of {node['slots']}", *load_cells(node["cpu"], node["memory"])


def _reasons(network: Mapping[str, Any]) -> Text | None:
    """Why nodes are not up; such a text may be too long for a table."""
    lines = [f"{node['address']}: {node['reason']}" for node in network["nodes"] if node["reason"]]
    return Text("\n".join(lines)) if lines else None


def _clocks(network: Mapping[str, Any]) -> Text | None:
    """Name the nodes whose clock certainly differs from the client's."""
    lines = []
    for node in network["nodes"]:
        offset, error = node["clock_offset"], node["clock_error"]
        if offset is not None and abs(offset) - error > MOST_OFFSET:
            side = "ahead of" if offset > 0 else "behind"
            lines.append(f"{node['address']}: clocks differ by {abs(offset):.1f} s (it is {side} the client)")
    return Text("\n".join(lines)) if lines else None


def jobs_table(network: Mapping[str, Any]) -> Table | None:
    """Return a table of the jobs; None if there are none."""
    rows = [
        (
            str(job["id"]),
            job["name"],
            job["state"],
            job["node"] or "-",
            str(job["incarnation"]),
            f"{job['round']:,}",
            _pid(job),
        )
        for job in network["jobs"]
    ]
    numbers = ("starts", "round", "pid")
    return table(("job", "name", "state", "node", *numbers), rows, numbers=numbers) if rows else None


def _pipes(network: Mapping[str, Any]) -> Table | None:
    numbers = ("sent", "delivered", "replayed", "duplicates", "dropped", "dummies", "queued")
    rows = [
        (
            f"{pipe['id']} ({pipe['kind']})",
            str(pipe["source"]),
            str(pipe["destination"]),
            *(f"{pipe[name]:,.0f}" for name in numbers),
        )
        for pipe in network["pipes"]
    ]
    return table(("pipe", "from", "to", *numbers), rows, numbers=numbers) if rows else None
