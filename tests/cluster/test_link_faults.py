"""Cuts between nodes, as conversations with the coordinator: when a job moves, which one, where to, and when none does."""

import pytest
from cluster_networks import Near, Plain, Replayable, network
from cluster_talk import Talk, of

from fission.cluster import (
    Instruction,
    JobExited,
    MoveRequested,
    NodeLost,
    Notice,
    PipesSilent,
    Policy,
    StartJob,
    StopJob,
    StopRequested,
    Tick,
)
from fission.core.network import Network

TIMEOUT = 5.0
POLICY = Policy(link_timeout=TIMEOUT, return_grace=0.0)
A, B = ord("a"), ord("b")
"""Pipes: from job 1 to 2, from 2 to 3."""


def line() -> Network:
    """A source that can be replayed, a connector, a sink."""
    return network((Replayable, "", "a"), (Plain, "a", "b"), (Plain, "b", ""))


def spread(net: Network | None = None, places: dict[int, str] | None = None, nodes: int = 3) -> Talk:
    """A running network with the jobs at these places: job 1 on n1, job 2 on n2, job 3 on n2."""
    talk = Talk(net or line(), POLICY, tuple(f"n{number}" for number in range(1, nodes + 1))).start()
    for job, node in (places or {1: "n1", 2: "n2", 3: "n2"}).items():
        if talk.made.jobs[job].node != node:
            who = talk.who(job)
            talk.say(MoveRequested(job, node))
            moved(talk, job, who)
        assert talk.made.jobs[job].node == node
    talk.now += 1000
    return talk


def moved(talk: Talk, job: int, who: tuple[str, int, int]) -> list[Instruction]:
    """The old process ends, and the new one is up."""
    out = talk.say(JobExited(*who, 0))
    talk.up(job)
    return out


def silent(talk: Talk, job: int, *pipes: int, seconds: float = 0.0, later: float = 0.0) -> list[Instruction]:
    return talk.say(PipesSilent(*talk.who(job), dict.fromkeys(pipes, seconds)), later)


def stops(instructions: list[Instruction]) -> list[int]:
    return [stop.job for stop in of(StopJob, instructions)]


def texts(instructions: list[Instruction]) -> list[str]:
    return [notice.text for notice in of(Notice, instructions) if notice.level >= 30]


def test_a_job_moves_after_the_timeout_to_where_both_are_reached() -> None:
    talk = spread()
    assert silent(talk, 1, A) == []
    assert talk.made.deadline() == talk.now + TIMEOUT
    assert talk.say(Tick(), TIMEOUT - 0.1) == []
    who = talk.who(2)
    out = talk.say(Tick(), 0.2)
    assert stops(out) == [2]
    (text,) = texts(out)  # on n1 it would be cut off from job 3
    assert text == "moves from n2 to n3: node n1 and node n2 have not reached each other for 5 s (pipe 97)"
    (start,) = of(StartJob, moved(talk, 2, who))
    assert (start.job, start.node) == (2, "n3")
    assert talk.made.deadline() is None


def test_silence_that_ends_in_time_moves_nothing() -> None:
    talk = spread()
    silent(talk, 1, A)
    assert silent(talk, 1, later=TIMEOUT - 0.1) == []
    assert talk.made.deadline() is None
    assert talk.say(Tick(), 100.0) == []


def test_silence_is_over_when_neither_end_reports_it() -> None:
    talk = spread()
    silent(talk, 1, A)
    silent(talk, 2, A)
    silent(talk, 1)
    assert talk.made.deadline() is not None
    silent(talk, 2)
    assert talk.made.deadline() is None


def test_a_process_reports_only_about_its_own_pipes() -> None:
    talk = spread()
    silent(talk, 1, B, 12345)
    assert talk.made.deadline() is None


def test_what_a_process_knew_before_the_other_one_listened_does_not_count() -> None:
    talk = spread()
    who = talk.who(2)
    talk.say(MoveRequested(2, "n3"))
    moved(talk, 2, who)
    silent(talk, 1, A, seconds=100.0)
    assert talk.made.deadline() == talk.now + TIMEOUT


def test_a_time_that_a_process_has_known_of_is_given() -> None:
    talk = spread()
    silent(talk, 1, A, seconds=3.0)
    assert talk.made.deadline() == talk.now + TIMEOUT - 3.0


def test_a_node_that_is_lost_comes_first() -> None:
    talk = spread()
    silent(talk, 1, A)
    out = talk.say(NodeLost("n2", "nothing was heard of it"), 1.0)
    assert {start.job for start in of(StartJob, out)} == {2, 3}
    assert talk.made.deadline() is None
    assert texts(talk.say(Tick(), 100.0)) == []


def test_a_live_source_stays_where_a_connector_can_move() -> None:
    net = network((Plain, "", "a"), (Plain, "a", "b"), (Plain, "b", ""))
    talk = spread(net)
    silent(talk, 1, A)
    assert stops(talk.say(Tick(), TIMEOUT)) == [2]


