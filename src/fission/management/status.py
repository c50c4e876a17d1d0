"""`status`: what runs where, asked from another terminal."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fission.errors import RunError
from fission.management._client import ask


def status_command(root: Path, name: str, *, as_json: bool) -> int:
    """Print the nodes, jobs and pipes of a running network. Raises RunError when no client runs it here."""
    answer = ask(root, name, do="status")
    if answer is None:
        raise RunError("it does not run", where=f"network {name}", hint=f"Start it: fission run {name}")
    network = answer["network"]
    if as_json:
        print(json.dumps(network, indent=2))
        return 0
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(
        Text(f"{network['name']}: {network['phase']}, {network['seconds']:.0f} s, epoch {network['epoch']}\n")
    )
    for table in (_nodes(network), _jobs(network), _pipes(network)):
        if table.row_count:
            console.print(table)
            console.print()
    return 0


def _nodes(network: Mapping[str, Any]) -> Table:
    table = _table("node", "state", "slots taken", "free cpu", "free memory", "groups")
    for node in network["nodes"]:
        table.add_row(
            node["address"] + (f" ({node['name']})" if node["name"] else ""),
            node["state"] + (f": {node['reason']}" if node["reason"] else ""),
            f"{node['taken']} of {node['slots']}",
            f"{node['cpu']:.0f} %",
            f"{node['memory'] / 2**20:,.0f} MB",
            ", ".join(node["groups"]),
        )
    return table


def _jobs(network: Mapping[str, Any]) -> Table:
    table = _table("job", "name", "state", "node", "starts", "round")
    for job in network["jobs"]:
        table.add_row(
            str(job["id"]),
            job["name"],
            job["state"],
            job["node"] or "-",
            str(job["incarnation"]),
            f"{job['round']:,}",
        )
    return table


def _pipes(network: Mapping[str, Any]) -> Table:
    table = _table(
        "pipe", "from", "to", "sent", "delivered", "replayed", "duplicates", "dropped", "dummies", "queued"
    )
    for pipe in network["pipes"]:
        counts = [
            f"{pipe[name]:,.0f}"
            for name in ("sent", "delivered", "replayed", "duplicates", "dropped", "dummies", "queued")
        ]
        table.add_row(
            f"{pipe['id']} ({pipe['kind']})", str(pipe["source"]), str(pipe["destination"]), *counts
        )
    return table


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        left = title in ("node", "state", "groups", "job", "name", "pipe", "from", "to")
        table.add_column(title, justify="left" if left else "right")
    return table
