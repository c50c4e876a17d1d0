"""The state of the coordinator as plain data, and back.

Times are not stored: the next client has another clock. Nothing is stored of what processes have been told: they are
told again. Nodes are stored by address; the rest they say themselves when they join.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fission.cluster.board import Board, Ending, JobRecord, NodeRecord, machine
from fission.cluster.instructions import Failure, Outcome
from fission.cluster.states import REACHABLE, JobState, NodeLife, Phase
from fission.core.groups import LOCAL
from fission.errors import RunError

FORMAT = 2

_PLAIN = (
    "node",
    "incarnation",
    "address",
    "round",
    "restarts",
    "failed_round",
    "failing",
    "began",
    "failed_from",
    "epoch",
    "numbered",
    "stored",
    "avoid",
    "target",
)


def save(board: Board) -> dict[str, Any]:
    """Write down what must outlive the client."""
    ending = board.ending
    return {
        "format": FORMAT,
        "run": board.run,
        "phase": board.phase.name,
        "epoch": board.epoch,
        "fault": _plain(board.fault),
        "ending": ending
        and {
            "outcome": str(ending.outcome),
            "exit_code": ending.exit_code,
            "failure": _plain(ending.failure),
        },
        "nodes": [
            node.address
            for node in board.nodes.values()
            if node.life in REACHABLE or node.life is NodeLife.AWAITED
        ],
        "drained": sorted(board.drained),
        "jobs": [_job(job) for job in board.jobs.values()],
    }


def restore(board: Board, snapshot: Mapping[str, Any], now: float) -> None:
    """Fill a fresh board from a snapshot: nodes are awaited, timers start anew."""
    jobs = snapshot.get("jobs", ())
    names = [job.name for job in board.jobs.values()]
    stored = [job.get("name") for job in jobs]
    if snapshot.get("format") != FORMAT or stored != names:
        raise RunError(
            "the stored state does not belong to this network",
            where=f"network {board.network.name}",
            expected=f"format {FORMAT} and jobs {', '.join(names)}",
            found=f"format {snapshot.get('format')} and jobs {', '.join(map(str, stored))}",
            hint="Start with --fresh if config.py was changed",
        )
    board.now = now
    board.epoch = snapshot["epoch"]
    board.phase = Phase[snapshot["phase"]]
    board.fault = _failure(snapshot["fault"])
    if board.phase is Phase.STARTING:
        board.start_timer = now + board.policy.fence_grace
    for address in dict.fromkeys([LOCAL, *snapshot["nodes"]]):
        board.nodes[address] = NodeRecord(address, NodeLife.AWAITED, timer=now + board.policy.return_grace)
    board.nodes[LOCAL].timer = None  # the client is sure to join, but may have to wait for a node before that
    board.drained = set(snapshot.get("drained", ()))
    for plain in jobs:
        _restore_job(board, board.jobs[plain["id"]], plain)
    ending = snapshot["ending"]
    if ending is not None:
        timer = now + board.policy.return_grace
        outcome = Outcome(ending["outcome"])
        board.ending = Ending(outcome, ending["exit_code"], _failure(ending["failure"]), timer)
    board.vacancy = True


def _restore_job(board: Board, job: JobRecord, plain: Mapping[str, Any]) -> None:
    job.machine = machine(job.name, JobState[plain["state"]])
    job.failure = _failure(plain["failure"])
    for name in _PLAIN:
        setattr(job, name, plain[name])
    match job.state:
        case JobState.BACKING_OFF:
            job.timer = board.now
        case JobState.FAILED | JobState.FINISHED | JobState.MOVING if job.node is not None:
            job.timer = board.now + board.policy.return_grace
        case JobState.PLACED | JobState.STARTING | JobState.RUNNING if plain["surplus"]:
            job.timer = board.now + board.policy.surplus_grace


def _job(job: JobRecord) -> dict[str, Any]:
    known = {
        "id": job.id,
        "name": job.name,
        "state": job.state.name,
        "surplus": job.alive and job.timer is not None,
        "failure": _plain(job.failure),
    }
    return known | {name: getattr(job, name) for name in _PLAIN}


def _plain(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else asdict(failure)


def _failure(plain: Mapping[str, Any] | None) -> Failure | None:
    return None if plain is None else Failure(**plain)
