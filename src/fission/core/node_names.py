"""Names of nodes: the address, or address:port where several node services share one address (ADR 21)."""

__all__ = ["host_of", "node_name"]


def node_name(host: str, port: int) -> str:
    """Return the name of a node that shares its address with others: host:port, with an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(node: str) -> str:
    """Return the address of a node from its name."""
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return node.partition(":")[0] if node.count(":") == 1 else node
