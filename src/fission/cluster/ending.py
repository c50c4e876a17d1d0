"""How a network ends: everything is told to stop, waited for, ended by force, and at last not waited for any more.

The client says that it is over when no process is left that it can reach. Processes on lost nodes are ended by
their node service, which has no client (its orphan timeout), or by the next client.
"""

from fission.cluster.board import WARNING, Board, Ending, JobRecord
from fission.cluster.instructions import EndNetwork, Failure, Outcome, StopJob
from fission.cluster.states import JobMove, JobState, Phase


def begin_ending(board: Board, outcome: Outcome, exit_code: int, failure: Failure | None = None) -> None:
    """Stop what runs; the first reason for ending is the one that counts."""
    if board.ending is not None:
        return
    board.phase = Phase.ENDING
    board.start_timer = None
    board.ending = Ending(outcome, exit_code, failure, board.now + board.policy.exit_grace)
    for job in board.jobs.values():
        job.timer = None
        after = job.machine.fire(JobMove.STOP)
        if after is JobState.STOPPED or not board.reachable(job.node):
            if after is JobState.STOPPING:
                job.machine.fire(JobMove.LOSE)
            job.node = None
            job.address = ""
        elif after is JobState.STOPPING:
            board.stop_process(job)


def force(board: Board) -> None:
    """End by force whatever is left, and do not wait for long."""
    ending = board.ending
    if ending is None or ending.forced:
        return
    ending.forced = True
    ending.timer = board.now + board.policy.force_grace
    for job in _left(board):
        board.stop_process(job, force=True)
    for node in board.nodes.values():
        for orphan in node.orphans:
            board.send(StopJob(node.address, orphan.job, orphan.incarnation, orphan.run, force=True))


def go_on_ending(board: Board) -> None:
    """End the network when nothing is left, or when the time is over."""
    ending = board.ending
    if ending is None or board.phase is Phase.ENDED:
        return
    left = _left(board)
    orphans = sum(len(node.orphans) for node in board.nodes.values())
    if left or orphans:
        if board.now < ending.timer:
            return
        if not ending.forced:
            force(board)
            return
        names = ", ".join(f"{job.name} on {job.node}" for job in left) or f"{orphans} of an earlier run"
        board.tell(WARNING, f"processes that could not be ended: {names}")
    board.phase = Phase.ENDED
    board.out.append(EndNetwork(ending.outcome, ending.exit_code, ending.failure))


def _left(board: Board) -> list[JobRecord]:
    return [job for job in board.jobs.values() if job.node is not None]
