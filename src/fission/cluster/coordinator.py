"""The coordinator: the client's knowledge of a running network, and its decisions. Pure.

Use: make `Coordinator(network, run)`, pass each event to `handle` with the time at which it arrives, carry out the
instructions that it returns, in order, and call `handle(Tick(), now)` when `deadline()` has come. Before instructions are
carried out, store `snapshot()` if `revision` has changed: an incarnation number must never be used twice, not even when the
client dies in between (write-ahead). A client that starts again continues with `Coordinator.from_snapshot`.

Rules, each with its module:

- A node gets jobs while it is UP, instructions while it is reachable (`state`, `node_membership`).
- Every start of a job has a higher incarnation number. Reports about any incarnation but the last one are ignored, and such
  a process is stopped wherever it appears (`node_membership`: fencing).
- A job whose node is lost is placed anew at once; one that crashes is restarted on its node after a delay, and the network
  ends when that does not help (`job_lifecycle`, `crash_counter`). A job without a node waits, and is tried again whenever a
  slot may have become free (`job_placement`). After a restart of the client it also waits, for a limited time, until the
  earlier nodes are back: they may run the job, or keep its checkpoint.
- A job that has finished is never started again (`job_lifecycle` has the reason).
- A live source that is restarted begins a new epoch, together with all that its blocks meet in joins (`topology`).
- A job moves also when its node and that of a neighbor do not reach each other (`link_faults`).
- A job moves by being stopped and started elsewhere, as after a failure (`relocation`); so does one that gets new code, in its
  place (`reload`).
- The processes get the addresses and ends of their neighbors (`route_updates`).
- The network ends once; that is the last instruction (`shutdown`).
"""

from collections.abc import Mapping
from typing import Any, Self

from fission.cluster import events, job_lifecycle, link_faults, node_membership, reload, relocation, snapshots
from fission.cluster.events import Event, JobEvent, NodeEvent, OperatorRequest
from fission.cluster.instructions import Instruction, Outcome, RequestRefused
from fission.cluster.job_placement import place_waiting, start_network, start_problem
from fission.cluster.route_updates import send_route_updates
from fission.cluster.shutdown import advance_ending, begin_ending, force
from fission.cluster.state import ClusterState, JobRecord, NodeRecord, machine
from fission.cluster.topology import Topology
from fission.cluster.transitions import JOB_TABLE, JobMove, NodeStatus, Phase, Policy
from fission.core.groups import LOCAL
from fission.core.levels import DEBUG
from fission.core.network import Network

_ROUTINE = (events.JobProgress, events.NodeReport, events.PipesSilent, events.Tick)
"""Events after which nothing needs to be stored, if they lead to no instruction."""


