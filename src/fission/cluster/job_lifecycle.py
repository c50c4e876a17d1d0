"""The lifecycle of a job: started, crashed, lost, finished, and what each of these means for its neighbors.

Why a job that has FINISHED is never started again, whatever happens to its node: it reports that only after the receivers
of all its synchronous outputs have sent DONE (or are known to have finished). No receiver will ever need a block of it again.

And why its receivers are not either: a job sends DONE on a synchronous input only when all its own outputs are processed. So
a job that waits for blocks of a job that has FINISHED has finished too, even if its own report was lost with its node: it is
FINISHED as soon as its process has ended. If a successor of it was started before that became clear, it will never receive
a block; after some time (its sender cannot distinguish it from its predecessor, and it may just be busy in `teardown`) it
is stopped. An asynchronous input sends DONE earlier, so nothing follows from it; a receiver that is started after the sender
has finished gets SenderGone.

A failure in `teardown` comes after all of this: such a job has finished, and the network will fail at its end.
"""

from fission.cluster import events
from fission.cluster.instructions import Failure, Outcome, StartJob
from fission.cluster.reload import on_trial, passed, revert
from fission.cluster.shutdown import begin_ending
from fission.cluster.state import ClusterState, DeliveredUpdates, JobRecord
from fission.cluster.transitions import JOB_TABLE, JobMove, JobState
from fission.core.groups import LOCAL
from fission.core.levels import ERROR, INFO, WARNING

_MOST_UNHEARD = 16
"""Incarnations of a job that are remembered because they were lost with their nodes."""


def start(cluster: ClusterState, job: JobRecord, node: str) -> None:
    """Start the next incarnation of a job on a node."""
    job.machine.fire(JobMove.PLACE)
    job.node = node
    job.incarnation += 1
    job.address = ""
    job.crashes = job.crashes.started()
    job.timer = None
    job.failure = job.avoid = job.target = None
    job.wait_reported = False
    if job.id in cluster.topology.live and job.numbered:
        _begin_epoch(cluster, job)
    job.numbered = True
    job.delivered = DeliveredUpdates(epoch=job.epoch)
    cluster.forget_silence(job)
    cluster.touched.add(job.id)
    if job.incarnation > 1:
        cluster.notify(INFO, f"is started on {_name(node)} (start {job.incarnation})", job=job)
    cluster.started.append(job.id)


def emit_starts(cluster: ClusterState) -> None:
    """Send StartJob for the jobs that this event has started, with their senders: those may have been started after them."""
    for id in cluster.started:
        job = cluster.jobs[id]
        if job.state is JobState.PLACED and job.node is not None:  # else it was stopped in the same event
            pipes = cluster.topology.into[id]
            senders = {pipe.id: cluster.jobs[pipe.source].incarnation for pipe in pipes}
            resume = job.incarnation > 1
            cluster.send(StartJob(job.node, id, job.incarnation, resume, job.epoch, job.stored, senders))
    cluster.started.clear()


def _begin_epoch(cluster: ClusterState, job: JobRecord) -> None:
    """All origins in the reset group of a live origin count from 1 again; one without a process has numbered nothing yet."""
    cluster.epoch += 1
    reset_group = cluster.topology.reset_group[job.id]
    for origin in reset_group:
        other = cluster.jobs[origin]
        other.epoch = cluster.epoch
        other.numbered = other.alive
        cluster.touched.add(origin)
    for other in cluster.jobs.values():
        if other.id not in cluster.topology.reset_group:
            other.crashes = other.crashes.renumbered()
    if len(reset_group) > 1:
        names = ", ".join(cluster.jobs[origin].name for origin in sorted(reset_group - {job.id}))
        cluster.notify(INFO, f"begins to count again, and with it {names}: epoch {cluster.epoch}", job=job)


def wait(cluster: ClusterState, job: JobRecord) -> None:
    """A job has become WAITING: it is placed at the end of this event, or its time begins (`job_placement`)."""
    leave(cluster, job)


def leave(cluster: ClusterState, job: JobRecord) -> None:
    """Release the slot of a job."""
    job.node = None
    job.address = ""
    job.timer = None
    cluster.forget_silence(job)
    cluster.vacancy = True


def listen(cluster: ClusterState, job: JobRecord, address: str) -> None:
    """The process of a job listens: its senders get its address, and it gets what it must know."""
    job.machine.fire(JobMove.LISTEN)
    job.address = address
    job.listening_since = cluster.now
    job.delivered = DeliveredUpdates(epoch=job.delivered.epoch)
    cluster.touched.add(job.id)


def ready(job: JobRecord, round: int) -> None:
    """Rounds of the job begin after this one."""
    job.machine.fire(JobMove.READY)
    job.crashes = job.crashes.ready(round)


def progress(job: JobRecord, round: int) -> None:
    """The rounds of the job up to this one are complete."""
    job.crashes = job.crashes.progressed(round)
    passed(job, round)


def fail(cluster: ClusterState, job: JobRecord, event: events.JobFailed) -> None:
    """A job reports that it cannot go on; its process ends by itself, or is killed after `exit_grace`."""
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
        job.crashes = job.crashes.failing_at(event.round)
        job.numbered = event.where not in ("loading", "setup")
        job.address = ""
        job.timer = cluster.now + cluster.policy.exit_grace


