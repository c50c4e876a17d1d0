"""Nodes that join, report, and are lost; and what is done with the jobs that they bring along.

Fencing. An incarnation counts only if it is the last one of its job, started in this run, on the node where the job
is believed to be; or if its job waits for a node and nobody has started a newer one: then it is taken back. Whatever
else is alive on a node that joins is an orphan: it is told to end, and until it has ended the node is FENCED and gets
no jobs, because a new incarnation would meet it in the folder of its job, and its slot is taken. The same goes for a
process that nobody knows and that turns up by its events.
"""

from collections.abc import Mapping
from dataclasses import replace

from fission.cluster import events
from fission.cluster.board import (
    DEBUG,
    DRAINED,
    ERROR,
    INFO,
    WARNING,
    Board,
    JobRecord,
    NodeRecord,
    Orphan,
    Told,
)
from fission.cluster.events import Life, Resident
from fission.cluster.instructions import StopJob
from fission.cluster.lives import end, finish, listen, lose, progress
from fission.cluster.states import REACHABLE, JobMove, JobState, NodeLife, Phase
from fission.core.groups import LOCAL
from fission.core.nodes import LocalNode
from fission.placement import NodeState, node_state


def joined(board: Board, event: events.NodeJoined) -> None:
    """A node is here, perhaps again: take over what it says, and settle who runs there."""
    node = board.nodes.setdefault(event.node, NodeRecord(event.node, NodeLife.LOST))
    again = node.service != ""
    node.life, node.reason, node.timer = NodeLife.UP, "", None
    node.service, node.versions = event.service, dict(event.versions)
    node.orphans = []
    if event.node != LOCAL:
        node.state = _state(board, event)
        if node.state is None:
            node.life, node.reason = NodeLife.DRAINING, "not in NODES"
            board.tell(WARNING, "gets no jobs: it is not in NODES", node=event.node)
        elif event.node in board.drained:
            node.life, node.reason = NodeLife.DRAINING, DRAINED
            board.tell(INFO, "is back; it is drained and takes no jobs", node=event.node)
        else:
            slots = f"{node.state.slots} slot{'s' * (node.state.slots != 1)}"
            board.tell(INFO, "is back" if again else f"joined, {slots}", node=event.node)
    _measured(board, event.node, event.tq)
    _settle(board, node, event.inventory)
    board.vacancy = True


def refused(board: Board, event: events.NodeRefused) -> None:
    """A node cannot be used as it is."""
    differences = "; ".join(event.differences)
    lost(board, events.NodeLost(event.node, differences))
    board.nodes[event.node] = NodeRecord(event.node, NodeLife.REFUSED, reason=differences)
    board.tell(ERROR, f"refused: {differences}", node=event.node)


def reported(board: Board, event: events.NodeReport) -> None:
    """A node tells how it is doing."""
    _measured(board, event.node, event.tq)
    node = board.nodes.get(event.node)
    if node is not None and node.state is not None:
        board.vacancy |= event.occupied < node.state.occupied
        node.state = replace(node.state, info=event.info, occupied=event.occupied)


def draining(board: Board, event: events.NodeDraining) -> None:
    """A node takes no new jobs."""
    node = board.nodes.get(event.node)
    if node is not None and node.life in REACHABLE:
        node.life, node.reason = NodeLife.DRAINING, "about to end"
        board.tell(INFO, "is about to end, and takes no new jobs", node=event.node)


def lost(board: Board, event: events.NodeLost) -> None:
    """A node is gone: its jobs begin to wait, and are placed elsewhere at the end of this event."""
    node = board.nodes.get(event.node)
    if node is None or node.life in (NodeLife.LOST, NodeLife.REFUSED):
        return
    board.vacancy |= node.life is NodeLife.AWAITED  # somebody may be held until it is back
    node.life, node.reason, node.timer, node.orphans = NodeLife.LOST, event.reason, None, []
    board.tell(WARNING, f"lost: {event.reason}", node=event.node)
    for job in board.on_node(event.node):
        lose(board, job, f"lost with node {event.node}")


def expire(board: Board, node: NodeRecord) -> None:
    """Timers of a node: it did not come back after the client did, or its orphans do not end."""
    if node.timer is not None and board.now >= node.timer:
        lost(board, events.NodeLost(node.address, "has not come back"))
    for orphan in node.orphans:
        if board.now >= orphan.timer:
            orphan.timer = board.now + board.policy.exit_grace
            board.send(StopJob(node.address, orphan.job, orphan.incarnation, orphan.run, force=True))


