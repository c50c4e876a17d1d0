"""The entries of NODES on a Dask cluster: those of the network count by the address of the worker's machine."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from fission.core.node_names import host_of
from fission.core.nodes import BaseNode, LocalNode, MultiNode

__all__ = ["entries"]


class WorkerNode(MultiNode):
    """The nodes beside the Dask workers on all machines with a matching address."""

    def matches(self, address: str) -> bool:
        """Return whether a node, named by address:port, is on such a machine."""
        return fnmatchcase(host_of(address), self.ip)


def entries(nodes: Iterable[BaseNode]) -> tuple[BaseNode, ...]:
    """Return entries that accept all workers; those of the network add their groups and slots."""
    own = [
        WorkerNode(
            node.ip, *node.groups, name="" if node.name == node.ip else node.name, max_jobs=node.max_jobs
        )
        for node in nodes
        if not isinstance(node, LocalNode)
    ]
    return (*own, WorkerNode("*"))
