"""Nodes join, report and are lost; the jobs in their inventories are adopted or fenced.

Fencing. An incarnation counts only if it is the last one of its job, started in this run, on the node where the job is
believed to be; or if its job waits for a node and there is no newer one: then it is adopted. Any other process on a node
that joins is an orphan: it is stopped, and until it has ended the node is FENCED and gets no jobs, because a new
incarnation would meet it in the folder of its job, and its slot is taken. The same applies to an unknown process that
appears by its events.
"""

from collections.abc import Mapping
from dataclasses import replace

from fission.cluster import events
from fission.cluster.events import IncarnationStatus, InventoryEntry
from fission.cluster.instructions import StopJob
from fission.cluster.job_lifecycle import end, fail, failed_unheard, finish, listen, lose, progress
from fission.cluster.state import DRAINED, ClusterState, DeliveredUpdates, JobRecord, NodeRecord, Orphan
from fission.cluster.transitions import REACHABLE, JobMove, JobState, NodeStatus, Phase
from fission.core.groups import LOCAL
from fission.core.levels import DEBUG, ERROR, INFO, WARNING
from fission.core.nodes import LocalNode
from fission.placement import NodeState, node_state


def joined(cluster: ClusterState, event: events.NodeJoined) -> None:
    """A node has joined, perhaps again: record what it reports, and reconcile the jobs that run there."""
    node = cluster.nodes.setdefault(event.node, NodeRecord(event.node, NodeStatus.LOST))
    again = node.service != ""
    node.status, node.reason, node.timer = NodeStatus.UP, "", None
    node.service, node.versions = event.service, dict(event.versions)
    node.orphans = []
    if event.node != LOCAL:
        node.state = _state(cluster, event)
        if node.state is None:
            node.status, node.reason = NodeStatus.DRAINING, "not in NODES"
            cluster.notify(WARNING, "gets no jobs: it is not in NODES", node=event.node)
        elif event.node in cluster.drained:
            node.status, node.reason = NodeStatus.DRAINING, DRAINED
            cluster.notify(INFO, "is back; it is drained and takes no jobs", node=event.node)
        else:
            slots = f"{node.state.slots} slot{'s' * (node.state.slots != 1)}"
            cluster.notify(INFO, "is back" if again else f"joined, {slots}", node=event.node)
    _measured(cluster, event.node, event.tq)
    _reconcile(cluster, node, event.inventory)
    cluster.vacancy = True


def refused(cluster: ClusterState, event: events.NodeRefused) -> None:
    """A node cannot be used as it is: it counts as lost, with the reason."""
    differences = "; ".join(event.differences)
    lost(cluster, events.NodeLost(event.node, differences))
    cluster.nodes[event.node] = NodeRecord(event.node, NodeStatus.REFUSED, reason=differences)
    cluster.notify(ERROR, f"refused: {differences}", node=event.node)


def reported(cluster: ClusterState, event: events.NodeReport) -> None:
    """A node reports its load."""
    _measured(cluster, event.node, event.tq)
    node = cluster.nodes.get(event.node)
    if node is not None and node.state is not None:
        cluster.vacancy |= event.occupied < node.state.occupied
        node.state = replace(node.state, info=event.info, occupied=event.occupied)


def draining(cluster: ClusterState, event: events.NodeDraining) -> None:
    """A node takes no new jobs."""
    node = cluster.nodes.get(event.node)
    if node is not None and node.status in REACHABLE:
        node.status, node.reason = NodeStatus.DRAINING, "about to end"
        cluster.notify(INFO, "is about to end, and takes no new jobs", node=event.node)


def lost(cluster: ClusterState, event: events.NodeLost) -> None:
    """A node is lost: its jobs begin to wait, and are placed elsewhere at the end of this event."""
    node = cluster.nodes.get(event.node)
    if node is None or node.status in (NodeStatus.LOST, NodeStatus.REFUSED):
        return
    cluster.vacancy |= node.status is NodeStatus.AWAITED  # a job may be held until it is back
    node.status, node.reason, node.timer, node.orphans = NodeStatus.LOST, event.reason, None, []
    cluster.notify(WARNING, f"lost: {event.reason}", node=event.node)
    for job in cluster.on_node(event.node):
        lose(cluster, job, f"lost with node {event.node}")


def withdrawn(cluster: ClusterState, event: events.NodeWithdrawn) -> None:
    """A node is gone for good: it is lost, and forgotten with all that was measured and wished about it."""
    if event.node not in cluster.nodes:
        return
    lost(cluster, events.NodeLost(event.node, event.reason))
    del cluster.nodes[event.node]
    cluster.drained.discard(event.node)
    cluster.tq = {pair: quality for pair, quality in cluster.tq.items() if event.node not in pair}
    cluster.cuts = {pair: until for pair, until in cluster.cuts.items() if event.node not in pair}


def expire(cluster: ClusterState, node: NodeRecord) -> None:
    """Check the timers of a node: it did not return after the client did, or its orphans do not end."""
    if node.timer is not None and cluster.now >= node.timer:
        lost(cluster, events.NodeLost(node.address, "has not come back"))
    for orphan in node.orphans:
        if cluster.now >= orphan.timer:
            orphan.timer = cluster.now + cluster.policy.exit_grace
            cluster.send(StopJob(node.address, orphan.job, orphan.incarnation, orphan.run, force=True))


