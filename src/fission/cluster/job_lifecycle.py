"""The life of a job: started, crashed, lost, finished, and what each of these means for its neighbors.

Why a job that has FINISHED is never started again, whatever becomes of its node: it says so only after the
receivers of all its synchronous outputs have said DONE (or are known to have finished). Nobody will ever ask
it for a block again.

And why its receivers are not either: a job says DONE on a synchronous input only when all its own outputs are
worked off. So a job that waits for blocks of a job that has FINISHED has finished too, even if its own report
was lost with its node: it is FINISHED as soon as its process has ended. If a successor of it was started before
that became clear, nobody will ever send it anything; after some time (its predecessor cannot be told from itself
at the sender, and it may just be busy in `teardown`) it is stopped. An asynchronous input says DONE earlier, so
nothing follows from it; a receiver that is started after the sender has finished gets SenderGone.

A failure in `teardown` comes after all of this: such a job has finished, and the network will fail at its end.
"""

from fission.cluster import events
from fission.cluster.instructions import Failure, Outcome, StartJob
from fission.cluster.shutdown import begin_ending
from fission.cluster.state import ClusterState, DeliveredUpdates, JobRecord
from fission.cluster.transitions import JOB_TABLE, JobMove, JobState
from fission.core.groups import LOCAL
from fission.core.levels import ERROR, INFO, WARNING


def start(cluster: ClusterState, job: JobRecord, node: str) -> None:
    """Start the next incarnation of a job on a node."""
    job.machine.fire(JobMove.PLACE)
    job.node = node
    job.incarnation += 1
    job.address = ""
    job.round = job.failing = job.began = 0
    job.timer = None
    job.failure = job.avoid = job.target = None
    job.complained = False
    if job.id in cluster.topology.live and job.numbered:
        _begin_epoch(cluster, job)
    job.numbered = True
    job.delivered = DeliveredUpdates(epoch=job.epoch)
    cluster.touched.add(job.id)
    if job.incarnation > 1:
        cluster.notify(INFO, f"is started on {_name(node)} (start {job.incarnation})", job=job)
    cluster.send(StartJob(node, job.id, job.incarnation, job.incarnation > 1, job.epoch, job.stored))


def _begin_epoch(cluster: ClusterState, job: JobRecord) -> None:
    """The reset_group of a live origin counts from 1 again; those that have no process have numbered nothing yet."""
    cluster.epoch += 1
    reset_group = cluster.topology.reset_group[job.id]
    for origin in reset_group:
        other = cluster.jobs[origin]
        other.epoch = cluster.epoch
        other.numbered = other.alive
        cluster.touched.add(origin)
    for other in cluster.jobs.values():
        if other.id not in cluster.topology.reset_group:
            other.failed_round = other.failed_from = 0  # a number of an older epoch says nothing in this one
    if len(reset_group) > 1:
        names = ", ".join(cluster.jobs[origin].name for origin in sorted(reset_group - {job.id}))
        cluster.notify(INFO, f"begins to count again, and with it {names}: epoch {cluster.epoch}", job=job)


def wait(cluster: ClusterState, job: JobRecord) -> None:
    """A job has become WAITING: it is placed at the end of this event, if it can be; or its time begins (`placing`)."""
    leave(cluster, job)


def leave(cluster: ClusterState, job: JobRecord) -> None:
    """A job gives its slot back."""
    job.node = None
    job.address = ""
    job.timer = None
    cluster.vacancy = True


def listen(cluster: ClusterState, job: JobRecord, address: str) -> None:
    """The process of a job listens: its senders are told where, and it is told what it must know."""
    job.machine.fire(JobMove.LISTEN)
    job.address = address
    job.delivered = DeliveredUpdates(epoch=job.delivered.epoch)
    cluster.touched.add(job.id)


def ready(job: JobRecord, round: int) -> None:
    """Rounds begin: after this one."""
    job.machine.fire(JobMove.READY)
    job.began = round
    progress(job, round)


