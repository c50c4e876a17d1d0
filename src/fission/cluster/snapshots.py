"""The state of the coordinator as plain data, and back.

Times are not stored: the next client has another clock. What processes have received is not stored: it is sent again. Nodes
are stored by address; they report the rest when they join.
"""

from collections.abc import Mapping
from dataclasses import asdict
from types import UnionType
from typing import Any

from fission.cluster.faults.crash_counter import CrashCounter
from fission.cluster.instructions import Failure, Outcome
from fission.cluster.state import ClusterState, Ending, JobRecord, NodeRecord, machine
from fission.cluster.transitions import REACHABLE, JobState, NodeStatus, Phase
from fission.core.groups import LOCAL
from fission.errors import RunError

FORMAT = 4

_PLAIN: dict[str, type | UnionType] = {
    "node": str | None,
    "incarnation": int,
    "address": str,
    "epoch": int,
    "numbered": bool,
    "stored": bool,
    "avoid": str | None,
    "target": str | None,
    "unheard": list,
}
"""The plain fields of a job, with their types."""


def save(cluster: ClusterState) -> dict[str, Any]:
    """Return what must outlive the client."""
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
    names = [job.name for job in cluster.jobs.values()]
    stored = _names(snapshot.get("jobs"))
    if snapshot.get("format") != FORMAT or stored != names:
        raise RunError(
            "the stored state does not belong to this network",
            where=f"network {cluster.network.name}",
            expected=f"format {FORMAT} and jobs {', '.join(names)}",
            found=f"format {snapshot.get('format')} and jobs {', '.join(stored)}",
            hint="Start with --fresh if config.py was changed",
        )
    try:
        _fill(cluster, snapshot, now)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(
            "the stored state has values that no client writes",
            where=f"network {cluster.network.name}",
            found=f"{type(error).__name__}: {error}",
            hint="Start with --fresh, which forgets it",
        ) from error


def _fill(cluster: ClusterState, snapshot: Mapping[str, Any], now: float) -> None:
    cluster.now = now
    cluster.epoch = _typed(snapshot, "epoch", int)
    cluster.phase = Phase[snapshot["phase"]]
    cluster.fault = _failure(snapshot["fault"])
    if cluster.phase is Phase.STARTING:
        cluster.start_timer = now + cluster.policy.fence_grace
    for address in dict.fromkeys([LOCAL, *map(str, _typed(snapshot, "nodes", list))]):
        timer = now + cluster.policy.return_grace
        cluster.nodes[address] = NodeRecord(address, NodeStatus.AWAITED, timer=timer)
    cluster.nodes[LOCAL].timer = None  # the client always joins, but may have to wait for a node before that
    cluster.drained = set(map(str, _typed(snapshot, "drained", list)))
    for plain in snapshot["jobs"]:
        _restore_job(cluster, cluster.jobs[plain["id"]], plain)
    ending = snapshot["ending"]
    if ending is not None:
        timer = now + cluster.policy.return_grace
        outcome, code = Outcome(ending["outcome"]), _typed(ending, "exit_code", int)
        cluster.ending = Ending(outcome, code, _failure(ending["failure"]), timer)
    cluster.vacancy = True


def _typed(plain: Mapping[str, Any], name: str, kind: type | UnionType) -> Any:
    """Return a value of the type. Raises KeyError, TypeError."""
    value = plain[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name!r} is {value!r:.60}")
    return value


def _restore_job(cluster: ClusterState, job: JobRecord, plain: Mapping[str, Any]) -> None:
    job.machine = machine(job.name, JobState[plain["state"]])
    job.failure = _failure(plain["failure"])
    job.crashes = _crashes(plain["crashes"])
    for name, kind in _PLAIN.items():
        setattr(job, name, _typed(plain, name, kind))
    match job.state:
        case JobState.BACKING_OFF:
            job.timer = cluster.now
        case JobState.FAILED | JobState.FINISHED | JobState.MOVING if job.node is not None:
            job.timer = cluster.now + cluster.policy.return_grace
        case JobState.PLACED | JobState.STARTING | JobState.RUNNING if plain["surplus"]:
            job.timer = cluster.now + cluster.policy.surplus_grace


def _names(jobs: Any) -> list[str]:
    """The names of stored jobs; something that is no list of jobs has none."""
    if not isinstance(jobs, list):
        return []
    return [str(job.get("name")) for job in jobs if isinstance(job, dict)]


def _crashes(plain: Mapping[str, Any]) -> CrashCounter:
    return CrashCounter(**{name: _typed(plain, name, int) for name in asdict(CrashCounter())})


def _job(job: JobRecord) -> dict[str, Any]:
    known = {
        "id": job.id,
        "name": job.name,
        "state": job.state.name,
        "surplus": job.alive and job.timer is not None,
        "crashes": asdict(job.crashes),
        "failure": _plain(job.failure),
    }
    return known | {name: getattr(job, name) for name in _PLAIN}


def _plain(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else asdict(failure)


def _failure(plain: Mapping[str, Any] | None) -> Failure | None:
    if plain is None:
        return None
    job = _typed(plain, "job", int | None)
    return Failure(_typed(plain, "message", str), _typed(plain, "traceback", str), job)
