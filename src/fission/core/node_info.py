"""The load of a node, as `preference` of a job sees it."""

from dataclasses import dataclass

__all__ = ["NodeInfo"]


@dataclass(frozen=True)
class NodeInfo:
    """How a node is doing, as averages of about 3 s; what `preference` of a job chooses by."""

    cpu: float
    """Free, in percent."""
    memory: int
    """Free, in bytes."""
    disk: int
    """Free, in bytes."""
    swap: float
    """Used, in percent."""
    TQ: float = 255.0
    """Mean quality (0 to 255) of the links to the nodes that the job talks to."""
