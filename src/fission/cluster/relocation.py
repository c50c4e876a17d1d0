"""Planned moves: a job is told to end and is started elsewhere, by the same path as after the loss of its node.

Nothing is lost on that path, so a move needs no protocol of its own. A job moves only when a node is known that takes
it; until its process has ended it keeps its slot.
"""

from fission.cluster.events import DrainRequested, MoveRequested, RebalanceRequested
from fission.cluster.job_placement import possible
from fission.cluster.state import DRAINED, ClusterState, JobRecord
from fission.cluster.transitions import JOB_TABLE, REACHABLE, JobMove, NodeStatus, Phase
from fission.core.groups import LOCAL
from fission.core.levels import INFO, WARNING
from fission.errors import JobDefinitionError
from fission.placement import refusals


def wish(cluster: ClusterState, event: MoveRequested | DrainRequested | RebalanceRequested) -> None:
    """Do what somebody wants to be moved; a `preference` that raises is told."""
    try:
        match event:
            case MoveRequested():
                move(cluster, event.job, event.node)
            case DrainRequested(undo=True):
                undo_drain(cluster, event.node)
            case DrainRequested():
                drain(cluster, event.node)
            case RebalanceRequested():
                rebalance(cluster)
    except JobDefinitionError as error:
        cluster.tell(WARNING, f"nothing is moved: {error}")


def move(cluster: ClusterState, id: int, target: str = "") -> None:
    """Move a job to a node, or to the best one that is not its own; say why not if it cannot be."""
    job = cluster.jobs.get(id)
    if job is None:
        cluster.tell(WARNING, f"there is no job {id} to move")
    elif not _movable(cluster, job):
        why = "it belongs to the client" if job.node == LOCAL else "it does not run on a node now"
        cluster.tell(WARNING, f"cannot move: {why}", job=job)
    elif target == job.node:
        cluster.tell(INFO, f"is on {target} already", job=job)
    elif target and target not in cluster.nodes:
        known = ", ".join(address for address in cluster.nodes if address != LOCAL) or "none"
        cluster.tell(WARNING, f"cannot move to {target}: no such node has joined; there are {known}", job=job)
    else:
        others = {target} if target else cluster.nodes.keys() - {str(job.node)}
        (decision,) = (one for one in possible(cluster, [job], others) if one.job == id)
        if decision.node is None:
            cluster.tell(WARNING, f"cannot move: {refusals(decision.reasons)}", job=job)
        else:
            _send_off(cluster, job, decision.node)


def undo_drain(cluster: ClusterState, address: str) -> None:
    """Let a drained node take jobs again, unless there is another reason why it takes none."""
    node = cluster.nodes.get(address)
    if address not in cluster.drained:
        cluster.tell(WARNING, f"{address} is not drained")
        return
    cluster.drained.remove(address)
    if node is None or node.status not in REACHABLE:
        cluster.tell(INFO, f"{address} takes jobs again once it is back")
    elif node.status is NodeStatus.DRAINING and node.reason != DRAINED:
        cluster.tell(WARNING, f"still takes no jobs: {node.reason}", node=address)
    else:
        node.status, node.reason = (NodeStatus.FENCED if node.orphans else NodeStatus.UP), ""
        cluster.vacancy = True
        cluster.tell(INFO, "takes jobs again", node=address)


def drain(cluster: ClusterState, address: str) -> None:
    """Move all jobs away from a node that takes no new ones from now on."""
    node = cluster.nodes.get(address)
    if node is None or address == LOCAL or node.status not in REACHABLE:
        cluster.tell(WARNING, f"no node {address} is there to drain")
        return
    cluster.drained.add(address)
    if node.status is not NodeStatus.DRAINING:
        node.status, node.reason = NodeStatus.DRAINING, DRAINED
    cluster.tell(INFO, "takes no new jobs", node=address)
    leaving = [job for job in cluster.on_node(address) if _movable(cluster, job)]
    where = possible(cluster, leaving).nodes
    for job in leaving:
        if job.id in where:
            _send_off(cluster, job, where[job.id])
        else:
            cluster.tell(WARNING, f"stays on {address}: no other node takes it", job=job)


def rebalance(cluster: ClusterState) -> None:
    """Move the jobs to where they would be placed if the network were started now."""
    jobs = [job for job in cluster.jobs.values() if _movable(cluster, job)]
    where = possible(cluster, jobs).nodes
    moves = [job for job in jobs if where.get(job.id, job.node) != job.node]
    for job in moves:
        _send_off(cluster, job, where[job.id])
    if not moves:
        cluster.tell(INFO, "every job is where it would be placed now")


def _movable(cluster: ClusterState, job: JobRecord) -> bool:
    return (
        cluster.phase is Phase.RUNNING
        and (job.state, JobMove.MOVE) in JOB_TABLE
        and job.node not in (None, LOCAL)
        and cluster.reachable(job.node)
    )


def _send_off(cluster: ClusterState, job: JobRecord, target: str) -> None:
    job.machine.fire(JobMove.MOVE)
    job.target = target
    job.address = ""
    job.timer = cluster.now + cluster.policy.exit_grace
    cluster.tell(INFO, f"moves from {job.node} to {target}", job=job, node=job.node)
    cluster.stop_process(job)
