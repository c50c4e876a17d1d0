"""Command lines of the node service with checked options, for `fission-node` and `run --embedded`."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from fission.engine.client.embedded import EmbeddedNode
from fission.engine.protocol.versions import installed_versions
from fission.management.node.options import NodeOptions, read_options


def service_command(options: NodeOptions, versions: Mapping[str, str], *, lifeline: bool) -> list[str]:
    """Return the command; with a `lifeline` the service stops at the end of its stdin."""
    start = {**asdict(options), "versions": versions, "lifeline": lifeline}
    return [sys.executable, "-P", "-m", "fission.node", "--checked", json.dumps(start, default=str)]


def embedded_commands(slots: int) -> Callable[[EmbeddedNode, Path, Path | None], list[str]]:
    """Return a function that makes the command of an embedded node with this number of slots.

    The certificates are new and all nodes run the same Python. Reading options, checking the certificate and listing the
    installed packages in every node would take a third of the time of a start.
    """
    versions = installed_versions()

    def command(node: EmbeddedNode, root: Path, certs: Path | None) -> list[str]:
        given = {
            "address": node.address,
            "port": node.port,
            "root": root,
            "slots": slots,
            "groups": list(node.groups),
            "security": "off" if certs is None else "tls",
            "certs": certs,
        }
        return service_command(read_options(given, None), versions, lifeline=True)

    return command
