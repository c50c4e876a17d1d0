"""What follows from the shape of a network: senders, receivers, and the origins that must be numbered together.

An *origin* is a job that numbers blocks by itself: it has outputs and no synchronous input. That is every
source, and every job whose inputs are all asynchronous. An origin is *replayable* when its class has
`snapshot` and `restore`; else it is *live*: after a restart it begins to count from 1 again.

A join computes on blocks of the same number from all of its synchronous inputs. So when a live origin begins
again, all origins whose blocks meet its blocks in a join must begin again with it, and with those the ones
that they meet in other joins: its *reset group*. Origins that meet none of them continue undisturbed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from fission.core.jobs.base import is_replayable
from fission.core.network import Network


@dataclass(frozen=True, slots=True)
class Pipe:
    """A pipe with the jobs at its ends; `waited` is False for an asynchronous one."""

    id: int
    source: int
    destination: int
    waited: bool


@dataclass(frozen=True, slots=True)
class Topology:
    """The pipes of every job, the live origins, and the reset group (itself included) of every origin."""

    into: Mapping[int, tuple[Pipe, ...]]
    out_of: Mapping[int, tuple[Pipe, ...]]
    live: frozenset[int]
    reset_group: Mapping[int, frozenset[int]]

    @classmethod
    def of(cls, network: Network) -> Self:
        """Read it from a network without circles of synchronous pipes (the checks refuse them)."""
        pipes = [
            Pipe(edge.pipe.id, edge.source, edge.destination, not edge.pipe.ASYNC) for edge in network.edges
        ]
        into = {job.id: tuple(p for p in pipes if p.destination == job.id) for job in network.jobs}
        out_of = {job.id: tuple(p for p in pipes if p.source == job.id) for job in network.jobs}
        origins = {
            job.id for job in network.jobs if out_of[job.id] and not any(pipe.waited for pipe in into[job.id])
        }
        live = frozenset(job for job in origins if not is_replayable(network.job(job)))
        return cls(into, out_of, live, _reset_groups(origins, into))

    def senders(self, job: int) -> tuple[int, ...]:
        """The jobs whose blocks this job waits for."""
        return tuple(pipe.source for pipe in self.into[job] if pipe.waited)

    def receivers(self, job: int) -> tuple[int, ...]:
        """The jobs that wait for blocks of this one."""
        return tuple(pipe.destination for pipe in self.out_of[job] if pipe.waited)


def _reset_groups(origins: set[int], into: Mapping[int, tuple[Pipe, ...]]) -> dict[int, frozenset[int]]:
    found: dict[int, frozenset[int]] = {}

    def above(job: int) -> frozenset[int]:
        """The origins whose numbers arrive at a job."""
        if job not in found:
            found[job] = frozenset({job} & origins)
            waited = [pipe.source for pipe in into[job] if pipe.waited]
            found[job] |= frozenset().union(*map(above, waited))
        return found[job]

    reset_group = {origin: {origin} for origin in origins}
    for job, pipes in into.items():
        if sum(pipe.waited for pipe in pipes) > 1:
            joined = set().union(*(reset_group[origin] for origin in above(job)))
            for origin in joined:
                reset_group[origin] = joined
    return {origin: frozenset(others) for origin, others in reset_group.items()}
