"""`collect`: copy the log of every node to `<network>/collection`."""

import asyncio
import os
import sys
from pathlib import Path

from fission.core.network import Network
from fission.errors import ProjectError, RunError
from fission.management._visit import Visit
from fission.management.run import client_identity, invited

FOLDER = "collection"
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
    visit = Visit(network.name, nodes, client_identity(network, root), observer=True)
    logs: dict[str, str] = asyncio.run(visit.run(lambda _node, ask: ask("log", timeout=_LOG_SECONDS)))
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
    for node, reason in sorted(visit.missing.items()):
        print(f"warning: {node}: {reason}", file=sys.stderr)
    if not logs:
        raise RunError("no node has answered", where=f"network {network.name}")
    return 1 if visit.missing else 0
