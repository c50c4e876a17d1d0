"""How a network ends: all processes are stopped, awaited, killed, and at last no longer awaited.

The network has ended when no reachable process is left. Processes on lost nodes are ended by their node service, which has
no client (its orphan timeout), or by the next client.
"""

from fission.cluster.instructions import EndNetwork, Failure, Outcome, StopJob
from fission.cluster.state import ClusterState, Ending, JobRecord
from fission.cluster.transitions import JobMove, JobState, Phase
from fission.core.levels import WARNING


def begin_ending(
    cluster: ClusterState, outcome: Outcome, exit_code: int, failure: Failure | None = None
) -> None:
    """Stop all jobs; the first reason for ending counts."""
    if cluster.ending is not None:
        return
    cluster.phase = Phase.ENDING
    cluster.start_timer = None
    cluster.ending = Ending(outcome, exit_code, failure, cluster.now + cluster.policy.exit_grace)
    for job in cluster.jobs.values():
        job.timer = None
        after = job.machine.fire(JobMove.STOP)
        if after is JobState.STOPPED or not cluster.reachable(job.node):
            if after is JobState.STOPPING:
                job.machine.fire(JobMove.LOSE)
            job.node = None
            job.address = ""
        elif after is JobState.STOPPING:
            cluster.stop_process(job)


def force(cluster: ClusterState) -> None:
    """Kill the processes that are left, and do not wait for long."""
    ending = cluster.ending
    if ending is None or ending.forced:
        return
    ending.forced = True
    ending.timer = cluster.now + cluster.policy.force_grace
    for job in _left(cluster):
        cluster.stop_process(job, force=True)
    for node in cluster.nodes.values():
        for orphan in node.orphans:
            cluster.send(StopJob(node.address, orphan.job, orphan.incarnation, orphan.run, force=True))


def advance_ending(cluster: ClusterState) -> None:
    """End the network when no process is left, or when the time is over."""
    ending = cluster.ending
    if ending is None or cluster.phase is Phase.ENDED:
        return
    left = _left(cluster)
    orphans = sum(len(node.orphans) for node in cluster.nodes.values())
    if left or orphans:
        if cluster.now < ending.timer:
            return
        if not ending.forced:
            force(cluster)
            return
        names = ", ".join(f"{job.name} on {job.node}" for job in left) or f"{orphans} of an earlier run"
        cluster.notify(WARNING, f"processes that could not be ended: {names}")
    cluster.phase = Phase.ENDED
    cluster.out.append(EndNetwork(ending.outcome, ending.exit_code, ending.failure))


def _left(cluster: ClusterState) -> list[JobRecord]:
    return [job for job in cluster.jobs.values() if job.node is not None]
