"""Planned moves: a job is stopped and started elsewhere, by the same path as after the loss of its node.

That path loses no block, so a move needs no protocol of its own. A job moves only when a node takes it; until its process
has ended it keeps its slot.
"""

from fission.cluster.events import DrainRequested, MoveRequested, RebalanceRequested
from fission.cluster.job_placement import possible
from fission.cluster.state import DRAINED, ClusterState, JobRecord
from fission.cluster.transitions import JOB_TABLE, REACHABLE, JobMove, NodeStatus, Phase
from fission.core.groups import LOCAL
from fission.errors import JobDefinitionError
from fission.placement import refusals

Relocation = MoveRequested | DrainRequested | RebalanceRequested


def relocate(cluster: ClusterState, event: Relocation) -> None:
    """Carry out a request to move jobs; a `preference` that raises refuses it."""
    try:
        match event:
            case MoveRequested():
                move(cluster, event)
            case DrainRequested(undo=True):
                undo_drain(cluster, event)
            case DrainRequested():
                drain(cluster, event)
            case RebalanceRequested():
                rebalance(cluster, event)
    except JobDefinitionError as error:
        cluster.refuse(event.request, f"nothing is moved: {error}")


def move(cluster: ClusterState, event: MoveRequested) -> None:
    """Move a job to a node, or to the best one that is not its own."""
    job, target = cluster.jobs.get(event.job), event.node
    if job is None:
        cluster.refuse(event.request, f"there is no job {event.job} to move")
    elif not movable(cluster, job):
        why = "it belongs to the client" if job.node == LOCAL else "it does not run on a node now"
        cluster.refuse(event.request, f"cannot move: {why}", job=job)
    elif target == job.node:
        cluster.accept(event.request, f"is on {target} already", job=job)
    elif target and target not in cluster.nodes:
        known = ", ".join(address for address in cluster.nodes if address != LOCAL) or "none"
        text = f"cannot move to {target}: no such node has joined; there are {known}"
        cluster.refuse(event.request, text, job=job)
    else:
        others = {target} if target else cluster.nodes.keys() - {str(job.node)}
        (decision,) = (one for one in possible(cluster, [job], others) if one.job == job.id)
        if decision.node is None:
            cluster.refuse(event.request, f"cannot move: {refusals(decision.reasons)}", job=job)
        else:
            _carry_out(cluster, event, job, decision.node)


def undo_drain(cluster: ClusterState, event: DrainRequested) -> None:
    """Let a drained node take jobs again, unless there is another reason why it takes none."""
    address, node = event.node, cluster.nodes.get(event.node)
    if address not in cluster.drained:
        cluster.refuse(event.request, f"{address} is not drained")
        return
    cluster.drained.remove(address)
    if node is None or node.status not in REACHABLE:
        cluster.accept(event.request, f"{address} takes jobs again once it is back")
    elif node.status is NodeStatus.DRAINING and node.reason != DRAINED:
        cluster.refuse(event.request, f"still takes no jobs: {node.reason}", node=address)
    else:
        node.status, node.reason = (NodeStatus.FENCED if node.orphans else NodeStatus.UP), ""
        cluster.vacancy = True
        cluster.accept(event.request, "takes jobs again", node=address)


def drain(cluster: ClusterState, event: DrainRequested) -> None:
    """Move all jobs away from a node that takes no new ones from now on."""
    address, node = event.node, cluster.nodes.get(event.node)
    if node is None or address == LOCAL or node.status not in REACHABLE:
        cluster.refuse(event.request, f"there is no node {address} to drain")
        return
    cluster.drained.add(address)
    if node.status is not NodeStatus.DRAINING:
        node.status, node.reason = NodeStatus.DRAINING, DRAINED
    cluster.accept(event.request, "takes no new jobs", node=address)
    leaving = [job for job in cluster.on_node(address) if movable(cluster, job)]
    where = possible(cluster, leaving).nodes
    for job in leaving:
        if job.id in where:
            _carry_out(cluster, event, job, where[job.id])
        else:
            cluster.refuse(event.request, f"stays on {address}: no other node takes it", job=job)


def rebalance(cluster: ClusterState, event: RebalanceRequested) -> None:
    """Move the jobs to where they would be placed if the network were started now."""
    jobs = [job for job in cluster.jobs.values() if movable(cluster, job)]
    where = possible(cluster, jobs).nodes
    moves = [job for job in jobs if where.get(job.id, job.node) != job.node]
    for job in moves:
        _carry_out(cluster, event, job, where[job.id])
    if not moves:
        cluster.accept(event.request, "every job is where it would be placed now")


def movable(cluster: ClusterState, job: JobRecord) -> bool:
    """Whether a job runs on a node, and may be moved from there."""
    return (
        cluster.phase is Phase.RUNNING
        and (job.state, JobMove.MOVE) in JOB_TABLE
        and job.node not in (None, LOCAL)
        and cluster.reachable(job.node)
    )


def begin_move(cluster: ClusterState, job: JobRecord, target: str) -> None:
    """Stop a job that is `movable`, so that it continues on another node."""
    job.machine.fire(JobMove.MOVE)
    job.target = target
    job.address = ""
    job.timer = cluster.now + cluster.policy.exit_grace
    cluster.stop_process(job)


def _carry_out(cluster: ClusterState, event: Relocation, job: JobRecord, target: str) -> None:
    cluster.accept(event.request, f"moves from {job.node} to {target}", job=job, node=job.node)
    begin_move(cluster, job, target)