class Coordinator:
    """The state machine of one run of one network; `run` names the run, `client` the client's address in links.

    Times are those of one monotonic clock, in seconds; it may be another one after a restart of the client.
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
        """Changes whenever `snapshot` has something new to store."""

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
        """Continue where another client has stopped, with the same network.

        All nodes, the client itself included, are awaited for a while: let them join. Raises RunError when the
        snapshot belongs to a network with other jobs, or has values that no coordinator writes.
        """
        coordinator = cls(network, str(snapshot.get("run", "")), policy=policy, client=client)
        snapshots.restore(coordinator._state, snapshot, now)
        return coordinator

    def snapshot(self) -> dict[str, Any]:
        """Return what must outlive the client, as plain dicts, lists, numbers and texts (fit for JSON)."""
        return snapshots.save(self._state)

    @property
    def phase(self) -> Phase:
        """The phase of the network."""
        return self._state.phase

    @property
    def jobs(self) -> Mapping[int, JobRecord]:
        """The jobs, for reading."""
        return self._state.jobs

    @property
    def nodes(self) -> Mapping[str, NodeRecord]:
        """The nodes, for reading; the client is `LOCAL`."""
        return self._state.nodes

    @property
    def epoch(self) -> int:
        """The newest epoch of the network."""
        return self._state.epoch

    def start_problem(self) -> str:
        """Return why the network cannot start on the nodes that have joined; "" if it can."""
        return start_problem(self._state)

    def deadline(self) -> float | None:
        """When `handle(Tick(), now)` must be called at the latest; None when nothing is due."""
        cluster = self._state
        if cluster.phase is Phase.ENDED:
            return None
        times = [job.timer for job in cluster.jobs.values()]
        for node in cluster.nodes.values():
            times += [node.timer, *(orphan.timer for orphan in node.orphans)]
        times += [silent.timer for silent in cluster.silent.values()]
        times += [cluster.start_timer, cluster.ending.timer if cluster.ending else None]
        return min((time for time in times if time is not None), default=None)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Process an event that arrives at `now`; return the instructions. Nothing else changes the state."""
        cluster = self._state
        if cluster.phase is Phase.ENDED:
            return _too_late(event)
        cluster.now = now
        self._apply(event)
        self._advance()
        out, cluster.out = cluster.out, []
        if out or not isinstance(event, _ROUTINE):
            self.revision += 1
        return out

    def _apply(self, event: Event) -> None:
        cluster = self._state
        match event:
            case (
                events.NodeJoined()
                | events.NodeRefused()
                | events.NodeReport()
                | events.NodeDraining()
                | events.NodeLost()
                | events.NodeWithdrawn()
            ):
                self._apply_node_event(event)
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
            case events.ReloadRequested():
                reload.reload(cluster, event)
            case events.Tick():
                pass
            case _:
                self._apply_job_event(event)

    def _apply_node_event(self, event: NodeEvent) -> None:
        """Process an event about a node."""
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
            case events.NodeWithdrawn():
                node_membership.withdrawn(cluster, event)

    def _apply_job_event(self, event: JobEvent) -> None:
        """Process an event about a job, unless it is about another incarnation than the last."""
        cluster = self._state
        job = cluster.jobs.get(event.job)
        if (
            job is None
            or (job.node, job.incarnation) != (event.node, event.incarnation)
            or (isinstance(event, events.JobExited) and event.run not in ("", cluster.run))
        ):
            self._reject_stale(event)
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
            case events.PipesSilent():
                link_faults.report(cluster, job, event.pipes)
            case events.JobFinished():
                job_lifecycle.progress(job, event.round)
                job_lifecycle.finish(cluster, job)
            case events.JobFailed():
                job_lifecycle.fail(cluster, job, event)
            case events.JobNotStarted():
                job_lifecycle.not_started(cluster, job, event.message)
            case events.JobExited():
                job_lifecycle.end(cluster, job, job_lifecycle.exit_reason(event.code))

    def _reject_stale(self, event: JobEvent) -> None:
        """Ignore an event of an old incarnation; it shows that a process may be left, which must end."""
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

    def _advance(self) -> None:
        """Do what follows from any event, and from the time."""
        cluster = self._state
        for node in list(cluster.nodes.values()):
            node_membership.expire(cluster, node)
        for job in cluster.jobs.values():
            if job.timer is not None and cluster.now >= job.timer:
                job_lifecycle.expire(cluster, job)
        if cluster.phase is Phase.STARTING:
            start_network(cluster)
        if cluster.phase is Phase.RUNNING:
            link_faults.advance(cluster)
        if cluster.phase is Phase.RUNNING and cluster.vacancy:
            cluster.vacancy = False
            place_waiting(cluster)
        if cluster.phase is Phase.RUNNING and all(map(cluster.finished, cluster.jobs)):
            outcome = Outcome.FINISHED if cluster.fault is None else Outcome.FAILED
            begin_ending(cluster, outcome, int(cluster.fault is not None), cluster.fault)
        job_lifecycle.emit_starts(cluster)
        if cluster.phase is not Phase.ENDING:
            send_route_updates(cluster)
        advance_ending(cluster)


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
"""The transition that an event causes; the event is dropped where the table has none, since its job is past it."""
