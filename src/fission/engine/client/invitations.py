"""Which nodes a client invites into a run, and with which certificate."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fission.core.network import Network
from fission.core.nodes import LocalNode, MultiNode
from fission.engine.client.embedded import EmbeddedNode
from fission.project.addresses import expand_pattern
from fission.security.identity import Identity, load_identity
from fission.security.roles import Role

__all__ = ["client_identity", "invited", "ports_of"]


def ports_of(nodes: Sequence[EmbeddedNode]) -> dict[str, int]:
    """Return the ports of embedded nodes by their addresses."""
    return {node.address: node.port for node in nodes}


def invited(network: Network, ports: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the addresses and ports of the nodes in NODES, with patterns written out; `ports` override NODE_PORT."""
    addresses: dict[str, int] = {}
    for node in network.nodes:
        if isinstance(node, LocalNode):
            continue
        for address in expand_pattern(node.ip) if isinstance(node, MultiNode) else (node.ip,):
            addresses[address] = (ports or {}).get(address, network.settings.node_port)
    return addresses


def client_identity(network: Network, root: Path) -> Identity | None:
    """Return the certificate of this machine as a client; None with `SECURITY = "off"`. Raises CertificateError."""
    if network.settings.security == "off":
        return None
    return load_identity(root / network.settings.certs / Role.CLIENT, Role.CLIENT)
