"""Planned moves: a job is told to end and is started elsewhere, by the same path as after the loss of its node.

Nothing is lost on that path, so a move needs no protocol of its own. A job moves only when a node is known that takes
it; until its process has ended it keeps its slot.
"""

from fission.cluster.board import DRAINED, INFO, WARNING, Board, JobRecord
from fission.cluster.events import DrainRequested, MoveRequested, RebalanceRequested
from fission.cluster.placing import possible
from fission.cluster.states import JOB_TABLE, REACHABLE, JobMove, NodeLife, Phase
from fission.core.groups import LOCAL
from fission.errors import JobDefinitionError
from fission.placement import refusals


def wish(board: Board, event: MoveRequested | DrainRequested | RebalanceRequested) -> None:
    """Do what somebody wants to be moved; a `preference` that raises is told."""
    try:
        match event:
            case MoveRequested():
                move(board, event.job, event.node)
            case DrainRequested(undo=True):
                undo_drain(board, event.node)
            case DrainRequested():
                drain(board, event.node)
            case RebalanceRequested():
                rebalance(board)
    except JobDefinitionError as error:
        board.tell(WARNING, f"nothing is moved: {error}")


def move(board: Board, id: int, target: str = "") -> None:
    """Move a job to a node, or to the best one that is not its own; say why not if it cannot be."""
    job = board.jobs.get(id)
    if job is None:
        board.tell(WARNING, f"there is no job {id} to move")
    elif not _movable(board, job):
        why = "it belongs to the client" if job.node == LOCAL else "it does not run on a node now"
        board.tell(WARNING, f"cannot move: {why}", job=job)
    elif target == job.node:
        board.tell(INFO, f"is on {target} already", job=job)
    elif target and target not in board.nodes:
        known = ", ".join(address for address in board.nodes if address != LOCAL) or "none"
        board.tell(WARNING, f"cannot move to {target}: no such node has joined; there are {known}", job=job)
    else:
        others = {target} if target else board.nodes.keys() - {str(job.node)}
        (decision,) = (one for one in possible(board, [job], others) if one.job == id)
        if decision.node is None:
            board.tell(WARNING, f"cannot move: {refusals(decision.reasons)}", job=job)
        else:
            _send_off(board, job, decision.node)


def undo_drain(board: Board, address: str) -> None:
    """Let a drained node take jobs again, unless there is another reason why it takes none."""
    node = board.nodes.get(address)
    if address not in board.drained:
        board.tell(WARNING, f"{address} is not drained")
        return
    board.drained.remove(address)
    if node is None or node.life not in REACHABLE:
        board.tell(INFO, f"{address} takes jobs again once it is back")
    elif node.life is NodeLife.DRAINING and node.reason != DRAINED:
        board.tell(WARNING, f"still takes no jobs: {node.reason}", node=address)
    else:
        node.life, node.reason = (NodeLife.FENCED if node.orphans else NodeLife.UP), ""
        board.vacancy = True
        board.tell(INFO, "takes jobs again", node=address)


def drain(board: Board, address: str) -> None:
    """Move all jobs away from a node that takes no new ones from now on."""
    node = board.nodes.get(address)
    if node is None or address == LOCAL or node.life not in REACHABLE:
        board.tell(WARNING, f"no node {address} is there to drain")
        return
    board.drained.add(address)
    if node.life is not NodeLife.DRAINING:
        node.life, node.reason = NodeLife.DRAINING, DRAINED
    board.tell(INFO, "takes no new jobs", node=address)
    leaving = [job for job in board.on_node(address) if _movable(board, job)]
    where = possible(board, leaving).nodes
    for job in leaving:
        if job.id in where:
            _send_off(board, job, where[job.id])
        else:
            board.tell(WARNING, f"stays on {address}: no other node takes it", job=job)


def rebalance(board: Board) -> None:
    """Move the jobs to where they would be placed if the network were started now."""
    jobs = [job for job in board.jobs.values() if _movable(board, job)]
    where = possible(board, jobs).nodes
    moves = [job for job in jobs if where.get(job.id, job.node) != job.node]
    for job in moves:
        _send_off(board, job, where[job.id])
    if not moves:
        board.tell(INFO, "every job is where it would be placed now")


def _movable(board: Board, job: JobRecord) -> bool:
    return (
        board.phase is Phase.RUNNING
        and (job.state, JobMove.MOVE) in JOB_TABLE
        and job.node not in (None, LOCAL)
        and board.reachable(job.node)
    )


def _send_off(board: Board, job: JobRecord, target: str) -> None:
    job.machine.fire(JobMove.MOVE)
    job.target = target
    job.address = ""
    job.timer = board.now + board.policy.exit_grace
    board.tell(INFO, f"moves from {job.node} to {target}", job=job, node=job.node)
    board.stop_process(job)