def test_the_job_on_the_node_with_more_cuts_moves() -> None:
    net = network((Replayable, "", "ab"), (Plain, "a", ""), (Plain, "b", ""))
    talk = spread(net, {1: "n1", 2: "n2", 3: "n3"})
    silent(talk, 1, A, B)
    out = talk.say(Tick(), TIMEOUT)
    assert stops(out) == [1]
    assert "moves from n1 to n" in texts(out)[0]
    assert talk.made.deadline() == talk.made.jobs[1].timer  # the other pipe needs nothing more


def test_a_node_that_is_cut_off_from_another_neighbor_is_no_target() -> None:
    talk = spread(
        network((Replayable, "", "a"), (Plain, "a", "b"), (Near, "b", "")), {1: "n1", 2: "n2"}, nodes=2
    )
    silent(talk, 1, A)
    silent(talk, 2, B)
    who = talk.who(1)
    assert stops(out := talk.say(Tick(), TIMEOUT)) == [2], "n2 is cut off twice"
    assert "moves from n2 to n1" in texts(out)[0]
    assert who == talk.who(1)


def test_the_client_and_a_node_are_a_pair_like_any() -> None:
    talk = spread(network((Replayable, "", "a"), (Near, "a", "")), {1: "n1"}, nodes=2)
    silent(talk, 1, A)
    out = talk.say(Tick(), TIMEOUT)
    assert texts(out) == [
        "moves from n1 to n2: node n1 and the client have not reached each other for 5 s (pipe 97)"
    ]


def test_where_no_job_can_move_the_reason_is_said_once() -> None:
    net = network((Replayable, "", "a"), (Near, "a", ""))
    talk = spread(net, {1: "n1"}, nodes=1)
    silent(talk, 1, A)
    (text,) = texts(talk.say(Tick(), TIMEOUT))
    assert (
        "node n1 and the client have not reached each other for 5 s (pipe 97), and no job can move; " in text
    )
    assert "Near 2: it belongs to the client" in text
    assert "Replayable 1: no other node reaches all its neighbors" in text
    assert talk.made.deadline() is None
    silent(talk, 1, A, seconds=30.0)
    assert texts(talk.say(Tick(), 100.0)) == []


def test_it_is_tried_again_when_a_node_joins() -> None:
    net = network((Replayable, "", "a"), (Near, "a", ""))
    talk = spread(net, {1: "n1"}, nodes=1)
    silent(talk, 1, A)
    talk.say(Tick(), TIMEOUT)
    assert stops(talk.say(talk.join("n2"), 1.0)) == [1]


def test_moves_take_longer_and_longer_to_come() -> None:
    """No node reaches the client's data port: each move of a job waits twice as long as the one before."""
    talk = spread(network((Replayable, "", "a"), (Near, "a", "")), {1: "n1"}, nodes=14)
    waits = []
    for _ in range(12):
        began = talk.now
        silent(talk, 1, A)
        due = talk.made.deadline()
        assert due is not None
        who = talk.who(1)
        assert stops(talk.say(Tick(), due - talk.now)) == [1]
        waits.append(talk.now - began)
        moved(talk, 1, who)
    assert waits == [min(TIMEOUT * 2**count, 320.0) for count in range(12)]
    talk.now += 601
    silent(talk, 1, A)
    assert talk.made.deadline() == talk.now + TIMEOUT, "it is forgotten"


def test_a_cut_is_avoided_for_a_while() -> None:
    talk = spread(network((Replayable, "", "a"), (Near, "a", "")), {1: "n1"}, nodes=2)
    silent(talk, 1, A)
    who = talk.who(1)
    talk.say(Tick(), TIMEOUT)
    moved(talk, 1, who)
    silent(talk, 1, A)
    (text,) = texts(talk.say(Tick(), 2 * TIMEOUT))
    assert "no job can move" in text, "n1 is known to be cut off from the client as well"


def test_without_a_timeout_nothing_moves() -> None:
    talk = Talk(line(), Policy(link_timeout=None)).start()
    silent(talk, 1, A)
    assert talk.made.deadline() is None


def test_a_network_that_ends_moves_nothing() -> None:
    talk = spread()
    silent(talk, 1, A)
    talk.say(StopRequested())
    assert texts(talk.say(Tick(), TIMEOUT)) == []


@pytest.mark.parametrize("job", [1, 2])
def test_a_restart_of_either_end_begins_anew(job: int) -> None:
    talk = spread()
    silent(talk, 1, A)
    node, _, incarnation = talk.who(job)
    talk.say(JobExited(node, job, incarnation, -9), 4.0)
    talk.up(job)
    assert talk.made.deadline() is None
    silent(talk, 1, A, seconds=4.0)
    assert talk.made.deadline() == talk.now + TIMEOUT
