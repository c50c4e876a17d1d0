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
from fission.management.access.node_visit import Visit
from fission.management.access.running_client import ask

FOLDER = "collection"
_LOG_SECONDS = 30.0


def collect_network(network: Network, root: Path) -> int:
    """Copy the logs; return 1 when a node could not be asked. Raises FissionError when none can be."""
    answer = ask(root, network.name, do="status")
    logs, missing = (
        _visited(network, root) if answer is None else _of_client(network, root, answer["network"])
    )
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
    for node, reason in sorted(missing.items()):
        print(f"warning: {node}: {reason}", file=sys.stderr)
    if not logs:
        raise RunError("no node has answered", where=f"network {network.name}")
    return 1 if missing else 0


def _visited(network: Network, root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Ask the nodes in NODES; return the logs, and why there are none of the others."""
    nodes = invited(network)
    if not nodes:
        raise ProjectError(
            "the network has no nodes whose logs could be collected",
            where=f"network {network.name}",
            hint="List them in NODES; what local jobs did is in the log of the project",
        )
    visit = Visit(network.name, nodes, client_identity(network, root), observer=True)
    logs: dict[str, str] = asyncio.run(visit.run(lambda _node, ask: ask("log", timeout=_LOG_SECONDS)))
    return logs, visit.missing


def _of_client(
    network: Network, root: Path, view: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Ask the client that runs the network for the logs of its nodes, which may be embedded ones."""
    logs: dict[str, str] = {}
    nodes = [node["address"] for node in view["nodes"]]
    others = invited(network)
    missing = dict.fromkeys(others, "has not answered") if others.keys() & set(nodes) else {}
    for node in nodes:
        answer = ask(root, network.name, do="log", node=node) or {"error": "the client has ended"}
        if "text" in answer:
            logs[node] = answer["text"]
            missing.pop(node, None)
        else:
            missing[node] = str(answer.get("error"))
    return logs, missing