def fence(board: Board, node: NodeRecord, run: str, job: int, incarnation: int) -> None:
    """End a process that nobody needs; its node waits for that."""
    if any((one.run, one.job, one.incarnation) == (run, job, incarnation) for one in node.orphans):
        return
    node.orphans.append(Orphan(run, job, incarnation, board.now + board.policy.exit_grace))
    if node.life is NodeLife.UP:
        node.life = NodeLife.FENCED
    if run == board.run:
        name = board.jobs[job].name if job in board.jobs else f"job {job}"
        board.tell(WARNING, f"ends {name}, start {incarnation}: it is not needed any more", node=node.address)
    else:
        board.tell(INFO, f"ends job {job} of an earlier run", node=node.address)
    board.send(StopJob(node.address, job, incarnation, run))


def unfence(board: Board, node: NodeRecord, run: str, job: int, incarnation: int) -> None:
    """A process has ended that nobody needed."""
    rest = [one for one in node.orphans if (one.run, one.job, one.incarnation) != (run, job, incarnation)]
    node.orphans = rest
    if node.life is NodeLife.FENCED and not rest:
        node.life = NodeLife.UP
        board.vacancy = True
        board.tell(DEBUG, "is free of old jobs", node=node.address)


def _state(board: Board, event: events.NodeJoined) -> NodeState | None:
    """What placement knows of a node; None if NODES has others only. Without any NODES every node will do."""
    entries = [entry for entry in board.network.nodes if not isinstance(entry, LocalNode)]
    if entries:
        return node_state(
            entries,
            event.node,
            event.info,
            slots=event.slots,
            groups=event.groups,
            occupied=event.occupied,
        )
    return NodeState(event.node, event.info, event.name, event.groups, event.slots, event.occupied)


def _measured(board: Board, node: str, tq: Mapping[str, float]) -> None:
    for other, quality in tq.items():
        board.tq[node, other] = quality


def _settle(board: Board, node: NodeRecord, inventory: tuple[Resident, ...]) -> None:
    """Compare what runs on a node with what should."""
    seen = set()
    for line in inventory:
        job = board.jobs.get(line.job) if line.run == board.run else None
        if job is not None and _counts(board, node, job, line):
            seen.add(job.id)
            _take_over(board, node, job, line)
        elif line.alive:
            fence(board, node, line.run, line.job, line.incarnation)
        if job is not None:
            job.incarnation = max(job.incarnation, line.incarnation)
    for job in board.on_node(node.address):
        if job.id not in seen and job.state is not JobState.BACKING_OFF:
            how = (
                "has ended with its client"
                if node.address == LOCAL
                else f"lost: node {node.address} has it no more"
            )
            lose(board, job, how)


def _counts(board: Board, node: NodeRecord, job: JobRecord, line: Resident) -> bool:
    if line.incarnation != job.incarnation:
        return False
    if job.node is not None:
        return job.node == node.address and not (line.alive and job.state is JobState.BACKING_OFF)
    adoptable = line.alive and job.state is JobState.WAITING and board.phase is Phase.RUNNING
    return adoptable and line.life is not Life.FINISHED


def _take_over(board: Board, node: NodeRecord, job: JobRecord, line: Resident) -> None:
    """Believe an inventory about a job that is where it should be."""
    if job.state is JobState.WAITING:
        board.tell(INFO, f"taken back: it still runs on {node.address}", job=job, node=node.address)
        job.node, job.timer, job.numbered = node.address, None, True
        job.machine.fire(JobMove.LISTEN)
    job.told = Told()
    job.stored |= line.stored
    board.touched.add(job.id)
    if line.life is Life.FINISHED:
        finish(board, job)
    elif job.alive or job.state is JobState.STOPPING:
        if line.address:
            listen(board, job, line.address)
        if line.life is Life.RUNNING:
            job.machine.fire(JobMove.READY)
        progress(job, line.round)
    if not line.alive:
        end(board, job, "has ended meanwhile")
    elif job.state in (JobState.STOPPING, JobState.MOVING):
        board.stop_process(job)
