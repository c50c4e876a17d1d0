"""The coordinator: what the client knows of a running network, and what it decides. Pure.

Use: `Coordinator(network, run)`, give it every event with the time at which it is seen, carry out the instructions
that come back, in order, and call `handle(Tick(), now)` when `deadline()` has come. Before instructions are carried
out, store `snapshot()` if `revision` has changed: an incarnation number must never be used twice, not even when the
client dies in between (write-ahead). A client that starts again goes on with `Coordinator.from_snapshot`.

Rules, each with its place:

- A node gets jobs while it is UP, instructions while it can be reached (`states`, `members`).
- Every start of a job has a higher incarnation number. What is said of, or by, another incarnation than the last
  counts for nothing, and such a process is ended wherever it turns up (`members`: fencing).
- A job whose node is lost is placed anew at once; one that crashes starts again on its node after a while, and the
  network ends when that does not help (`lives`). A job without a node waits, and is tried again whenever a slot may
  have become free (`placing`). After a restart of the client it waits as well until the nodes are back that were there, for
  a while: they may run the job, or keep its state.
- A job that has finished is never started again (`lives` says why that is right).
- A live source that is restarted begins a new epoch, together with all that it meets in joins (`topology`).
- A job moves by being ended and started elsewhere, as after a failure (`moving`).
- The processes know their neighbors (`telling`).
- The network ends once, and says so last (`ending`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from fission.cluster import events, job_lifecycle, node_membership, relocation, snapshots
from fission.cluster.events import Event, JobEvent, OperatorRequest
from fission.cluster.instructions import Instruction, Outcome, RequestRefused, StartJob
from fission.cluster.job_placement import place_waiting, start_network
from fission.cluster.route_updates import send_route_updates
from fission.cluster.shutdown import begin_ending, force, go_on_ending
from fission.cluster.state import ClusterState, JobRecord, NodeRecord, machine
from fission.cluster.topology import Topology
from fission.cluster.transitions import JOB_TABLE, JobMove, NodeStatus, Phase, Policy
from fission.core.groups import LOCAL
from fission.core.levels import DEBUG
from fission.core.network import Network

_ROUTINE = (events.JobProgress, events.NodeReport, events.Tick)
"""Events after which nothing needs to be stored, if they lead to nothing."""


class Coordinator:
    """The state machine of one run of one network; `run` names the run, `client` the client's address in links.

    Times are those of one steady clock, in seconds; it may be another one after a restart of the client.
    """

    def __init__(
        self, network: Network, run: str, *, policy: Policy | None = None, client: str = LOCAL
    ) -> None:
        jobs = {job.id: JobRecord(job.id, job.name, machine(job.name)) for job in network.jobs}
        nodes = {LOCAL: NodeRecord(LOCAL, NodeStatus.UP)}
        self._state = ClusterState(
            network, Topology.of(network), run, policy or Policy(), jobs, nodes, client
        )
        self.revision = 0
        """Changes whenever there is something new to store."""

    @classmethod
    def from_snapshot(
        cls,
        network: Network,
        snapshot: Mapping[str, Any],
        now: float,
        *,
        policy: Policy | None = None,
        client: str = LOCAL,
    ) -> Self:
        """Go on where another client has stopped, with the same network.

        All nodes, the client itself included, are awaited for a while: let them join. Raises RunError when the
        snapshot belongs to a network with other jobs or to another version of it.
        """
        coordinator = cls(network, str(snapshot.get("run", "")), policy=policy, client=client)
        snapshots.restore(coordinator._state, snapshot, now)
        return coordinator

    def snapshot(self) -> dict[str, Any]:
        """All that must outlive the client, as plain dicts, lists, numbers and texts (fit for JSON)."""
        return snapshots.save(self._state)

    @property
    def phase(self) -> Phase:
        """Where the network stands."""
        return self._state.phase

    @property
    def jobs(self) -> Mapping[int, JobRecord]:
        """The jobs, to look at."""
        return self._state.jobs

    @property
    def nodes(self) -> Mapping[str, NodeRecord]:
        """The nodes, to look at; the client is `LOCAL`."""
        return self._state.nodes

    @property
    def epoch(self) -> int:
        """The newest epoch of the network."""
        return self._state.epoch

    def deadline(self) -> float | None:
        """When `handle(Tick(), now)` must be called at the latest; None when nothing is due."""
        cluster = self._state
        if cluster.phase is Phase.ENDED:
            return None
        times = [job.timer for job in cluster.jobs.values()]
        for node in cluster.nodes.values():
            times += [node.timer, *(orphan.timer for orphan in node.orphans)]
        times += [cluster.start_timer, cluster.ending.timer if cluster.ending else None]
        return min((time for time in times if time is not None), default=None)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take in an event that is seen at `now`; return what is to be done. The only thing that changes anything."""
        cluster = self._state
        if cluster.phase is Phase.ENDED:
            return _too_late(event)
        cluster.now = now
        self._take(event)
        self._go_on()
        out, cluster.out = [self._with_senders(one) for one in cluster.out], []
        if out or not isinstance(event, _ROUTINE):
            self.revision += 1
        return out

    def _with_senders(self, one: Instruction) -> Instruction:
        """Name the senders of a job that is started as they are at the end of the event, which may have started them, too."""
        if not isinstance(one, StartJob):
            return one
        jobs, pipes = self._state.jobs, self._state.topology.into[one.job]
        return replace(one, senders={pipe.id: jobs[pipe.source].incarnation for pipe in pipes})

    def _take(self, event: Event) -> None:
        cluster = self._state
        match event:
            case events.NodeJoined():
                node_membership.joined(cluster, event)
            case events.NodeRefused():
                node_membership.refused(cluster, event)
            case events.NodeReport():
                node_membership.reported(cluster, event)
            case events.NodeDraining():
                node_membership.draining(cluster, event)
            case events.NodeLost():
                node_membership.lost(cluster, event)
            case events.StartRequested():
                if cluster.phase is Phase.GATHERING:
                    cluster.phase = Phase.STARTING
                    cluster.start_timer = cluster.now + cluster.policy.fence_grace
            case events.StopRequested():
                again = cluster.ending is not None
                begin_ending(cluster, Outcome.STOPPED, 0)
                if again or event.force:
                    force(cluster)
                cluster.accept(event.request, "stops all jobs")
            case events.MoveRequested() | events.DrainRequested() | events.RebalanceRequested():
                relocation.relocate(cluster, event)
            case events.Tick():
                pass
            case _:
                self._hear(event)

    def _hear(self, event: JobEvent) -> None:
        """A job says something, or something is said about one."""
        cluster = self._state
        job = cluster.jobs.get(event.job)
        if (
            job is None
            or (job.node, job.incarnation) != (event.node, event.incarnation)
            or (isinstance(event, events.JobExited) and event.run not in ("", cluster.run))
        ):
            self._ignore(event)
            return
        needed = _NEEDED.get(type(event))
        if needed is not None and (job.state, needed) not in JOB_TABLE:
            return
        match event:
            case events.JobListening():
                job_lifecycle.listen(cluster, job, event.address)
            case events.JobReady():
                job_lifecycle.ready(job, event.round)
            case events.JobProgress():
                job_lifecycle.progress(job, event.round)
            case events.JobStored():
                job.stored = True
            case events.JobFinished():
                job_lifecycle.progress(job, event.round)
                job_lifecycle.finish(cluster, job)
            case events.JobFailed():
                job_lifecycle.fail(cluster, job, event)
            case events.JobNotStarted():
                job_lifecycle.not_started(cluster, job, event.message)
            case events.JobExited():
                job_lifecycle.end(cluster, job, job_lifecycle.exit_reason(event.code))

    def _ignore(self, event: JobEvent) -> None:
        """Events of an old incarnation count for nothing, but they tell that there may be a process to end."""
        cluster = self._state
        what = f"ignored {type(event).__name__} of job {event.job}, incarnation {event.incarnation}"
        cluster.notify(DEBUG, what, node=event.node)
        node = cluster.nodes.get(event.node)
        if node is None or not cluster.reachable(event.node):
            return
        run = (event.run if isinstance(event, events.JobExited) else "") or cluster.run
        if isinstance(event, events.JobExited | events.JobNotStarted):
            node_membership.unfence(cluster, node, run, event.job, event.incarnation)
        else:
            node_membership.fence(cluster, node, run, event.job, event.incarnation)

    def _go_on(self) -> None:
        """What follows from any event, and from the time."""
        cluster = self._state
        for node in list(cluster.nodes.values()):
            node_membership.expire(cluster, node)
        for job in cluster.jobs.values():
            if job.timer is not None and cluster.now >= job.timer:
                job_lifecycle.expire(cluster, job)
        if cluster.phase is Phase.STARTING:
            start_network(cluster)
        if cluster.phase is Phase.RUNNING and cluster.vacancy:
            cluster.vacancy = False
            place_waiting(cluster)
        if cluster.phase is Phase.RUNNING and all(map(cluster.finished, cluster.jobs)):
            outcome = Outcome.FINISHED if cluster.fault is None else Outcome.FAILED
            begin_ending(cluster, outcome, int(cluster.fault is not None), cluster.fault)
        if cluster.phase is not Phase.ENDING:
            send_route_updates(cluster)
        go_on_ending(cluster)


def _too_late(event: Event) -> list[Instruction]:
    if isinstance(event, OperatorRequest) and event.request:
        return [RequestRefused(event.request, "the network has ended")]
    return []


_NEEDED: dict[type[JobEvent], JobMove] = {
    events.JobListening: JobMove.LISTEN,
    events.JobReady: JobMove.READY,
    events.JobFinished: JobMove.FINISH,
    events.JobFailed: JobMove.FAIL,
}
"""The move that an event makes: it is dropped where there is none, since its job is past it."""
