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
- A live source that is restarted begins a new epoch, together with all that it meets in joins (`wiring`).
- A job moves by being ended and started elsewhere, as after a failure (`moving`).
- The processes know their neighbors (`telling`).
- The network ends once, and says so last (`ending`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from fission.cluster import events, lives, members, moving, snapshots
from fission.cluster.board import DEBUG, Board, JobRecord, NodeRecord, machine
from fission.cluster.ending import begin_ending, force, go_on_ending
from fission.cluster.events import Event, JobEvent
from fission.cluster.instructions import Instruction, Outcome, StartJob
from fission.cluster.placing import place_waiting, start_network
from fission.cluster.states import JOB_TABLE, JobMove, NodeLife, Phase, Policy
from fission.cluster.telling import tell_neighbors
from fission.cluster.wiring import Wiring
from fission.core.groups import LOCAL
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
        nodes = {LOCAL: NodeRecord(LOCAL, NodeLife.UP)}
        self._board = Board(network, Wiring.of(network), run, policy or Policy(), jobs, nodes, client)
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
        snapshots.restore(coordinator._board, snapshot, now)
        return coordinator

    def snapshot(self) -> dict[str, Any]:
        """All that must outlive the client, as plain dicts, lists, numbers and texts (fit for JSON)."""
        return snapshots.save(self._board)

    @property
    def phase(self) -> Phase:
        """Where the network stands."""
        return self._board.phase

    @property
    def jobs(self) -> Mapping[int, JobRecord]:
        """The jobs, to look at."""
        return self._board.jobs

    @property
    def nodes(self) -> Mapping[str, NodeRecord]:
        """The nodes, to look at; the client is `LOCAL`."""
        return self._board.nodes

    @property
    def epoch(self) -> int:
        """The newest epoch of the network."""
        return self._board.epoch

    def deadline(self) -> float | None:
        """When `handle(Tick(), now)` must be called at the latest; None when nothing is due."""
        board = self._board
        if board.phase is Phase.ENDED:
            return None
        times = [job.timer for job in board.jobs.values()]
        for node in board.nodes.values():
            times += [node.timer, *(orphan.timer for orphan in node.orphans)]
        times += [board.start_timer, board.ending.timer if board.ending else None]
        return min((time for time in times if time is not None), default=None)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take in an event that is seen at `now`; return what is to be done. The only thing that changes anything."""
        board = self._board
        if board.phase is Phase.ENDED:
            return []
        board.now = now
        self._take(event)
        self._go_on()
        out, board.out = [self._with_senders(one) for one in board.out], []
        if out or not isinstance(event, _ROUTINE):
            self.revision += 1
        return out

    def _with_senders(self, one: Instruction) -> Instruction:
        """Name the senders of a job that is started as they are at the end of the event, which may have started them, too."""
        if not isinstance(one, StartJob):
            return one
        jobs, pipes = self._board.jobs, self._board.wiring.into[one.job]
        return replace(one, senders={pipe.id: jobs[pipe.source].incarnation for pipe in pipes})

    def _take(self, event: Event) -> None:
        board = self._board
        match event:
            case events.NodeJoined():
                members.joined(board, event)
            case events.NodeRefused():
                members.refused(board, event)
            case events.NodeReport():
                members.reported(board, event)
            case events.NodeDraining():
                members.draining(board, event)
            case events.NodeLost():
                members.lost(board, event)
            case events.StartRequested():
                if board.phase is Phase.GATHERING:
                    board.phase = Phase.STARTING
                    board.start_timer = board.now + board.policy.fence_grace
            case events.StopRequested():
                if board.ending is not None or event.force:
                    begin_ending(board, Outcome.STOPPED, 0)
                    force(board)
                begin_ending(board, Outcome.STOPPED, 0)
            case events.MoveRequested() | events.DrainRequested() | events.RebalanceRequested():
                moving.wish(board, event)
            case events.Tick():
                pass
            case _:
                self._hear(event)

    def _hear(self, event: JobEvent) -> None:
        """A job says something, or something is said about one."""
        board = self._board
        job = board.jobs.get(event.job)
        if (
            job is None
            or (job.node, job.incarnation) != (event.node, event.incarnation)
            or (isinstance(event, events.JobExited) and event.run not in ("", board.run))
        ):
            self._ignore(event)
            return
        needed = _NEEDED.get(type(event))
        if needed is not None and (job.state, needed) not in JOB_TABLE:
            return
        match event:
            case events.JobListening():
                lives.listen(board, job, event.address)
            case events.JobReady():
                lives.ready(job, event.round)
            case events.JobProgress():
                lives.progress(job, event.round)
            case events.JobStored():
                job.stored = True
            case events.JobFinished():
                lives.progress(job, event.round)
                lives.finish(board, job)
            case events.JobFailed():
                lives.fail(board, job, event)
            case events.JobNotStarted():
                lives.not_started(board, job, event.message)
            case events.JobExited():
                lives.end(board, job, lives.how_it_ended(event.code))

    def _ignore(self, event: JobEvent) -> None:
        """Events of an old incarnation count for nothing, but they tell that there may be a process to end."""
        board = self._board
        what = f"ignored {type(event).__name__} of job {event.job}, incarnation {event.incarnation}"
        board.tell(DEBUG, what, node=event.node)
        node = board.nodes.get(event.node)
        if node is None or not board.reachable(event.node):
            return
        run = (event.run if isinstance(event, events.JobExited) else "") or board.run
        if isinstance(event, events.JobExited | events.JobNotStarted):
            members.unfence(board, node, run, event.job, event.incarnation)
        else:
            members.fence(board, node, run, event.job, event.incarnation)

    def _go_on(self) -> None:
        """What follows from any event, and from the time."""
        board = self._board
        for node in list(board.nodes.values()):
            members.expire(board, node)
        for job in board.jobs.values():
            if job.timer is not None and board.now >= job.timer:
                lives.expire(board, job)
        if board.phase is Phase.STARTING:
            start_network(board)
        if board.phase is Phase.RUNNING and board.vacancy:
            board.vacancy = False
            place_waiting(board)
        if board.phase is Phase.RUNNING and all(map(board.finished, board.jobs)):
            outcome = Outcome.FINISHED if board.fault is None else Outcome.FAILED
            begin_ending(board, outcome, int(board.fault is not None), board.fault)
        if board.phase is not Phase.ENDING:
            tell_neighbors(board)
        go_on_ending(board)


_NEEDED: dict[type[JobEvent], JobMove] = {
    events.JobListening: JobMove.LISTEN,
    events.JobReady: JobMove.READY,
    events.JobFinished: JobMove.FINISH,
    events.JobFailed: JobMove.FAIL,
}
"""The move that an event makes: it is dropped where there is none, since its job is past it."""