def failed_unheard(cluster: ClusterState, job: JobRecord, node: str, failure: events.ReportedFailure) -> None:
    """An earlier incarnation had failed before its node was lost: count that like any failure.

    The incarnation that runs by now may go on: it is the restart. The next failure at this place may end the network.
    """
    before = job.crashes
    job.crashes = before.failed_before(failure.round, live=job.id in cluster.topology.live)
    if job.crashes is not before:
        place = f"in round {failure.round}" if failure.where == "run" else f"in {failure.where}"
        text = f"had failed {place} on {_name(node)} before that was lost: {failure.message}"
        counted = f"it counts as one of {cluster.policy.max_restarts} restarts"
        cluster.notify(ERROR, f"{text}; {counted}\n{failure.traceback}".rstrip(), job=job, node=node)
        job.shown = failure.traceback


def not_started(cluster: ClusterState, job: JobRecord, message: str) -> None:
    """A node could not start the process of a job: count it as a crash, and try another node if there is one."""
    node = job.node
    job.numbered = False
    job.crashes = job.crashes.failing_at(1)
    trial = on_trial(job)
    end(cluster, job, "could not be started", message)
    if job.state is JobState.BACKING_OFF and not trial:
        timer = job.timer
        leave(cluster, job)
        job.timer, job.avoid = timer, node


def end(cluster: ClusterState, job: JobRecord, how: str, why: str = "") -> None:
    """The process of a job has ended: a crash, if it should work. `how` and `why` are shown unless it reported a failure."""
    before = job.state
    if (before, JobMove.CRASH) not in JOB_TABLE:
        return  # the second report of the same end
    if processed_by_sender(cluster, job):
        finish(cluster, job)
    after = job.machine.fire(JobMove.CRASH)
    if after is JobState.WAITING:  # it moves
        job.trial += on_trial(job)
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
    if on_trial(job):
        revert(cluster, job, text)
    else:
        _count(cluster, job, text)


def lose(cluster: ClusterState, job: JobRecord, how: str) -> None:
    """The node of a job is gone, or has no such process: it counts as dead. That is no crash of the job."""
    if processed_by_sender(cluster, job):
        finish(cluster, job)
    before, timer, node = job.state, job.timer, job.node
    if job.alive:
        job.unheard = [*job.unheard, job.incarnation][-_MOST_UNHEARD:]
    after = job.machine.fire(JobMove.LOSE)
    if after is JobState.WAITING:
        job.trial += on_trial(job)
        wait(cluster, job)
        cluster.notify(WARNING, how, job=job, node=node)
        return
    leave(cluster, job)
    if before is JobState.FAILED and on_trial(job):
        revert(cluster, job, how)
    elif before is JobState.FAILED:
        _count(cluster, job)
    elif after is JobState.BACKING_OFF:
        job.timer = timer


def processed_by_sender(cluster: ClusterState, job: JobRecord) -> bool:
    """Whether a job must have finished, because a job whose blocks it waits for has."""
    return any(cluster.finished(sender) for sender in cluster.topology.senders(job.id))


def finish(cluster: ClusterState, job: JobRecord) -> None:
    """A job has finished, by its own report or because its sender has."""
    if job.state is JobState.FINISHED:
        return
    processless = job.state in (JobState.WAITING, JobState.BACKING_OFF)
    job.machine.fire(JobMove.FINISH)
    cluster.forget_silence(job)
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
        case _:  # alive, although its sender has finished
            cluster.stop_process(job)
            finish(cluster, job)


def exit_reason(code: int) -> str:
    """Return what an exit code means, as the end of a sentence that begins with the name of the job."""
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
    """The name of a node in texts for people."""
    return "the client" if node == LOCAL else node or "no node"


def _count(cluster: ClusterState, job: JobRecord, how: str = "") -> None:
    """Count a crash; restart the job soon, or end the network after `max_restarts`. `how` is the unreported exit reason."""
    policy, reported = cluster.policy, bool(job.crashes.failing)
    failed, at = job.crashes.crash_round, _at(job)
    job.crashes, progress = job.crashes.crashed(live=job.id in cluster.topology.live)
    restarts = job.crashes.restarts
    if restarts >= policy.max_restarts:
        given_up = f"given up after {restarts} restarts{at}"
        cluster.notify(ERROR, f"{how}; {given_up}" if how else given_up, job=job)
        begin_ending(cluster, Outcome.FAILED, 1, job.failure)
        return
    delay = policy.back_off[min(restarts, len(policy.back_off) - 1)]
    job.crashes = job.crashes.restarted()
    job.timer = cluster.now + delay
    restart = f"restart {restarts + 1} of {policy.max_restarts}{at}"
    if progress and not reported and failed > 1:
        restart = f"starts again{at}"  # not one of the limited attempts: the job had made progress
    restart += f" in {delay:g} s" if delay else ""
    cluster.notify(ERROR if how else WARNING, f"{how}; {restart}" if how else restart, job=job)


def _at(job: JobRecord) -> str:
    """Where the job crashed, for people; empty if it crashed before its rounds began."""
    reported, failed = job.crashes.failing, job.crashes.crash_round
    if failed == 1 and not (reported and job.numbered):
        return ""
    return f" at round {failed}" if reported else f" after round {failed - 1}"
