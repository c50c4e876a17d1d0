"""Cuts between two nodes that both reach the client: one of the two jobs at a silent pipe moves to where both are reached.

The processes report the pipes whose other end has fallen silent: nothing is acknowledged and neither can connect, while a
stopped or slow process at the other end would still be acknowledged by its machine. If that lasts for `link_timeout`, although
both nodes are joined, one of the jobs moves, by the same path as any move:

- to a node from which no neighbor of the job is known to be cut off;
- rather not a live origin, which would have to begin again; else the job on the node with the most cuts; else the receiver;
- at most once per `link_timeout`, twice, four times ... that (`_MOST_DOUBLINGS`) until the job has been left alone for
  `_MEMORY` seconds, so that jobs do not follow a link that comes and goes.

Where no node takes either job, the reason is reported once, and it is tried again when a slot becomes free or a node joins. A
node that is silent itself is lost before that, and its jobs move for that reason (`node_membership`).
"""

from collections.abc import Iterator, Mapping

from fission.cluster.job_placement import possible
from fission.cluster.relocation import begin_move, movable
from fission.cluster.state import ClusterState, JobRecord, SilentPipe
from fission.cluster.topology import Pipe
from fission.core.groups import LOCAL
from fission.core.levels import WARNING
from fission.errors import JobDefinitionError
from fission.placement import refusals

_MEMORY = 600.0
"""Seconds for which a cut is avoided by such moves, and for which a move counts against the next one."""

_MOST_DOUBLINGS = 6


def report(cluster: ClusterState, job: JobRecord, silent: Mapping[int, float]) -> None:
    """A process reports which of its pipes are silent, each with the seconds since its other end was heard."""
    timeout = cluster.policy.link_timeout
    if timeout is None:
        return
    for pipe in (*cluster.topology.into[job.id], *cluster.topology.out_of[job.id]):
        known = cluster.silent.get(pipe.id)
        if pipe.id in silent:
            if known is None:
                known = cluster.silent[pipe.id] = _begin(cluster, pipe, silent[pipe.id], timeout)
            known.reporters.add(job.id)
        elif known is not None:
            known.reporters.discard(job.id)
            if not known.reporters:
                del cluster.silent[pipe.id]


def advance(cluster: ClusterState) -> None:
    """Move jobs whose pipes have been silent for too long; try again what was impossible if a slot may have become free."""
    for pipe, silent in list(cluster.silent.items()):
        if silent.timer is None and cluster.vacancy:
            silent.timer = max(silent.due, cluster.now)
        if silent.timer is not None and cluster.now >= silent.timer:
            silent.timer = None
            _bridge(cluster, _pipe(cluster, pipe), silent)


def _begin(cluster: ClusterState, pipe: Pipe, seconds: float, timeout: float) -> SilentPipe:
    """The silence of a pipe counts from when both ends could know of each other, whatever was reported."""
    ends = [cluster.jobs[pipe.source], cluster.jobs[pipe.destination]]
    since = max(cluster.now - seconds, *(job.listening_since for job in ends))
    doublings = max(_moves(cluster, job) for job in ends)
    due = since + timeout * 2 ** min(doublings, _MOST_DOUBLINGS)
    return SilentPipe(since, due, timer=due)


def _moves(cluster: ClusterState, job: JobRecord) -> int:
    """The moves of a job because of cuts that still count."""
    if job.link_moves and cluster.now - job.link_moved_at > _MEMORY:
        job.link_moves = 0
    return job.link_moves


def _bridge(cluster: ClusterState, pipe: Pipe, silent: SilentPipe) -> None:
    """Move one of the jobs at a silent pipe, or report why none can move."""
    ends = [cluster.jobs[pipe.destination], cluster.jobs[pipe.source]]
    nodes = [str(job.node) for job in ends]
    if not all(job.listening and cluster.reachable(job.node) for job in ends) or nodes[0] == nodes[1]:
        del cluster.silent[
            pipe.id
        ]  # one of them starts just now; if the new connection is silent, that is reported
        return
    cluster.cuts[frozenset(nodes)] = cluster.now + _MEMORY
    cuts = cluster.cut_pairs()
    counts = {node: sum(node in cut for cut in cuts) for node in nodes}
    ends.sort(key=lambda job: (job.id in cluster.topology.live, -counts[str(job.node)]))
    text = f"{_name(nodes[1])} and {_name(nodes[0])} have not reached each other for {cluster.now - silent.since:.0f} s"
    reasons = []
    for job in ends:
        target, why = _target(cluster, job, cuts)
        if target is not None:
            job.link_moves, job.link_moved_at = _moves(cluster, job) + 1, cluster.now
            cluster.notify(WARNING, f"moves from {job.node} to {target}: {text} (pipe {pipe.id})", job=job)
            begin_move(cluster, job, target)
            del cluster.silent[pipe.id]
            return
        reasons.append(f"{job.name}: {why}")
    if not silent.reported:
        silent.reported = True
        cluster.notify(WARNING, f"{text} (pipe {pipe.id}), and no job can move; {'; '.join(reasons)}")


def _target(cluster: ClusterState, job: JobRecord, cuts: set[frozenset[str]]) -> tuple[str | None, str]:
    """The node to which a job can move, or None and the reason."""
    if not movable(cluster, job):
        return None, "it belongs to the client" if job.node == LOCAL else "it is not running"
    neighbors = {cluster.jobs[other].node for other in _neighbors(cluster, job)}
    reaching = [
        node
        for node in cluster.nodes
        if node not in (LOCAL, job.node)
        and cluster.usable(node)
        and not any(frozenset((node, other)) in cuts for other in neighbors if other is not None)
    ]
    if not reaching:
        return None, "no other node reaches all its neighbors"
    try:
        (decision,) = (one for one in possible(cluster, [job], reaching) if one.job == job.id)
    except JobDefinitionError as error:
        return None, str(error)
    return decision.node, "" if decision.node is not None else refusals(decision.reasons)


def _neighbors(cluster: ClusterState, job: JobRecord) -> Iterator[int]:
    yield from (pipe.source for pipe in cluster.topology.into[job.id])
    yield from (pipe.destination for pipe in cluster.topology.out_of[job.id])


def _pipe(cluster: ClusterState, id: int) -> Pipe:
    return next(pipe for pipes in cluster.topology.into.values() for pipe in pipes if pipe.id == id)


def _name(node: str | None) -> str:
    return "the client" if node == LOCAL else f"node {node}"
