"""The load of a node, as passed to `preference` of a job."""

from dataclasses import dataclass

__all__ = ["NodeInfo"]


@dataclass(frozen=True)
class NodeInfo:
    """Load of a node, averaged over about 3 s; `preference` of a job chooses by it."""

    cpu: float
    """Free, in percent."""
    memory: int
    """Free, in bytes."""
    disk: int
    """Free, in bytes."""
    swap: float
    """Used, in percent."""
    TQ: float = 255.0
    """Mean quality (0 to 255) of the links to the nodes that the job exchanges blocks with."""
