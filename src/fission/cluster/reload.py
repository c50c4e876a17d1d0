"""Hot reload: a job is stopped and started again on its node, with new code, by the same path as a move.

The first incarnation with the new code is on trial until it has completed a round of its own. If it fails before that, the
client goes back to the old code (`ReloadFailed`), and the failure does not count: the job continues as if it had only been moved.
If the node of a job on trial is lost, its next incarnation is on trial.
"""

from collections.abc import Mapping

from fission.cluster.events import ReloadRequested
from fission.cluster.instructions import ReloadFailed
from fission.cluster.state import ClusterState, JobRecord
from fission.cluster.transitions import JobMove, Phase

__all__ = ["on_trial", "passed", "reload", "revert"]


def reload(cluster: ClusterState, event: ReloadRequested) -> None:
    """Restart a job with the code that the client has for it now."""
    job = cluster.jobs.get(event.job)
    if job is None:
        cluster.refuse(event.request, f"there is no job {event.job} to reload")
    elif cluster.phase is not Phase.RUNNING or not job.alive:
        cluster.refuse(
            event.request, f"cannot be reloaded: it is {_STATES.get(job.state.name, 'not running')}", job=job
        )
    elif not cluster.usable(job.node):
        cluster.refuse(event.request, f"cannot be reloaded: {job.node} takes no jobs now", job=job)
    else:
        cluster.accept(event.request, "is restarted with the new code", job=job, node=job.node)
        job.trial = job.incarnation + 1
        job.machine.fire(JobMove.MOVE)
        job.target = job.node
        job.address = ""
        job.timer = cluster.now + cluster.policy.exit_grace
        cluster.stop_process(job)


def on_trial(job: JobRecord) -> bool:
    """Whether the current incarnation has to prove its new code."""
    return job.trial == job.incarnation > 0


def passed(job: JobRecord, round: int) -> None:
    """The incarnation has completed this round: the new code stays if it is a round of its own."""
    if on_trial(job) and round > job.crashes.began:
        job.trial = 0


def revert(cluster: ClusterState, job: JobRecord, text: str) -> None:
    """The incarnation on trial has failed: the old code continues at once."""
    failure = job.failure
    message = failure.message if failure is not None else text
    cluster.out.append(ReloadFailed(job.id, message, "" if failure is None else failure.traceback))
    job.trial = 0
    job.timer = cluster.now


_STATES: Mapping[str, str] = {
    "FINISHED": "finished",
    "WAITING": "waiting for a node",
    "BACKING_OFF": "about to be restarted after a crash",
    "FAILED": "about to be restarted after a failure",
    "MOVING": "being moved",
}
