"""`collect`: copy the log of every node to `<network>/collection`."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fission.core.network import Network
from fission.engine.client.invitations import client_identity, invited
from fission.errors import ProjectError, RunError
from fission.management.access.node_query import NodeQuery
from fission.management.access.output_files import write_output
from fission.management.access.running_client import ask

FOLDER = "collection"
_LOG_SECONDS = 30.0


def collect_network(network: Network, root: Path) -> int:
    """Copy the logs; return 1 if a node did not answer. Raises FissionError if none did."""
    answer = ask(root, network.name, do="status")
    logs, missing = (
        _visited(network, root) if answer is None else _of_client(network, root, answer["network"])
    )
    folder = Path(network.folder) / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ProjectError(f"the logs cannot be written: {error.strerror}", where=str(folder)) from error
    for node, text in sorted(logs.items()):
        path = folder / f"fission-{node.replace('.', '-').replace(':', '-')}.log"
        write_output(path, text.encode(), "the log")
        print(f"{node}: {len(text.splitlines())} lines in {os.path.relpath(path)}")
    for node, reason in sorted(missing.items()):
        print(f"warning: {node}: {reason}", file=sys.stderr)
    if not logs:
        raise RunError("no node answered", where=f"network {network.name}")
    return 1 if missing else 0


def _visited(network: Network, root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Request the logs from the nodes in NODES; return them, and the reasons why others are missing."""
    nodes = invited(network)
    if not nodes:
        raise ProjectError(
            "the network has no nodes",
            where=f"network {network.name}",
            hint="List them in NODES. The log of local jobs is in the project",
        )
    visit = NodeQuery(network.name, nodes, client_identity(network, root), observer=True)
    logs: dict[str, str] = asyncio.run(visit.run(lambda _node, request: request("log", timeout=_LOG_SECONDS)))
    return logs, visit.missing


def _of_client(
    network: Network, root: Path, view: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Request the logs through the client that runs the network; its nodes may be embedded ones."""
    logs: dict[str, str] = {}
    nodes = [node["address"] for node in view["nodes"]]
    others = invited(network)
    missing = dict.fromkeys(others, "no answer") if others.keys() & set(nodes) else {}
    for node in nodes:
        answer = ask(root, network.name, do="log", node=node) or {"error": "the client has stopped"}
        if "text" in answer:
            logs[node] = answer["text"]
            missing.pop(node, None)
        else:
            missing[node] = str(answer.get("error"))
    return logs, missing
