"""The rules one by one, as conversations with the coordinator."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_model import INFO
from cluster_networks import Near, Plain, Replayable, chain, diamond, loose, network
from cluster_talk import Talk, of

from fission.cluster import (
    BeginEpoch,
    Coordinator,
    DrainRequested,
    EndNetwork,
    Event,
    IncarnationStatus,
    Instruction,
    InventoryEntry,
    JobExited,
    JobFailed,
    JobFinished,
    JobListening,
    JobNotStarted,
    JobProgress,
    JobReady,
    JobState,
    JobStored,
    MoveRequested,
    NodeDraining,
    NodeJoined,
    NodeLost,
    NodeRefused,
    NodeReport,
    NodeStatus,
    Notice,
    Outcome,
    Phase,
    Policy,
    RebalanceRequested,
    ReceiverGone,
    ReportedFailure,
    RequestAccepted,
    RequestRefused,
    SenderGone,
    SendRoute,
    StartJob,
    StartRequested,
    StopJob,
    StopRequested,
    Tick,
)
from fission.cluster.topology import Topology
from fission.cluster.transitions import JOB_TABLE, JobMove
from fission.core.jobs import PythonJob
from fission.core.levels import ERROR, WARNING
from fission.core.network import Network
from fission.core.nodes import BaseNode, NodeInfo
from fission.errors import RunError


def answers(instructions: list[Instruction]) -> list[RequestAccepted | RequestRefused]:
    return [one for one in instructions if isinstance(one, RequestAccepted | RequestRefused)]


def failed(talk: Talk, job: int, round: int = 7, where: str = "run") -> list[Instruction]:
    who = talk.who(job)
    return [*talk.say(JobFailed(*who, round, where, "boom", "the traceback")), *talk.say(JobExited(*who, 1))]


def test_a_start_that_finds_no_nodes_starts_nothing() -> None:
    talk = Talk(chain(), nodes=())
    (end,) = of(EndNetwork, talk.say(StartRequested()))
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 2)
    assert "there are no nodes" in end.failure.message
    assert talk.say(StartRequested()) == []
    assert talk.made.deadline() is None


def test_back_off_and_the_end_with_the_users_traceback() -> None:
    talk = Talk(chain()).start()
    waits = []
    for _ in range(3):
        failed(talk, 2)
        if talk.state(2) is JobState.BACKING_OFF:
            waits.append(round(talk.made.deadline() - talk.now, 3))
            assert of(StartJob, talk.say(Tick(), waits[-1]))
        talk.up(2)
    assert waits == [0.1, 0.5]
    failed(talk, 2)
    for job in (1, 3):
        talk.say(JobExited(*talk.who(job), -15))
    assert talk.made.phase is Phase.ENDED


def test_a_traceback_is_shown_once_as_long_as_it_is_the_same() -> None:
    talk = Talk(chain()).start()
    told = []
    for _ in range(2):
        told += [one.text for one in of(Notice, failed(talk, 2)) if "boom" in one.text]
        if talk.state(2) is JobState.BACKING_OFF:
            talk.say(Tick(), round(talk.made.deadline() - talk.now, 3))
        talk.up(2)
    node = talk.who(2)[0]
    assert told == [
        f"failed in round 7 on {node}: boom\nthe traceback",
        f"failed in round 7 on {node}: boom (as before)",
    ]


def test_the_end_has_the_traceback() -> None:
    talk = Talk(chain(), Policy(max_restarts=0)).start()
    assert len(of(StopJob, failed(talk, 2))) == 2
    talk.say(JobExited(*talk.who(1), -15))
    (end,) = of(EndNetwork, talk.say(JobExited(*talk.who(3), -15)))
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 1)
    assert (end.failure.traceback, end.failure.job) == ("the traceback", 2)
    assert "failed in round 7: boom" in end.failure.message


@pytest.mark.parametrize(("round", "restarts"), [(8, 1), (7, 2), (6, 2)])
def test_a_connector_that_got_farther_counts_anew(round: int, restarts: int) -> None:
    talk = Talk(chain()).start()
    failed(talk, 2)
    talk.up(2)
    failed(talk, 2, round)
    assert talk.made.jobs[2].crashes.restarts == restarts


@pytest.mark.parametrize(("round", "restarts"), [(8, 1), (7, 2), (6, 1), (1, 2)])
def test_a_live_source_that_fails_elsewhere_counts_anew(round: int, restarts: int) -> None:
    talk = Talk(chain()).start()
    failed(talk, 1)
    talk.up(1)
    failed(talk, 1, round)
    assert talk.made.jobs[1].crashes.restarts == restarts


def test_progress_forgives() -> None:
    talk = Talk(chain()).start()
    failed(talk, 2)
    talk.up(2)
    talk.say(JobProgress(*talk.who(2), 6))
    assert talk.made.jobs[2].crashes.restarts == 1
    talk.say(JobProgress(*talk.who(2), 7))
    assert talk.made.jobs[2].crashes.restarts == 0


def killed(talk: Talk, job: int) -> None:
    talk.say(JobExited(*talk.who(job), -9))
    if talk.state(job) is JobState.BACKING_OFF:
        talk.say(Tick(), 2.0)


def test_a_stream_that_is_killed_again_and_again_but_goes_on_is_no_crash_loop() -> None:
    talk = Talk(chain()).start()
    talk.say(JobProgress(*talk.who(2), 1000))
    for began in range(500, 900, 20):  # killed each time before it has told anything else
        killed(talk, 2)
        node, _, _ = who = talk.who(2)
        talk.say(JobListening(*who, f"{node}/2"))
        talk.say(JobReady(*who, began))
        assert talk.state(2) is JobState.RUNNING
        assert talk.made.jobs[2].crashes.restarts <= 1


@pytest.mark.parametrize("began", [0, 500])
def test_a_job_that_dies_where_it_began_is_a_crash_loop(began: int) -> None:
    talk = Talk(chain()).start()
    for _ in range(5):
        killed(talk, 2)
        if talk.state(2) is not JobState.PLACED:
            break
        node, _, _ = who = talk.who(2)
        talk.say(JobListening(*who, f"{node}/2"))
        talk.say(JobReady(*who, began))
    assert talk.made.phase is Phase.ENDING


def test_a_process_that_dies_before_it_has_begun_makes_no_progress_of_the_next_one() -> None:
    talk = Talk(chain(), Policy(max_restarts=5)).start()
    for early in (False, True, False, True, False, True):
        killed(talk, 2)
        node, _, _ = who = talk.who(2)
        if not early:
            talk.say(JobListening(*who, f"{node}/2"))
            talk.say(JobReady(*who, 50))
    killed(talk, 2)
    assert talk.made.phase is Phase.ENDING


def test_a_failure_at_a_known_round_counts_wherever_the_job_began() -> None:
    talk = Talk(chain()).start()
    for began in (100, 200, 300):
        failed(talk, 2, 500)
        talk.say(Tick(), 2.0)
        node, _, _ = who = talk.who(2)
        talk.say(JobListening(*who, f"{node}/2"))
        talk.say(JobReady(*who, began))
    failed(talk, 2, 500)
    assert talk.made.phase is Phase.ENDING


@pytest.mark.parametrize(("code", "how"), [(-9, "SIGKILL"), (0, "exit code 0"), (-250, "signal 250")])
def test_a_process_that_just_ends(code: int, how: str) -> None:
    talk = Talk(chain()).start()
    out = talk.say(JobExited(*talk.who(2), code))
    assert any(how in notice.text for notice in of(Notice, out))
    assert of(StartJob, out) == [StartJob(talk.who(2)[0], 2, 2, resume=True, epoch=1, senders={ord("a"): 1})]
    assert talk.say(JobExited(talk.who(2)[0], 2, 1, code))[0].level == 10


def test_what_is_said_of_a_restart() -> None:
    """Who is killed while he gets on is started again; attempts are counted where a job fails, or gains nothing."""
    talk = Talk(chain(), Policy(back_off=(0.0,))).start()

    def said(*events: Event) -> str:
        out = [one for event in events for one in talk.say(event)]
        texts = [notice.text for notice in of(Notice, out) if notice.level == 40]
        if of(StartJob, talk.say(Tick())) or of(StartJob, out):
            talk.up(2)
        return texts[-1].partition("; ")[2]

    assert said(JobExited(*talk.who(2), -9)) == "restart 1 of 3"
    assert said(JobExited(*talk.who(2), -9)) == "restart 2 of 3"
    for done in (3000, 3001):
        talk.say(JobProgress(*talk.who(2), done))
        assert said(JobExited(*talk.who(2), -9)) == f"starts again after round {done}"
    texts = [notice.text for notice in of(Notice, failed(talk, 2, 3100))]
    assert texts[-1 - ("is started" in texts[-1])] == "restart 1 of 3 at round 3100"


def test_a_start_tells_that_there_must_be_a_state() -> None:
    talk = Talk(chain()).start()
    talk.say(JobStored(*talk.who(2)))
    snapshot = talk.made.snapshot()
    starts = of(StartJob, [*talk.say(JobExited(*talk.who(2), -9)), *talk.say(JobExited(*talk.who(3), -9))])
    assert [(one.job, one.stored) for one in starts] == [(2, True), (3, False)]
    talk.made = Coordinator.from_snapshot(talk.net, snapshot, 5.0)
    home = talk.who(3)[0]
    talk.say(talk.join(home, InventoryEntry(3, 1, "r", IncarnationStatus.RUNNING, stored=True)))
    assert [talk.made.jobs[job].stored for job in (1, 2, 3)] == [False, True, True]


def test_a_start_names_the_senders_as_they_are_by_then() -> None:
    talk = Talk(chain(), nodes=("n1",)).start()
    talk.say(JobExited(*talk.who(1), -9))
    talk.say(NodeLost("n1", "silent"))
    starts = {one.job: one for one in of(StartJob, talk.say(talk.join("n2")))}
    assert {job: one.incarnation for job, one in starts.items()} == {1: 3, 2: 2, 3: 2}
    assert {job: dict(one.senders) for job, one in starts.items()} == {
        1: {},
        2: {ord("a"): 3},
        3: {ord("b"): 2},
    }


def test_a_process_that_fails_and_does_not_end_is_ended() -> None:
    talk = Talk(chain()).start()
    who = talk.who(2)
    talk.say(JobFailed(*who, 1, "setup", "boom"))
    assert of(StopJob, talk.say(Tick(), 2.0)) == [StopJob(*who, "r", force=True)]
    assert of(StopJob, talk.say(Tick(), 2.0)) == [StopJob(*who, "r", force=True)]
    talk.say(JobExited(*who, -9))
    assert talk.state(2) is JobState.PLACED
    assert talk.say(JobExited(*who, -9))


def test_exit_told_twice_while_backing_off() -> None:
    talk = Talk(chain(), Policy(back_off=(1.0,))).start()
    who = talk.who(2)
    for _ in range(2):
        talk.say(JobExited(*who, -9))
        assert talk.state(2) is JobState.BACKING_OFF
    assert talk.say(JobReady(*who)) == []
    talk.say(NodeLost(who[0], "silent"))
    assert of(StartJob, talk.say(Tick(), 1.0))
    assert talk.who(2)[0] != who[0]


def test_failed_and_then_the_node_is_lost() -> None:
    talk = Talk(chain()).start()
    who = talk.who(2)
    talk.say(JobFailed(*who, 3, "run", "boom"))
    out = talk.say(NodeLost(who[0], "silent"))
    assert talk.made.jobs[2].crashes.restarts == 1
    assert 2 in {one.job for one in of(StartJob, out)}


def test_a_node_that_cannot_start_a_job_is_avoided() -> None:
    talk = Talk(network((Plain, "", ""))).start()
    for _ in range(2):
        node = talk.who(1)[0]
        talk.say(JobNotStarted(*talk.who(1), "disk full"))
        talk.say(Tick(), 0.1)
        assert talk.who(1)[0] != node


def test_a_node_that_cannot_start_a_job_is_better_than_none() -> None:
    talk = Talk(network((Plain, "", "")), nodes=("n1",)).start()
    out = talk.say(JobNotStarted(*talk.who(1), "disk full"))
    assert of(StartJob, out) == [StartJob("n1", 1, 2, resume=True, epoch=1)]


def test_a_failure_in_teardown_ends_the_network_at_its_end() -> None:
    talk = Talk(network((Plain, "", ""))).start()
    who = talk.who(1)
    talk.say(JobFailed(*who, 9, "teardown", "no"))
    assert talk.state(1) is JobState.FINISHED
    (end,) = of(EndNetwork, talk.say(JobExited(*who, 1)))
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 1)


def test_waiting_is_told_once_and_times_out() -> None:
    talk = Talk(chain(), Policy(allocation_timeout=60.0), nodes=("n1",)).start()
    out = talk.say(NodeLost("n1", "silent"))
    assert sum("waits" in notice.text for notice in of(Notice, out)) == 3
    assert talk.say(NodeJoined("n2", INFO, slots=0), 1.0)[1:] == []
    assert talk.made.deadline() == 60.0
    (end,) = of(EndNetwork, talk.say(Tick(), 59.0))
    assert (end.exit_code, end.outcome) == (1, Outcome.FAILED)


def test_a_report_of_free_slots_ends_the_waiting() -> None:
    talk = Talk(chain(), nodes=("n1",)).start()
    talk.say(NodeLost("n1", "silent"))
    talk.say(NodeJoined("n2", INFO, slots=3, occupied=3, tq={"n1": 9.0}))
    assert of(StartJob, talk.say(NodeReport("n2", INFO, occupied=1)))
    assert talk.say(NodeReport("n9", INFO)) == []


def test_a_live_source_takes_its_company_along() -> None:
    talk = Talk(diamond(), slots=6)
    talk.say(NodeJoined("n3", INFO, groups=frozenset({"fast"}), slots=2))
    talk.start()
    out = talk.say(JobExited(*talk.who(1), -9))
    assert of(StartJob, out)[0].epoch == 2
    assert [(one.job, one.epoch) for one in of(BeginEpoch, out)] == [(2, 2)]
    assert of(BeginEpoch, talk.up(1)) == []
    assert of(StartJob, talk.say(JobExited(*talk.who(3), -9)))[0].epoch == 1


def test_a_source_that_never_ran_needs_no_new_epoch() -> None:
    talk = Talk(diamond(), slots=6)
    talk.say(NodeJoined("n3", INFO, groups=frozenset({"fast"}), slots=2))
    talk.say(StartRequested())
    assert of(StartJob, failed(talk, 1, where="setup"))[0].epoch == 1


def test_company_is_transitive_and_ends_at_asynchronous_pipes() -> None:
    net = network(
        (Plain, "", "ad"), (Plain, "", "b"), (Replayable, "", "ce"), (Plain, "ab", ""), (Plain, "bc"[1:] + "d", ""),
        (Plain, "eX", "f"), (Plain, "", "X"), (Plain, "f", ""),
    )  # fmt: skip
    topology = Topology.of(net)
    assert topology.reset_group[1] == {1, 2, 3} == topology.reset_group[2]
    assert topology.reset_group[7] == {7}
    assert topology.live == {1, 2, 7}
    assert Topology.of(loose()).reset_group.keys() == {1, 4}


def test_routes_follow_receivers_and_reach_new_senders() -> None:
    talk = Talk(chain()).start()
    out = [*talk.say(JobExited(*talk.who(2), -9)), *talk.up(2)]
    addresses = {(one.job, one.pipe): one.address for one in of(SendRoute, out)}
    assert addresses[1, ord("a")].endswith("/2.2")
    assert addresses[2, ord("b")].endswith("/3.1")


def test_a_finished_receiver_is_gone_for_every_sender() -> None:
    talk = Talk(chain()).start()
    out = talk.say(JobFinished(*talk.who(3), 5))
    assert [(one.job, one.pipe) for one in of(ReceiverGone, out)] == [(2, ord("b"))]
    talk.say(JobExited(*talk.who(3), 0))
    talk.say(JobExited(*talk.who(2), -9))
    assert [(one.job, one.pipe) for one in of(ReceiverGone, talk.up(2))] == [(2, ord("b"))]


def test_nobody_revives_what_has_finished() -> None:
    talk = Talk(chain()).start()
    who = talk.who(3)
    talk.say(JobFinished(*who))
    out = talk.say(NodeLost(who[0], "silent"))
    assert 3 not in {one.job for one in of(StartJob, out)}
    assert talk.state(3) is JobState.FINISHED


def test_what_a_finished_job_says_of_its_receivers() -> None:
    talk = Talk(chain(), Policy(back_off=(9.0,))).start()
    talk.say(JobExited(*talk.who(3), -9))
    assert talk.state(3) is JobState.BACKING_OFF
    talk.say(JobFinished(*talk.who(2)))
    assert talk.state(3) is JobState.FINISHED


def test_a_successor_that_nobody_will_feed_is_stopped() -> None:
    talk = Talk(chain()).start()
    talk.say(JobExited(*talk.who(3), -9))
    talk.up(3)
    talk.say(JobFinished(*talk.who(2)))
    talk.say(JobExited(*talk.who(2), 0))
    assert talk.state(3) is JobState.RUNNING
    assert of(StopJob, talk.say(Tick(), 10.0)) == [StopJob(*talk.who(3), "r")]
    assert of(StopJob, talk.say(Tick(), 2.0)) == [StopJob(*talk.who(3), "r", force=True)]
    talk.say(JobExited(*talk.who(3), -9))
    assert talk.state(3) is JobState.FINISHED


def test_a_receiver_that_dies_after_its_sender_has_finished() -> None:
    talk = Talk(chain()).start()
    talk.say(JobFinished(*talk.who(2)))
    talk.say(JobExited(*talk.who(3), -9))
    assert talk.state(3) is JobState.FINISHED
    lost = talk.who(2)[0]
    talk.say(NodeLost(lost, "silent"))
    assert talk.state(2) is JobState.FINISHED


def test_an_asynchronous_receiver_hears_that_its_sender_has_finished() -> None:
    talk = Talk(loose(), slots=4).start()
    out = talk.say(JobFinished(*talk.who(2)))
    assert [(one.job, one.pipe) for one in of(SenderGone, out)] == [(4, ord("Y"))]
    talk.say(JobExited(*talk.who(4), -9))
    assert [(one.job, one.pipe) for one in of(SenderGone, talk.up(4))] == [(4, ord("Y"))]


def test_fencing() -> None:
    talk = Talk(chain(), slots=5).start()
    node, _, _ = who = talk.who(2)
    talk.say(NodeLost(node, "silent"))
    old = InventoryEntry(2, 1, "r", IncarnationStatus.RUNNING)
    foreign = InventoryEntry(2, 1, "other", IncarnationStatus.RUNNING)
    out = talk.say(
        talk.join(node, old, foreign, InventoryEntry(99, 1, "other", IncarnationStatus.GONE, alive=False))
    )
    assert of(StopJob, out) == [StopJob(*who, "r"), StopJob(*who, "other")]
    assert talk.made.nodes[node].status is NodeStatus.FENCED
    talk.say(JobProgress(*who, 9))
    assert len(of(StopJob, talk.say(Tick(), 2.0))) == 2
    talk.say(JobExited(*who, -9))
    talk.say(JobExited(*who, -9, "other"))
    assert talk.made.nodes[node].status is NodeStatus.UP


def test_an_unknown_process_is_ended() -> None:
    talk = Talk(chain()).start()
    assert of(StopJob, talk.say(JobReady("n1", 2, 77))) == [StopJob("n1", 2, 77, "r")]
    assert of(StopJob, talk.say(JobReady("n9", 2, 77))) == []


def test_a_start_waits_for_old_jobs_to_end() -> None:
    talk = Talk(chain(), nodes=())
    talk.say(talk.join("n1", InventoryEntry(1, 3, "old", IncarnationStatus.RUNNING)))
    assert of(StartJob, talk.say(StartRequested())) == []
    assert len(of(StartJob, talk.say(JobExited("n1", 1, 3, -15, "old")))) == 3


def test_a_job_that_waits_is_taken_back() -> None:
    talk = Talk(chain(), nodes=("n1",)).start()
    talk.say(NodeLost("n1", "silent"))
    lines = [
        InventoryEntry(1, 1, "r", IncarnationStatus.RUNNING, address="n1/1.1", round=4),
        InventoryEntry(2, 1, "r", IncarnationStatus.STARTING),
        InventoryEntry(3, 1, "r", IncarnationStatus.GONE, alive=False),
    ]
    out = talk.say(talk.join("n1", *lines))
    assert [talk.state(job) for job in (1, 2, 3)] == [JobState.RUNNING, JobState.STARTING, JobState.PLACED]
    assert [one.job for one in of(StartJob, out)] == [3]


def test_inventory_of_a_client_that_was_away() -> None:
    talk = Talk(chain(), slots=5).start()
    snapshot = talk.made.snapshot()
    made = Coordinator.from_snapshot(talk.net, snapshot, 5.0)
    homes = {job: talk.who(job)[0] for job in (1, 2, 3)}
    talk.made, talk.now = made, 5.0
    lines = {
        1: InventoryEntry(1, 1, "r", IncarnationStatus.RUNNING, address="x"),
        2: InventoryEntry(2, 1, "r", IncarnationStatus.GONE, alive=False),
        3: InventoryEntry(3, 1, "r", IncarnationStatus.FINISHED, alive=False),
    }
    for node in ("n1", "n2"):
        talk.say(talk.join(node, *(lines[job] for job in lines if homes[job] == node)))
    assert talk.state(1) is JobState.RUNNING
    assert talk.state(2) is JobState.PLACED
    assert talk.state(3) is JobState.FINISHED
    assert talk.who(2)[2] == 2


def test_nodes_that_do_not_come_back_are_lost() -> None:
    talk = Talk(network((Plain, "", "a"), (Near, "a", "")), Policy(back_off=(9.0,))).start()
    home = talk.who(1)[0]
    talk.say(JobExited(*talk.who(2), -9))
    talk.made = Coordinator.from_snapshot(
        talk.net, talk.made.snapshot(), 5.0, policy=Policy(return_grace=1.0)
    )
    talk.now = 5.0
    other = {"n1": "n2", "n2": "n1"}[home]
    talk.say(talk.join(other))
    out = talk.say(Tick(), 1.0)
    assert [one.node for one in of(StartJob, out)] == [other]
    assert any("client has not joined" in notice.text for notice in of(Notice, out))
    assert of(StartJob, talk.say(NodeJoined("LOCAL", INFO)))[0].job == 2


def test_a_job_goes_on_only_when_those_are_back_who_may_keep_its_state() -> None:
    talk = Talk(chain(), nodes=("n1", "n2", "n3")).start()
    home = talk.who(2)[0]
    others = [node for node in ("n1", "n2", "n3") if node != home]
    snapshot = talk.made.snapshot()
    homes = {job: talk.who(job)[0] for job in (1, 2, 3)}
    for late in (True, False):
        talk.made, talk.now = Coordinator.from_snapshot(talk.net, snapshot, 5.0), 5.0
        assert not of(StartJob, talk.say(talk.join(home)))
        for node in others[:1] if late else others:
            lines = [
                InventoryEntry(job, 1, "r", IncarnationStatus.RUNNING) for job in (1, 3) if homes[job] == node
            ]
            out = talk.say(talk.join(node, *lines))
        assert bool(of(StartJob, out)) is not late
        assert (2 in {one.job for one in of(StartJob, talk.say(Tick(), 5.0))}) is late


def test_a_job_that_backs_off_is_held_as_well() -> None:
    talk = Talk(chain(), Policy(back_off=(9.0,)), nodes=("n1", "n2")).start()
    home = talk.who(2)[0]
    talk.say(JobExited(*talk.who(2), -9))
    talk.made, talk.now = Coordinator.from_snapshot(talk.net, talk.made.snapshot(), 5.0), 5.0
    assert not of(StartJob, talk.say(talk.join(home)))
    assert 2 in {one.job for one in of(StartJob, talk.say(Tick(), 5.0))}


def test_snapshots_of_every_state() -> None:
    talk = Talk(chain(), Policy(back_off=(9.0,), allocation_timeout=9.0), nodes=("n1",))
    for event in (StartRequested(), None, "fail", "lost", StopRequested()):
        if event == "fail":
            talk.say(JobFailed(*talk.who(2), 1, "run", "boom"))
            talk.say(JobExited(*talk.who(1), 1))
            talk.say(JobFinished(*talk.who(3)))
        elif event == "lost":
            talk.say(NodeLost("n1", "silent"))
        elif isinstance(event, StartRequested | StopRequested):
            talk.say(event)
        snapshot = talk.made.snapshot()
        again = Coordinator.from_snapshot(talk.net, snapshot, 0.0, policy=Policy(allocation_timeout=9.0))
        assert again.snapshot()["jobs"] == snapshot["jobs"]
        assert again.phase is talk.made.phase
        assert again.epoch == talk.made.epoch


def test_a_snapshot_while_gathering_old_jobs() -> None:
    talk = Talk(chain(), nodes=())
    talk.say(talk.join("n1", InventoryEntry(1, 3, "old", IncarnationStatus.RUNNING)))
    talk.say(StartRequested())
    again = Coordinator.from_snapshot(talk.net, talk.made.snapshot(), 0.0)
    assert again.phase is Phase.STARTING
    again.handle(NodeJoined("n1", INFO, slots=4), 1.0)
    assert len(of(StartJob, again.handle(NodeJoined("LOCAL", INFO), 2.0))) == 3


def test_a_surplus_successor_over_a_restart_of_the_client() -> None:
    talk = Talk(chain()).start()
    talk.say(JobExited(*talk.who(3), -9))
    talk.say(JobFinished(*talk.who(2)))
    again = Coordinator.from_snapshot(talk.net, talk.made.snapshot(), 0.0)
    assert again.jobs[3].timer == 10.0


def test_a_snapshot_of_another_network_is_refused() -> None:
    snapshot = Talk(chain()).made.snapshot()
    with pytest.raises(RunError, match="--fresh"):
        Coordinator.from_snapshot(loose(), snapshot, 0.0)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in plain data."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@pytest.mark.parametrize("wrong", [None, 7, -1, "?", [], {}, 1.5, [None], {"a": 1}])
def test_a_snapshot_with_any_wrong_value_restores_or_says_so(wrong: Any) -> None:
    talk = Talk(chain()).start()
    failed(talk, 2)
    talk.say(StopRequested())
    saved = json.dumps(talk.made.snapshot())
    for path in list(places(json.loads(saved)))[1:]:
        damaged = json.loads(saved)
        holder = damaged
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = wrong
        try:
            made = Coordinator.from_snapshot(talk.net, damaged, 0.0)
        except RunError as error:
            assert "--fresh" in str(error)  # noqa: PT017 - a value that fits may also be restored
        else:
            made.handle(talk.join("n1"), 0.1)
            made.handle(Tick(), 100.0)


def test_stop_and_stop_again() -> None:
    talk = Talk(chain()).start()
    assert len(of(StopJob, talk.say(StopRequested()))) == 3
    assert [one.force for one in of(StopJob, talk.say(StopRequested()))] == [True] * 3
    assert talk.say(StopRequested()) == [RequestAccepted(0, "stops all jobs")]
    out = talk.say(Tick(), 0.5)
    assert "could not be ended" in of(Notice, out)[0].text
    assert of(EndNetwork, out) == [EndNetwork(Outcome.STOPPED, 0)]


def test_stop_by_force_at_once_and_before_the_start() -> None:
    talk = Talk(chain()).start()
    assert [one.force for one in of(StopJob, talk.say(StopRequested(force=True)))] == [False] * 3 + [True] * 3
    assert of(EndNetwork, Talk(chain()).say(StopRequested()))


def test_stop_with_a_node_that_left_and_one_that_comes() -> None:
    talk = Talk(chain(), slots=5).start()
    talk.say(StopRequested())
    home = talk.who(1)[0]
    line = InventoryEntry(1, 1, "r", IncarnationStatus.RUNNING, address="x")
    assert of(StopJob, talk.say(talk.join(home, line))) == [StopJob(*talk.who(1), "r")]
    for node in ("n1", "n2"):
        out = talk.say(NodeLost(node, "silent"))
    assert of(EndNetwork, out) or talk.made.phase is Phase.ENDED


def test_stop_forces_orphans_too() -> None:
    talk = Talk(chain(), nodes=())
    talk.say(talk.join("n1", InventoryEntry(1, 3, "old", IncarnationStatus.RUNNING)))
    talk.say(StopRequested())
    out = talk.say(StopRequested())
    assert of(StopJob, out) == [StopJob("n1", 1, 3, "old", force=True)]
    assert "earlier run" in of(Notice, talk.say(Tick(), 0.5))[0].text


def test_failures_while_stopping_do_not_matter() -> None:
    talk = Talk(network((Plain, "", ""))).start()
    who = talk.who(1)
    talk.say(StopRequested())
    assert talk.say(JobFailed(*who, 1, "run", "boom")) == []
    assert of(EndNetwork, talk.say(JobExited(*who, 1))) == [EndNetwork(Outcome.STOPPED, 0)]


def test_refused_nodes_and_draining_nodes_get_nothing() -> None:
    talk = Talk(chain(), nodes=("n1", "n2"), slots=3)
    out = talk.say(NodeRefused("n1", ("python 3.11, here 3.12",)))
    assert "python 3.11" in out[-1].text
    talk.start()
    assert {talk.who(job)[0] for job in (1, 2, 3)} == {"n2"}
    talk.say(NodeRefused("n1", ("still",)))
    talk.say(NodeDraining("n2"))
    talk.say(NodeDraining("n1"))
    assert not of(StartJob, talk.say(NodeJoined("n3", INFO, slots=9)))
    talk.say(JobExited(*talk.who(2), -9))
    assert talk.who(2)[0] == "n3"


def test_nodes_are_those_of_the_configuration() -> None:
    talk = Talk(network((Plain, "", ""), nodes=(BaseNode("n2", max_jobs=4),))).start()
    assert talk.made.nodes["n1"].status is NodeStatus.DRAINING
    assert talk.made.nodes["n2"].state.slots == 4
    assert talk.who(1)[0] == "n2"


def test_a_preference_that_raises_at_failover_keeps_its_job_waiting_alone() -> None:
    class Moody(PythonJob):
        calls = 0

        def preference(self, nodes: list[NodeInfo]) -> NodeInfo | None:
            Moody.calls += 1
            if Moody.calls > 1:
                raise ValueError("moody")
            return None

    talk = Talk(network((Moody, "", ""), (Plain, "", "")), nodes=("n1",)).start()
    talk.say(NodeLost("n1", "silent"))
    out = talk.say(talk.join("n2"))
    assert [one.job for one in of(StartJob, out)] == [2]
    talk.say(talk.join("n3"))
    assert talk.state(1) is JobState.WAITING


def test_a_stranger_is_lost_in_silence() -> None:
    talk = Talk(chain())
    assert talk.say(NodeLost("n9", "silent")) == []
    assert talk.made.deadline() is None
    revision = talk.made.revision
    talk.say(Tick())
    assert talk.made.revision == revision


def test_the_node_of_a_receiver_is_lost_after_its_sender_has_finished() -> None:
    talk = Talk(chain()).start()
    assert talk.who(2)[0] != talk.who(3)[0]
    talk.say(JobFinished(*talk.who(2)))
    talk.say(NodeLost(talk.who(3)[0], "silent"))
    assert talk.state(3) is JobState.FINISHED


def test_waiting_begins_anew_with_a_new_client() -> None:
    policy = Policy(allocation_timeout=60.0)
    talk = Talk(chain(), policy, nodes=("n1",)).start()
    talk.say(NodeLost("n1", "silent"), 50.0)
    again = Coordinator.from_snapshot(talk.net, talk.made.snapshot(), 6.0, policy=policy)
    again.handle(NodeJoined("LOCAL", INFO), 7.0)
    assert {job.timer for job in again.jobs.values()} == {67.0}


@pytest.mark.parametrize("slots", [3, 0])
def test_the_time_of_a_job_begins_when_it_is_not_held_any_more(slots: int) -> None:
    policy = Policy(allocation_timeout=3.0, return_grace=5.0)
    talk = Talk(chain(), policy).start()
    home = talk.who(2)[0]
    talk.made = Coordinator.from_snapshot(talk.net, talk.made.snapshot(), 0.0, policy=policy)
    talk.slots = slots
    talk.say(talk.join(home))  # the job has died with the client; the other node never comes back
    assert talk.state(2) is JobState.WAITING
    talk.say(Tick(), 4.0)
    assert talk.made.phase is Phase.RUNNING
    started = {one.job for one in of(StartJob, talk.say(Tick(), 1.0))}
    assert (2 in started) is (slots > 0)
    talk.say(Tick(), 2.9)
    assert talk.made.phase is Phase.RUNNING
    talk.say(Tick(), 0.1)
    assert (talk.made.phase is Phase.RUNNING) is (slots > 0)


def test_every_state_knows_what_to_do_when_the_network_stops() -> None:
    assert {state for state, move in JOB_TABLE if move is JobMove.STOP} == set(JobState)
    assert set(JOB_TABLE.values()) == set(JobState)


def test_a_lost_node_may_be_the_end_for_one_of_its_jobs() -> None:
    talk = Talk(chain(), Policy(max_restarts=0), nodes=("n1",)).start()
    talk.say(JobFailed(*talk.who(1), 1, "run", "boom"))
    (end,) = of(EndNetwork, talk.say(NodeLost("n1", "silent")))
    assert end.failure.job == 1


# -- planned moves -------------------------------------------------------------------------------------------


def test_a_job_moves_by_being_ended_and_started_elsewhere() -> None:
    talk = Talk(chain()).start()
    node, _, incarnation = talk.who(2)
    other = "n2" if node == "n1" else "n1"
    (stop,) = of(StopJob, talk.say(MoveRequested(2, other)))
    assert (stop.node, stop.job, stop.incarnation, stop.force) == (node, 2, incarnation, False)
    assert talk.state(2) is JobState.MOVING
    (start,) = of(StartJob, talk.say(JobExited(node, 2, incarnation, 0)))
    assert (start.node, start.incarnation, start.resume) == (other, incarnation + 1, True)
    routes = of(SendRoute, talk.up(2))
    assert {route.job for route in routes} == {1, 2}


def test_a_process_that_does_not_end_for_its_move_is_ended_by_force() -> None:
    talk = Talk(chain()).start()
    talk.say(MoveRequested(2))
    (stop,) = of(StopJob, talk.say(Tick(), Policy().exit_grace))
    assert stop.force


@pytest.mark.parametrize(
    ("job", "target", "said"),
    [
        (9, "n1", "there is no job 9"),
        (2, "n7", "no such node"),
        (2, "n1", "n1 already"),
    ],
)
def test_moves_that_cannot_be(job: int, target: str, said: str) -> None:
    talk = Talk(chain()).start()
    if job == 2 and target == "n1":
        target = str(talk.who(2)[0])
        said = f"{target} already"
    out = talk.say(MoveRequested(job, target))
    assert of(StopJob, out) == []
    assert said in answers(out)[0].text


@pytest.mark.parametrize(
    "request_",
    [
        MoveRequested(2, request=5),
        DrainRequested("n2", request=5),
        RebalanceRequested(5),
        StopRequested(request=5),
    ],
)
def test_a_warning_in_the_same_event_does_not_refuse_a_request(request_: Event) -> None:
    talk = Talk(chain(), nodes=("n1", "n2", "n3")).start()
    made = Coordinator.from_snapshot(talk.net, talk.made.snapshot(), 0.0)
    for job in talk.made.jobs.values():
        if job.node in ("n1", "n2"):
            line = InventoryEntry(job.id, 1, "r", IncarnationStatus.RUNNING, address="x")
            made.handle(talk.join(job.node, line), 0.1)
    late = (
        Policy().return_grace + 1.0
    )  # n3 has not come back by then: a warning that the request did not cause
    out = made.handle(request_, late)
    assert any(notice.level == WARNING for notice in of(Notice, out))
    assert answers(out)
    assert all(isinstance(one, RequestAccepted) and one.request == 5 for one in answers(out))


@pytest.mark.parametrize(
    "asked", [MoveRequested(2, request=5), StopRequested(request=5), RebalanceRequested(5)]
)
def test_a_request_after_the_end_is_refused(asked: Event) -> None:
    talk = Talk(chain(), nodes=())
    assert of(EndNetwork, talk.say(StopRequested()))
    assert talk.say(asked) == [RequestRefused(5, "the network has ended")]
    assert talk.say(StopRequested()) == []  # Ctrl+C: nothing waits for an answer


def test_a_full_node_takes_no_move() -> None:
    talk = Talk(chain(), slots=2).start()
    node = talk.who(2)[0]
    other = "n2" if node == "n1" else "n1"
    for _ in range(2):
        out = talk.say(MoveRequested(2, other))
        if not of(StopJob, out):
            assert "cannot move" in of(RequestRefused, out)[0].text
            return
        node, _, incarnation = talk.who(2)
        talk.say(JobExited(node, 2, incarnation, 0))
        talk.up(2)
        free = [one for one in ("n1", "n2") if one != talk.who(2)[0]]
        other = free[0]


def test_a_node_is_drained_and_takes_jobs_again() -> None:
    talk = Talk(chain(), slots=3).start()
    node = str(talk.who(2)[0])
    leaving = [job.id for job in talk.made.jobs.values() if job.node == node]
    stops = of(StopJob, talk.say(DrainRequested(node)))
    assert [stop.job for stop in stops] == leaving
    for stop in stops:
        (start,) = of(StartJob, talk.say(JobExited(node, stop.job, stop.incarnation, 0)))
        assert start.node != node
    assert talk.made.nodes[node].status is NodeStatus.DRAINING
    talk.say(DrainRequested(node, undo=True))
    assert talk.made.nodes[node].status is NodeStatus.UP


def test_a_job_stays_on_a_drained_node_when_no_other_takes_it() -> None:
    talk = Talk(chain(), nodes=("n1",)).start()
    out = talk.say(DrainRequested("n1"))
    assert of(StopJob, out) == []
    assert "stays on n1" in of(RequestRefused, out)[0].text


def test_a_node_stays_drained_when_it_comes_back_and_for_the_next_client() -> None:
    talk = Talk(chain(), slots=3).start()
    talk.say(DrainRequested("n1"))
    talk.say(NodeLost("n1", "silent"))
    talk.say(talk.join("n1"))
    assert talk.made.nodes["n1"].status is NodeStatus.DRAINING
    made = Coordinator.from_snapshot(talk.net, talk.made.snapshot(), 0.0)
    made.handle(talk.join("n1", InventoryEntry(9, 1, "old", IncarnationStatus.RUNNING)), 0.1)
    assert made.nodes["n1"].status is NodeStatus.DRAINING
    made.handle(DrainRequested("n1", undo=True), 0.2)
    assert made.nodes["n1"].status is NodeStatus.FENCED  # until the old job has ended
    assert made.snapshot()["drained"] == []


def test_only_a_drain_is_undone() -> None:
    talk = Talk(chain(), nodes=("n1", "n2", "n3")).start()
    talk.say(NodeDraining("n1"))
    assert "not drained" in of(RequestRefused, talk.say(DrainRequested("n1", undo=True)))[0].text
    talk.say(DrainRequested("n1"))
    assert "about to end" in of(RequestRefused, talk.say(DrainRequested("n1", undo=True)))[0].text
    assert talk.made.nodes["n1"].status is NodeStatus.DRAINING
    talk.say(DrainRequested("n2"))
    talk.say(NodeLost("n2", "silent"))
    talk.say(DrainRequested("n2", undo=True))
    talk.say(talk.join("n2"))
    assert talk.made.nodes["n2"].status is NodeStatus.UP


@pytest.mark.parametrize("wish", [MoveRequested(1), DrainRequested("n1"), RebalanceRequested()])
def test_a_preference_that_raises_moves_nothing(wish: Event) -> None:
    class Moody(PythonJob):
        raises = False

        def preference(self, nodes: list[NodeInfo]) -> NodeInfo | None:
            if Moody.raises:
                raise ValueError("moody")
            return None

    talk = Talk(network((Moody, "", "")), nodes=("n1",)).start()
    talk.say(talk.join("n2"))
    Moody.raises = True
    out = talk.say(wish)
    assert of(StopJob, out) == []
    assert "moody" in of(RequestRefused, out)[-1].text


def test_rebalance_fills_a_node_that_came_later() -> None:
    talk = Talk(chain(), nodes=("n1",)).start()
    assert of(StopJob, talk.say(RebalanceRequested())) == []
    talk.say(talk.join("n2"))
    assert of(StopJob, talk.say(RebalanceRequested()))


def test_a_move_is_gone_through_with_by_the_next_client() -> None:
    talk = Talk(chain()).start()
    node, _, incarnation = talk.who(2)
    talk.say(MoveRequested(2))
    made = Coordinator.from_snapshot(talk.net, talk.made.snapshot(), 0.0)
    line = InventoryEntry(2, incarnation, "r", IncarnationStatus.RUNNING, address="x")
    out = made.handle(talk.join(str(node), line), 0.1)
    assert [stop.job for stop in of(StopJob, out)] == [2]


def test_a_start_names_what_it_lacks() -> None:
    talk = Talk(chain(), nodes=())
    assert talk.made.start_problem().startswith("no node for 3 of 3 jobs")
    talk.say(talk.join("n1", InventoryEntry(1, 3, "old", IncarnationStatus.RUNNING)))
    assert talk.made.start_problem() == "", "it ends the jobs of another run, which does not take long"


def lost_with_a_failure(round: int = 7, where: str = "run", incarnation: int = 1) -> InventoryEntry:
    failure = ReportedFailure(round, where, "boom", "the traceback")
    return InventoryEntry(2, incarnation, "r", IncarnationStatus.FAILED, alive=False, failure=failure)


def replayed() -> Network:
    """A chain whose source can be replayed: its restart begins no epoch."""
    return network((Replayable, "", "a"), (Plain, "a", "b"), (Plain, "b", ""))


def wander(talk: Talk, times: int, **failure: Any) -> list[Instruction]:
    """Job 2 fails again and again, and its node is lost each time before the client hears it; then the node is back."""
    out: list[Instruction] = []
    for _ in range(times):
        node, _, incarnation = talk.who(2)
        out += talk.say(NodeLost(node, "silent"), 10.0)
        for job in (1, 2, 3):
            if talk.state(job) is JobState.PLACED:
                talk.up(job)
        out += talk.say(talk.join(node, lost_with_a_failure(incarnation=incarnation, **failure)), 10.0)
    return out


def test_a_failure_that_was_lost_with_its_node_counts() -> None:
    """A job that makes its nodes look dead wandered from node to node for ever."""
    talk = Talk(replayed(), Policy(max_restarts=3)).start()
    out = wander(talk, 3)
    told = [notice.text for notice in of(Notice, out) if notice.level == ERROR and notice.job == 2]
    assert len(told) == 3
    assert told[0].startswith("had failed in round 7 on n")
    assert told[0].endswith("before that was lost: boom; it counts as one of 3 restarts\nthe traceback")
    assert talk.made.phase is Phase.RUNNING
    (end,) = of(EndNetwork, [*failed(talk, 2), *talk.say(Tick(), 3.0), *ended(talk)])
    assert (end.outcome, end.failure.message) == (Outcome.FAILED, "job Plain 2 failed in round 7: boom")


def test_a_failure_that_was_lost_with_its_node_counts_once() -> None:
    talk = Talk(replayed()).start()
    wander(talk, 1)
    assert talk.made.jobs[2].crashes.restarts == 1
    for _ in range(3):
        for node in ("n1", "n2"):
            if node != talk.who(2)[0]:
                talk.say(NodeLost(node, "silent"))
                talk.say(talk.join(node, lost_with_a_failure()))
    assert talk.made.jobs[2].crashes.restarts == 1


def test_a_failure_that_was_heard_does_not_count_again() -> None:
    talk = Talk(replayed()).start()
    node, _, _ = who = talk.who(2)
    talk.say(JobFailed(*who, 7, "run", "boom"))
    talk.say(NodeLost(node, "silent"))
    assert talk.made.jobs[2].crashes.restarts == 1
    talk.say(talk.join(node, lost_with_a_failure()))
    assert talk.made.jobs[2].crashes.restarts == 1


def test_a_job_that_got_past_the_round_has_made_progress() -> None:
    talk = Talk(replayed()).start()
    node, _, _ = talk.who(2)
    talk.say(NodeLost(node, "silent"))
    talk.up(2)
    talk.say(JobProgress(*talk.who(2), 8))
    talk.say(talk.join(node, lost_with_a_failure(round=7)))
    assert talk.made.jobs[2].crashes.restarts == 0


def test_a_node_that_was_only_lost_counts_nothing() -> None:
    talk = Talk(replayed()).start()
    for _ in range(10):
        node, _, incarnation = talk.who(2)
        talk.say(NodeLost(node, "silent"), 1.0)
        for job in (1, 2, 3):
            if talk.state(job) is JobState.PLACED:
                talk.up(job)
        talk.say(
            talk.join(node, InventoryEntry(2, incarnation, "r", IncarnationStatus.GONE, alive=False)), 1.0
        )
    assert talk.made.jobs[2].crashes.restarts == 0
    assert len(talk.made.jobs[2].unheard) <= 16


def test_a_failure_while_no_client_was_there_counts_where_it_was() -> None:
    talk = Talk(replayed(), slots=5).start()
    node = talk.who(2)[0]
    snapshot = json.loads(json.dumps(talk.made.snapshot()))
    talk.made, talk.now = Coordinator.from_snapshot(talk.net, snapshot, 5.0), 5.0
    out = talk.say(talk.join(node, lost_with_a_failure()))
    (text,) = [notice.text for notice in of(Notice, out) if notice.level == ERROR]
    assert text == f"failed in round 7 on {node}: boom\nthe traceback"
    crashes = talk.made.jobs[2].crashes
    assert (crashes.restarts, crashes.failed_round) == (1, 7)


def ended(talk: Talk) -> list[Instruction]:
    """All processes end."""
    out: list[Instruction] = []
    for job in (1, 2, 3):
        out += talk.say(JobExited(*talk.who(job), 0))
    return out