def progress(job: JobRecord, round: int) -> None:
    """A job has completed rounds; past the one at which it failed, its restarts are forgotten."""
    job.round = max(job.round, round)
    if job.round >= job.failed_round:
        job.restarts = 0


def fail(cluster: ClusterState, job: JobRecord, event: events.JobFailed) -> None:
    """A job says that it cannot go on; its process ends by itself, or is ended in a while."""
    place = f"in round {event.round}" if event.where == "run" else f"in {event.where}"
    failure = Failure(f"job {job.name} failed {place}: {event.message}", event.traceback, job.id)
    if job.state is not JobState.STOPPING:
        text = f"failed {place} on {_name(job.node)}: {event.message}"
        if event.traceback and event.traceback == job.shown:
            text += " (as before)"
        elif event.traceback:
            text += f"\n{event.traceback}".rstrip()
        job.shown = event.traceback
        cluster.notify(ERROR, text, job=job, node=job.node)
    if event.where == "teardown":
        cluster.fault = cluster.fault or failure
        finish(cluster, job)
    elif job.machine.fire(JobMove.FAIL) is JobState.FAILED:
        job.failure = failure
        job.failing = max(event.round, 1)
        job.numbered = event.where not in ("loading", "setup")
        job.address = ""
        job.timer = cluster.now + cluster.policy.exit_grace


def not_started(cluster: ClusterState, job: JobRecord, message: str) -> None:
    """A node could not start the process of a job: count it as a crash, and try another node if there is one."""
    node = job.node
    job.numbered = False
    job.failing = 1
    end(cluster, job, "could not be started", message)
    if job.state is JobState.BACKING_OFF:
        timer = job.timer
        leave(cluster, job)
        job.timer, job.avoid = timer, node


def end(cluster: ClusterState, job: JobRecord, how: str, why: str = "") -> None:
    """The process of a job has ended; `how` and `why` are said if it has not given a reason. A crash, if it should work still."""
    before = job.state
    if (before, JobMove.CRASH) not in JOB_TABLE:
        return  # told twice
    if processed_by_sender(cluster, job):
        finish(cluster, job)
    after = job.machine.fire(JobMove.CRASH)
    if after is JobState.WAITING:  # it moves
        wait(cluster, job)
        return
    if after is not JobState.BACKING_OFF:
        leave(cluster, job)
        return
    text = ""
    if before is not JobState.FAILED:
        text = f"{how} on {_name(job.node)}{': ' if why else ''}{why}"
        job.failure = Failure(f"job {job.name} {text}", job=job.id)
    job.address = ""
    _count(cluster, job, text)


def lose(cluster: ClusterState, job: JobRecord, how: str) -> None:
    """The node of a job is gone, or has no such process: what ran there counts as dead. No fault of the job's."""
    if processed_by_sender(cluster, job):
        finish(cluster, job)
    before, timer, node = job.state, job.timer, job.node
    after = job.machine.fire(JobMove.LOSE)
    if after is JobState.WAITING:
        wait(cluster, job)
        cluster.notify(WARNING, how, job=job, node=node)
        return
    leave(cluster, job)
    if before is JobState.FAILED:
        _count(cluster, job)
    elif after is JobState.BACKING_OFF:
        job.timer = timer


def processed_by_sender(cluster: ClusterState, job: JobRecord) -> bool:
    """Whether a job must have finished, because a job that it waits for says that it has."""
    return any(cluster.finished(sender) for sender in cluster.topology.senders(job.id))


