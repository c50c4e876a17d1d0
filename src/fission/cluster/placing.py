"""Which job goes where: asks `fission.placement`, and remembers who found no node."""

from collections.abc import Collection
from dataclasses import replace

from fission.cluster.board import WARNING, Board, JobRecord
from fission.cluster.ending import begin_ending
from fission.cluster.instructions import Failure, Outcome, Placed
from fission.cluster.lives import start
from fission.cluster.states import JobState, NodeLife, Phase
from fission.errors import JobDefinitionError, UserError
from fission.placement import Links, NodeState, Placement, place, propose, refusals


def start_network(board: Board) -> None:
    """Place all jobs and start them, once no node is busy with ending jobs of an earlier run; or start nothing."""
    busy = any(node.life in (NodeLife.FENCED, NodeLife.AWAITED) for node in board.nodes.values())
    if busy and board.start_timer is not None and board.now < board.start_timer:
        return
    try:
        placement = place(board.network, nodes_now(board), _links(board))
    except UserError as error:
        begin_ending(board, Outcome.FAILED, error.exit_code, Failure(str(error)))
        return
    board.phase = Phase.RUNNING
    board.start_timer = None
    board.out.append(Placed(placement))
    for job, node in placement.nodes.items():
        start(board, board.jobs[job], node)


def place_waiting(board: Board) -> None:
    """Start the jobs that wait and for which there is a node now; say once why not for the others, whose time begins.

    The time of those that are held begins when they are not held any more: until then no node could come for them.
    """
    waiting = [job for job in board.jobs.values() if job.state is JobState.WAITING and not board.held(job)]
    for job in waiting:
        if job.target is not None:
            _place(board, [job], among={job.target})
        if job.avoid is not None and job.state is JobState.WAITING:
            _place(board, [job], among={node.address for node in nodes_now(board)} - {job.avoid})
    waiting = [job for job in waiting if job.state is JobState.WAITING]
    if waiting:
        _place(board, waiting)
    timeout = board.policy.allocation_timeout
    for job in waiting:
        if job.state is JobState.WAITING and job.timer is None and timeout is not None:
            job.timer = board.now + timeout


def possible(board: Board, jobs: list[JobRecord], among: Collection[str] | None = None) -> Placement:
    """Where jobs could go now that leave their nodes for it; all others stay where they are."""
    nodes = [node for node in nodes_now(board) if among is None or node.address in among]
    leaving = {job.id for job in jobs}
    fixed = {
        job.id: job.node for job in board.jobs.values() if job.node is not None and job.id not in leaving
    }
    return propose(board.network, nodes, _links(board), fixed=fixed, only=leaving)


def _place(board: Board, jobs: list[JobRecord], *, among: Collection[str] | None = None) -> None:
    """Start those that can be placed; a `preference` that raises does not keep the others from it."""
    nodes = [node for node in nodes_now(board) if among is None or node.address in among]
    fixed = {job.id: job.node for job in board.jobs.values() if job.node is not None}
    only = {job.id for job in jobs}
    try:
        placement = propose(board.network, nodes, _links(board), fixed=fixed, only=only)
    except JobDefinitionError as error:
        if len(jobs) == 1:
            _complain(board, jobs[0], str(error))
            return
        for job in jobs:
            _place(board, [job], among=among)
        return
    for decision in placement:
        if decision.job not in only:
            continue
        if board.usable(decision.node):
            start(board, board.jobs[decision.job], str(decision.node))
        elif among is None:
            why = refusals(decision.reasons) if decision.node is None else "the client has not joined yet"
            _complain(board, board.jobs[decision.job], why)


def _complain(board: Board, job: JobRecord, why: str) -> None:
    if not job.complained:
        job.complained = True
        board.tell(WARNING, f"waits for a node: {why}", job=job)


def _links(board: Board) -> Links:
    return Links(board.tq, board.client)


def nodes_now(board: Board) -> list[NodeState]:
    """All nodes that were ever seen; only those that are UP can take jobs."""
    return [
        replace(node.state, active=node.life is NodeLife.UP)
        for node in board.nodes.values()
        if node.state is not None and node.life is not NodeLife.REFUSED
    ]
