"""Checks that a node that was just installed accepts this client."""

import asyncio
import time
from pathlib import Path

from fission.errors import RunError
from fission.management.access.node_query import NodeQuery, Request
from fission.security import Role
from fission.security.identity import load_identity

_SECONDS = 30.0


def verify(host: str, address: str, port: int, certs: Path) -> None:
    """Shake hands with a node, with the client's certificate in `certs`. Raises RunError, CertificateError."""
    identity = load_identity(certs / Role.CLIENT, Role.CLIENT)
    deadline = time.monotonic() + _SECONDS
    while True:
        query = NodeQuery("deploy", {address: port}, identity, observer=True)
        if asyncio.run(query.run(_look)):
            return
        reason = query.missing.get(address, "no answer")
        if time.monotonic() > deadline or reason.startswith("refused"):
            raise RunError(
                f"the service runs, but this client cannot use it at {address} port {port}: {reason}",
                where=host,
                hint="A firewall between them, or another certificate? Its log: journalctl --unit=fission",
            )


async def _look(_node: str, request: Request) -> object:
    return await request("look", network="deploy")
