"""What the processes of the jobs must know of each other, and have not been told yet.

A process is told once it listens (before that nobody would hear it). For every pipe between two such processes the
sender knows the current address of the receiver; a sender whose receiver has finished knows that; so does a receiver
whose input is asynchronous and whose sender has finished; and an origin knows its epoch.
"""

from fission.cluster.board import Board, JobRecord
from fission.cluster.instructions import BeginEpoch, ReceiverGone, SenderGone, SendRoute
from fission.cluster.wiring import Pipe


def tell_neighbors(board: Board) -> None:
    """Bring the processes around all touched jobs up to date."""
    pipes: dict[int, Pipe] = {}
    for id in sorted(board.touched):
        _tell_epoch(board, board.jobs[id])
        pipes |= {pipe.id: pipe for pipe in (*board.wiring.into[id], *board.wiring.out_of[id])}
    board.touched.clear()
    for pipe in pipes.values():
        sender, receiver = board.jobs[pipe.source], board.jobs[pipe.destination]
        _tell_sender(board, pipe, sender, receiver)
        _tell_receiver(board, pipe, sender, receiver)


def _tell_epoch(board: Board, job: JobRecord) -> None:
    if (
        job.listening
        and job.node is not None
        and job.id in board.wiring.company
        and job.told.epoch < job.epoch
    ):
        job.told.epoch = job.epoch
        board.send(BeginEpoch(job.node, job.id, job.incarnation, job.epoch))


def _tell_sender(board: Board, pipe: Pipe, sender: JobRecord, receiver: JobRecord) -> None:
    told = sender.told
    if not sender.listening or sender.node is None:
        return
    if board.finished(receiver.id):
        if pipe.id not in told.receivers_gone:
            told.receivers_gone.add(pipe.id)
            board.send(ReceiverGone(sender.node, sender.id, sender.incarnation, pipe.id))
    elif receiver.listening and told.routes.get(pipe.id) != receiver.address:
        told.routes[pipe.id] = receiver.address
        board.send(SendRoute(sender.node, sender.id, sender.incarnation, pipe.id, receiver.address))


def _tell_receiver(board: Board, pipe: Pipe, sender: JobRecord, receiver: JobRecord) -> None:
    told = receiver.told
    if pipe.waited or receiver.node is None or not (receiver.listening and board.finished(sender.id)):
        return
    if pipe.id not in told.senders_gone:
        told.senders_gone.add(pipe.id)
        board.send(SenderGone(receiver.node, receiver.id, receiver.incarnation, pipe.id))
