"""Views of a running network at one moment. They hold numbers and texts only; `asdict` of any of them is fit for JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fission.monitor.html import to_html

__all__ = ["JobView", "NetworkView", "NodeView", "PipeView"]


@dataclass(frozen=True, slots=True)
class PipeView:
    """One pipe: the jobs at its ends, and the counters that both of them keep (blocks, bytes, seconds)."""

    id: int
    kind: str
    source: int
    destination: int
    sent: float = 0
    delivered: float = 0
    replayed: float = 0
    duplicates: float = 0
    dropped: float = 0
    dummies: float = 0
    bytes: float = 0
    queued: float = 0
    lag: float = 0.0


@dataclass(frozen=True, slots=True)
class JobView:
    """One job: `node` is an address, "client", or "" while it waits; `round` the last complete one."""

    id: int
    name: str
    state: str
    node: str
    incarnation: int
    round: int
    cpu_seconds: float
    ip: str = ""
    port: int = 0
    """Where it takes blocks from other machines; 0 as long as it does not."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node: `state` as in cluster.states.NodeStatus; cpu free and swap used in percent, memory and disk free in bytes.

    `clock_offset` is how many seconds its wall clock is ahead of the client's, within `clock_error`; None: not known yet.
    """

    address: str
    name: str
    state: str
    reason: str
    groups: tuple[str, ...]
    slots: int
    taken: int
    cpu: float
    memory: int
    disk: int
    versions: dict[str, str] = field(default_factory=dict)
    swap: float = 0.0
    clock_offset: float | None = None
    clock_error: float | None = None
    origin: str = "NODES"
    """What has provided it: NODES, embedded, dask."""


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A network: `phase` as in cluster.states.Phase, `seconds` since the client has started."""

    name: str
    run: str
    phase: str
    seconds: float
    epoch: int
    nodes: tuple[NodeView, ...]
    jobs: tuple[JobView, ...]
    pipes: tuple[PipeView, ...]

    def plain(self) -> dict[str, Any]:
        """All of it as dicts, lists, numbers and texts."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "NetworkView":
        """Return the view that `plain` describes, also after it has been through JSON."""
        nodes = tuple(NodeView(**{**node, "groups": tuple(node["groups"])}) for node in plain["nodes"])
        jobs = tuple(JobView(**job) for job in plain["jobs"])
        pipes = tuple(PipeView(**pipe) for pipe in plain["pipes"])
        return cls(**{**plain, "nodes": nodes, "jobs": jobs, "pipes": pipes})

    def _repr_html_(self) -> str:
        """Return the tables that notebooks show."""
        return to_html(self.plain())
