"""Places jobs by means of `fission.placement`; jobs without a node wait and are tried again."""

from collections.abc import Collection
from dataclasses import replace

from fission.cluster.instructions import Failure, Outcome, Placed
from fission.cluster.job_lifecycle import start
from fission.cluster.shutdown import begin_ending
from fission.cluster.state import ClusterState, JobRecord
from fission.cluster.transitions import JobState, NodeStatus, Phase
from fission.core.groups import LOCAL
from fission.core.levels import WARNING
from fission.errors import AllocationError, JobDefinitionError, UserError
from fission.placement import Links, NodeState, Placement, place, propose, refusals


def start_network(cluster: ClusterState) -> None:
    """Place all jobs and start them, once no node still ends jobs of an earlier run; or start nothing."""
    busy = any(node.status in (NodeStatus.FENCED, NodeStatus.AWAITED) for node in cluster.nodes.values())
    if busy and cluster.start_timer is not None and cluster.now < cluster.start_timer:
        return
    try:
        placement = place(cluster.network, nodes_now(cluster), _links(cluster))
    except UserError as error:
        begin_ending(cluster, Outcome.FAILED, error.exit_code, Failure(str(error)))
        return
    cluster.phase = Phase.RUNNING
    cluster.start_timer = None
    cluster.out.append(Placed(placement))
    for job, node in placement.nodes.items():
        start(cluster, cluster.jobs[job], node)


def start_problem(cluster: ClusterState) -> str:
    """Return why the network cannot start on the nodes that can take jobs, or soon can; "" if it can.

    An error of a job's `preference` is none: more nodes do not help.
    """
    soon = (NodeStatus.UP, NodeStatus.FENCED)
    nodes = [
        replace(node.state, active=node.status in soon)
        for node in cluster.nodes.values()
        if node.state is not None and node.status is not NodeStatus.REFUSED
    ]
    try:
        place(cluster.network, nodes, _links(cluster))
    except AllocationError as error:
        return error.what
    except JobDefinitionError:
        return ""
    return ""


def place_waiting(cluster: ClusterState) -> None:
    """Start the waiting jobs that a node takes now. For the others, report the reason once; their time begins.

    The time of a job that is held begins when it is no longer held: before that, no node could take it.
    """
    waiting = [
        job for job in cluster.jobs.values() if job.state is JobState.WAITING and not cluster.held(job)
    ]
    for job in waiting:
        if job.target is not None:
            _place(cluster, [job], among={job.target})
        if job.avoid is not None and job.state is JobState.WAITING:
            _place(cluster, [job], among={node.address for node in nodes_now(cluster)} - {job.avoid})
    waiting = [job for job in waiting if job.state is JobState.WAITING]
    if waiting:
        _place(cluster, waiting)
    timeout = cluster.policy.allocation_timeout
    for job in waiting:
        if job.state is JobState.WAITING and job.timer is None and timeout is not None:
            job.timer = cluster.now + timeout


def possible(cluster: ClusterState, jobs: list[JobRecord], among: Collection[str] | None = None) -> Placement:
    """Place jobs as if they had left their nodes; all others stay where they are."""
    nodes = [node for node in nodes_now(cluster) if among is None or node.address in among]
    leaving = {job.id for job in jobs}
    fixed = {
        job.id: job.node for job in cluster.jobs.values() if job.node is not None and job.id not in leaving
    }
    return propose(cluster.network, nodes, _links(cluster), fixed=fixed, only=leaving)


def _place(cluster: ClusterState, jobs: list[JobRecord], *, among: Collection[str] | None = None) -> None:
    """Start the jobs that can be placed; a `preference` that raises affects its own job only."""
    nodes = [node for node in nodes_now(cluster) if among is None or node.address in among]
    fixed = {job.id: job.node for job in cluster.jobs.values() if job.node is not None}
    only = {job.id for job in jobs}
    try:
        placement = propose(cluster.network, nodes, _links(cluster), fixed=fixed, only=only)
    except JobDefinitionError as error:
        if len(jobs) == 1:
            _report_waiting(cluster, jobs[0], str(error))
            return
        for job in jobs:
            _place(cluster, [job], among=among)
        return
    for decision in placement:
        if decision.job not in only:
            continue
        if cluster.usable(decision.node):
            start(cluster, cluster.jobs[decision.job], str(decision.node))
        elif among is None:
            why = refusals(decision.reasons) if decision.node is None else "the client has not joined yet"
            _report_waiting(cluster, cluster.jobs[decision.job], why)


def _report_waiting(cluster: ClusterState, job: JobRecord, why: str) -> None:
    if not job.wait_reported:
        job.wait_reported = True
        cluster.notify(WARNING, f"waits for a node: {why}", job=job)


def _links(cluster: ClusterState) -> Links:
    """The measured links; nodes that do not reach each other have none."""
    cut = {}
    for pair in cluster.cut_pairs():
        here, there = (cluster.client if node == LOCAL else node for node in pair)
        cut[here, there] = cut[there, here] = 0.0
    return Links(cluster.tq | cut, cluster.client)


def nodes_now(cluster: ClusterState) -> list[NodeState]:
    """All nodes that have ever joined; only those that are UP can take jobs."""
    return [
        replace(node.state, active=node.status is NodeStatus.UP)
        for node in cluster.nodes.values()
        if node.state is not None and node.status is not NodeStatus.REFUSED
    ]
