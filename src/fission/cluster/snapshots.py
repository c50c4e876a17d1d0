"""The state of the coordinator as plain data, and back.

Times are not stored: the next client has another clock. Nothing is stored of what processes have been told: they are
told again. Nodes are stored by address; the rest they say themselves when they join.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fission.cluster.instructions import Failure, Outcome
from fission.cluster.state import ClusterState, Ending, JobRecord, NodeRecord, machine
from fission.cluster.transitions import REACHABLE, JobState, NodeStatus, Phase
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


def save(cluster: ClusterState) -> dict[str, Any]:
    """Write down what must outlive the client."""
    ending = cluster.ending
    return {
        "format": FORMAT,
        "run": cluster.run,
        "phase": cluster.phase.name,
        "epoch": cluster.epoch,
        "fault": _plain(cluster.fault),
        "ending": ending
        and {
            "outcome": str(ending.outcome),
            "exit_code": ending.exit_code,
            "failure": _plain(ending.failure),
        },
        "nodes": [
            node.address
            for node in cluster.nodes.values()
            if node.status in REACHABLE or node.status is NodeStatus.AWAITED
        ],
        "drained": sorted(cluster.drained),
        "jobs": [_job(job) for job in cluster.jobs.values()],
    }


def restore(cluster: ClusterState, snapshot: Mapping[str, Any], now: float) -> None:
    """Fill a fresh cluster from a snapshot: nodes are awaited, timers start anew."""
    jobs = snapshot.get("jobs", ())
    names = [job.name for job in cluster.jobs.values()]
    stored = [job.get("name") for job in jobs]
    if snapshot.get("format") != FORMAT or stored != names:
        raise RunError(
            "the stored state does not belong to this network",
            where=f"network {cluster.network.name}",
            expected=f"format {FORMAT} and jobs {', '.join(names)}",
            found=f"format {snapshot.get('format')} and jobs {', '.join(map(str, stored))}",
            hint="Start with --fresh if config.py was changed",
        )
    cluster.now = now
    cluster.epoch = snapshot["epoch"]
    cluster.phase = Phase[snapshot["phase"]]
    cluster.fault = _failure(snapshot["fault"])
    if cluster.phase is Phase.STARTING:
        cluster.start_timer = now + cluster.policy.fence_grace
    for address in dict.fromkeys([LOCAL, *snapshot["nodes"]]):
        cluster.nodes[address] = NodeRecord(
            address, NodeStatus.AWAITED, timer=now + cluster.policy.return_grace
        )
    cluster.nodes[
        LOCAL
    ].timer = None  # the client is sure to join, but may have to wait for a node before that
    cluster.drained = set(snapshot.get("drained", ()))
    for plain in jobs:
        _restore_job(cluster, cluster.jobs[plain["id"]], plain)
    ending = snapshot["ending"]
    if ending is not None:
        timer = now + cluster.policy.return_grace
        outcome = Outcome(ending["outcome"])
        cluster.ending = Ending(outcome, ending["exit_code"], _failure(ending["failure"]), timer)
    cluster.vacancy = True


def _restore_job(cluster: ClusterState, job: JobRecord, plain: Mapping[str, Any]) -> None:
    job.machine = machine(job.name, JobState[plain["state"]])
    job.failure = _failure(plain["failure"])
    for name in _PLAIN:
        setattr(job, name, plain[name])
    match job.state:
        case JobState.BACKING_OFF:
            job.timer = cluster.now
        case JobState.FAILED | JobState.FINISHED | JobState.MOVING if job.node is not None:
            job.timer = cluster.now + cluster.policy.return_grace
        case JobState.PLACED | JobState.STARTING | JobState.RUNNING if plain["surplus"]:
            job.timer = cluster.now + cluster.policy.surplus_grace


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