def finish(cluster: ClusterState, job: JobRecord) -> None:
    """A job has finished, by its own word or by that of its sender."""
    if job.state is JobState.FINISHED:
        return
    processless = job.state in (JobState.WAITING, JobState.BACKING_OFF)
    job.machine.fire(JobMove.FINISH)
    if processless:
        leave(cluster, job)
    else:
        job.timer = cluster.now + cluster.policy.exit_grace
    job.address = ""
    cluster.touched.add(job.id)
    cluster.notify(INFO, "finished", job=job, node=job.node)
    for receiver in cluster.topology.receivers(job.id):
        other = cluster.jobs[receiver]
        if other.state in (JobState.WAITING, JobState.BACKING_OFF):
            finish(cluster, other)
        elif other.alive and other.incarnation > 1:
            other.timer = cluster.now + cluster.policy.surplus_grace


def expire(cluster: ClusterState, job: JobRecord) -> None:
    """The timer of a job has run out."""
    job.timer = None
    match job.state:
        case JobState.BACKING_OFF:
            if job.node is not None and cluster.usable(job.node) and not cluster.held(job):
                start(cluster, job, job.node)
            else:
                job.machine.fire(JobMove.NO_NODE)
                wait(cluster, job)
        case JobState.WAITING:
            cluster.notify(ERROR, "no node came in time", job=job)
            message = f"job {job.name} has waited {cluster.policy.allocation_timeout:g} s for a node"
            begin_ending(cluster, Outcome.FAILED, 1, Failure(message, job=job.id))
        case JobState.FAILED | JobState.FINISHED | JobState.MOVING:
            cluster.stop_process(job, force=True)
            job.timer = cluster.now + cluster.policy.exit_grace
        case _:  # at work, although its sender has finished
            cluster.stop_process(job)
            finish(cluster, job)


def exit_reason(code: int) -> str:
    """Say what an exit code means; it follows the name of the job."""
    if code >= 0:
        return f"ended by itself with exit code {code}"
    return f"was killed by {_SIGNALS.get(-code, f'signal {-code}')}"


_SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
}
"""The usual ones, as Linux numbers them."""


def _name(node: str | None) -> str:
    """What people call a node."""
    return "the client" if node == LOCAL else node or "no node"


def _count(cluster: ClusterState, job: JobRecord, how: str = "") -> None:
    """Count a crash; start again in a moment, unless that has been tried often enough. `how` it has ended is not said yet.

    A job that fails says at which round. One that just ends does not, and its last report may be old: where it began
    this time tells whether anything was gained by the last restart.
    """
    failed, policy = job.failing or job.round + 1, cluster.policy
    killed = not job.failing
    live = job.id in cluster.topology.live
    # A live origin counts from 1 again each time: for it another round is progress, but not to fail at once.
    farther = (failed > 1 and failed != job.failed_round) if live else failed > job.failed_round
    if killed:
        farther |= job.began > job.failed_from
        job.failed_from = max(job.failed_from, job.began)  # it may have died before it had begun
    if farther:
        job.restarts = 0
    # One that ends at once says nothing of how far the others came.
    job.failed_round = failed if failed > 1 else max(job.failed_round, failed)
    at = _at(job, failed)
    if job.restarts >= policy.max_restarts:
        given_up = f"given up after {job.restarts} restarts{at}"
        cluster.notify(ERROR, f"{how}; {given_up}" if how else given_up, job=job)
        begin_ending(cluster, Outcome.FAILED, 1, job.failure)
        return
    delay = policy.back_off[min(job.restarts, len(policy.back_off) - 1)]
    job.restarts += 1
    job.timer = cluster.now + delay
    restart = f"restart {job.restarts} of {policy.max_restarts}{at}"
    if killed and farther and failed > 1:
        restart = f"starts again{at}"  # no attempt at something that fails: it had got on
    restart += f" in {delay:g} s" if delay else ""
    cluster.notify(ERROR if how else WARNING, f"{how}; {restart}" if how else restart, job=job)


def _at(job: JobRecord, failed: int) -> str:
    """Where it failed, for people; nothing where it had not come as far as its rounds."""
    if failed == 1 and not (job.failing and job.numbered):
        return ""
    return f" at round {failed}" if job.failing else f" after round {failed - 1}"