def fence(cluster: ClusterState, node: NodeRecord, run: str, job: int, incarnation: int) -> None:
    """Stop a process that must not run; its node takes no jobs until it has ended."""
    if any((one.run, one.job, one.incarnation) == (run, job, incarnation) for one in node.orphans):
        return
    node.orphans.append(Orphan(run, job, incarnation, cluster.now + cluster.policy.exit_grace))
    if node.status is NodeStatus.UP:
        node.status = NodeStatus.FENCED
    if run == cluster.run:
        name = cluster.jobs[job].name if job in cluster.jobs else f"job {job}"
        cluster.notify(
            WARNING, f"ends {name}, start {incarnation}: it is not needed any more", node=node.address
        )
    else:
        cluster.notify(INFO, f"ends job {job} of an earlier run", node=node.address)
    cluster.send(StopJob(node.address, job, incarnation, run))


def unfence(cluster: ClusterState, node: NodeRecord, run: str, job: int, incarnation: int) -> None:
    """An orphan has ended."""
    rest = [one for one in node.orphans if (one.run, one.job, one.incarnation) != (run, job, incarnation)]
    node.orphans = rest
    if node.status is NodeStatus.FENCED and not rest:
        node.status = NodeStatus.UP
        cluster.vacancy = True
        cluster.notify(DEBUG, "is free of old jobs", node=node.address)


def _state(cluster: ClusterState, event: events.NodeJoined) -> NodeState | None:
    """Make the placement's view of a node; None if NODES does not list it. Without NODES, every node is accepted."""
    entries = [entry for entry in cluster.network.nodes if not isinstance(entry, LocalNode)]
    if entries:
        state = node_state(
            entries,
            event.node,
            event.info,
            slots=event.slots,
            groups=event.groups,
            occupied=event.occupied,
        )
        # patterns give no names: the node's own one is shown
        return state if state is None or state.name else replace(state, name=event.name)
    return NodeState(event.node, event.info, event.name, event.groups, event.slots, event.occupied)


def _measured(cluster: ClusterState, node: str, tq: Mapping[str, float]) -> None:
    for other, quality in tq.items():
        cluster.tq[node, other] = quality


def _reconcile(cluster: ClusterState, node: NodeRecord, inventory: tuple[InventoryEntry, ...]) -> None:
    """Reconcile what runs on a node with what should."""
    seen = set()
    for line in inventory:
        job = cluster.jobs.get(line.job) if line.run == cluster.run else None
        if job is not None and line.incarnation in job.unheard:
            job.unheard = [one for one in job.unheard if one != line.incarnation]
            if line.failure is not None:
                failed_unheard(cluster, job, node.address, line.failure)
        if job is not None and _counts(cluster, node, job, line):
            seen.add(job.id)
            _adopt(cluster, node, job, line)
        elif line.alive:
            fence(cluster, node, line.run, line.job, line.incarnation)
        if job is not None:
            job.incarnation = max(job.incarnation, line.incarnation)
    for job in cluster.on_node(node.address):
        if job.id not in seen and job.state is not JobState.BACKING_OFF:
            how = (
                "has ended with its client"
                if node.address == LOCAL
                else f"lost: node {node.address} has it no more"
            )
            lose(cluster, job, how)


def _counts(cluster: ClusterState, node: NodeRecord, job: JobRecord, line: InventoryEntry) -> bool:
    if line.incarnation != job.incarnation:
        return False
    if job.node is not None:
        return job.node == node.address and not (line.alive and job.state is JobState.BACKING_OFF)
    adoptable = line.alive and job.state is JobState.WAITING and cluster.phase is Phase.RUNNING
    return adoptable and line.status not in (IncarnationStatus.FINISHED, IncarnationStatus.FAILED)


def _adopt(cluster: ClusterState, node: NodeRecord, job: JobRecord, line: InventoryEntry) -> None:
    """Adopt the inventory's report of a job that is where it should be."""
    if job.state is JobState.WAITING:
        cluster.notify(INFO, f"taken back: it still runs on {node.address}", job=job, node=node.address)
        job.node, job.timer, job.numbered = node.address, None, True
        job.machine.fire(JobMove.LISTEN)
    job.delivered = DeliveredUpdates()
    job.stored |= line.stored
    cluster.touched.add(job.id)
    if line.status is IncarnationStatus.FINISHED:
        finish(cluster, job)
    elif job.alive or job.state is JobState.STOPPING:
        if line.address:
            listen(cluster, job, line.address)
        if line.status is IncarnationStatus.RUNNING:
            job.machine.fire(JobMove.READY)
        progress(job, line.round)
        if line.failure is not None:
            failure = line.failure
            fields = (failure.round, failure.where, failure.message, failure.traceback)
            fail(cluster, job, events.JobFailed(node.address, job.id, job.incarnation, *fields))
    if not line.alive:
        end(cluster, job, "has ended meanwhile")
    elif job.state in (JobState.STOPPING, JobState.MOVING):
        cluster.stop_process(job)
