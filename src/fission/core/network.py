"""A loaded network as a value: jobs, the edges that join them, nodes, settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self, cast

from fission.core import registry
from fission.core.jobs.base import BaseJob
from fission.core.nodes import BaseNode
from fission.core.structure import Edge, Problem, join, sound_jobs, sound_nodes
from fission.errors import AllocationError, NetworkError

__all__ = ["AllocationError", "Edge", "Network", "Problem", "Settings"]


@dataclass(frozen=True)
class Settings:
    """The settings of config.py apart from jobs and nodes; their names there are these in capitals."""

    user: str = ""
    remote_root: str = ""
    log_level: str = "INFO"
    log_file: str = "FISSION.log"
    client_ip: str | None = None
    debug_window: bool = False
    pre_copy: bool = False
    xml_file: str | None = None
    xml_args: Mapping[str, str] = field(default_factory=dict)
    pulse_interval: float = 0.1
    """Seconds between two heartbeats."""
    head_size: int = 1
    """Bytes."""
    security: str = "tls"
    """tls, or off: clear text, for trusted networks only."""
    certs: str = "certs"
    """Folder with the client's certificate, as `fission certs` creates it."""
    dask: str | None = None
    """Address of a Dask scheduler, beside whose workers the network runs; None: on the nodes of NODES."""
    node_port: int = 8785
    """Port of the node services."""
    max_restarts: int = 3
    """Restarts of a job at the same round, before the network ends."""
    allocation_timeout: float | None = None
    """Seconds that a job may wait for a node; None: no limit."""
    orphan_timeout: float = 600.0
    """Seconds that jobs on nodes continue without a client."""
    link_timeout: float | None = 5.0
    """Seconds that two nodes may not reach each other before a job moves; None: no job moves."""
    progress_timeout: float | None = None
    """Seconds that one round of a job with inputs may take before its process is restarted; None: no limit."""


@dataclass(frozen=True)
class Network:
    """One dataflow: `Network("squares", [Count(outputs=[...]), ...])`.

    Numbers the jobs 1, 2, ... in order and joins them by their pipes. Entries that cannot be used are left out, and `problems`
    has all of them; look at it before you start the network. The registry `fission.core.base.JOBS` holds these jobs afterwards.
    A network with `edges` is taken as it is.
    """

    name: str
    jobs: tuple[BaseJob, ...]
    """Job n has id n + 1. Any iterable of jobs can be given."""
    nodes: tuple[BaseNode, ...] = ()
    settings: Settings = field(default_factory=Settings)
    folder: str = ""
    """Absolute path of the network's folder, or "" for one that has none."""
    edges: tuple[Edge, ...] = field(default=cast(tuple[Edge, ...], None), kw_only=True)
    """By pipe id; only pipes with exactly one source and one destination."""
    problems: tuple[Problem, ...] = field(default=(), kw_only=True, compare=False, repr=False)
    """What is wrong with its structure, with errors and warnings."""

    def __post_init__(self) -> None:
        if cast(object, self.edges) is not None:
            return
        jobs, job_problems = sound_jobs(self.jobs)
        nodes, node_problems = sound_nodes(self.nodes)
        registry.renumber(jobs)
        edges, pipe_problems = join(jobs)
        made = {"jobs": jobs, "nodes": nodes, "edges": edges}
        for name, value in {**made, "problems": (*job_problems, *pipe_problems, *node_problems)}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def build(
        cls,
        name: str,
        jobs: Iterable[object],
        nodes: Iterable[object] = (),
        settings: Settings | None = None,
        folder: str = "",
    ) -> "tuple[Self, tuple[Problem, ...]]":
        """Return a network and its `problems`; see the class."""
        network = cls(name, jobs, nodes, settings or Settings(), folder)  # type: ignore[arg-type] # any iterable is checked
        return network, network.problems

    def job(self, id: int) -> BaseJob:
        """Return the job with this id. Raises NetworkError when there is none."""
        if not 1 <= id <= len(self.jobs):
            raise NetworkError(
                "no such job",
                where=f"network {self.name}",
                expected=f"1 to {len(self.jobs)}",
                found=str(id),
            )
        return self.jobs[id - 1]

    def edge(self, pipe_id: int) -> Edge:
        """Return the edge of this pipe. Raises NetworkError when there is none."""
        for edge in self.edges:
            if edge.pipe.id == pipe_id:
                return edge
        known = ", ".join(str(edge.pipe.id) for edge in self.edges) or "none"
        raise NetworkError(
            "no such pipe", where=f"network {self.name}", expected=f"one of {known}", found=str(pipe_id)
        )

    def inputs_of(self, id: int) -> tuple[Edge, ...]:
        """Return the edges that end at this job, in the order of its inputs."""
        coming = {edge.pipe.id: edge for edge in self.edges if edge.destination == id}
        return tuple(coming[pipe.id] for pipe in self.job(id).inputs if pipe.id in coming)

    def outputs_of(self, id: int) -> tuple[Edge, ...]:
        """Return the edges that begin at this job, in the order of its outputs."""
        going = {edge.pipe.id: edge for edge in self.edges if edge.source == id}
        return tuple(going[pipe.id] for pipe in self.job(id).outputs if pipe.id in going)

    def sources(self) -> tuple[BaseJob, ...]:
        """Return the jobs without inputs."""
        return tuple(job for job in self.jobs if job.is_source())

    def sinks(self) -> tuple[BaseJob, ...]:
        """Return the jobs without outputs."""
        return tuple(job for job in self.jobs if job.is_sink())

    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """Return cycles of jobs that would wait for each other for ever: those without an ASYNC pipe.

        Each is a tuple of job ids in the direction of the blocks. The cycles have no job in common: a job
        that is in several is reported in one of them, so check again after one was resolved.
        """
        following: dict[int, set[int]] = {job.id: set() for job in self.jobs}
        for edge in self.edges:
            if not edge.pipe.ASYNC:
                following[edge.source].add(edge.destination)
        found = []
        while cycle := _cycle(following):
            found.append(cycle)
            for id in cycle:
                del following[id]
        return tuple(found)


def _cycle(following: dict[int, set[int]]) -> tuple[int, ...]:
    """Return one cycle of the graph, () when there is none. Jobs outside of all cycles are removed from the graph."""
    while True:
        dead = [id for id, jobs in following.items() if not jobs & following.keys()]
        if not dead:
            break
        for id in dead:
            del following[id]
    if not following:
        return ()
    path: dict[int, None] = {}
    here = min(following)
    while here not in path:  # every job has a successor, so the walk returns to a visited job
        path[here] = None
        here = min(following[here] & following.keys())
    steps = list(path)
    cycle = steps[steps.index(here) :]
    first = cycle.index(min(cycle))
    return tuple(cycle[first:] + cycle[:first])
