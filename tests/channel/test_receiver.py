"""The receiving end: one connection, no duplicates, no gaps, releases told in time."""

import pytest

from fission.channel.conversation import ReceiverState
from fission.channel.receiver import ACK_BLOCKS, ACK_SECONDS, Receiver
from fission.channel.retained import BLOCK_COST, FRAME_COST
from fission.channel.wire.frames import (
    VERSION,
    WIRE_RESET,
    Ack,
    Batch,
    CheckpointRequest,
    Done,
    Durable,
    End,
    Hello,
    Welcome,
)
from fission.errors import LocalProtocolError, RemoteProtocolError


@pytest.fixture(autouse=True)
def readable(monkeypatch):
    monkeypatch.setattr("fission.channel.receiver.encode_control", lambda frame: frame)


def receiver(**more):
    return Receiver(7, run="run", **more)


def hello(incarnation=1, *, version=VERSION, run="run", pipe=7, released=(1, 0)):
    return Hello(version, run, pipe, incarnation, released)


def streaming(**more):
    r = receiver(**more)
    assert r.hello(hello())
    r.take(0.0)
    return r


def batch(first, last, epoch=1, size=1):
    head = WIRE_RESET if first == 1 else 0
    return Batch(epoch, first, head, 0.0, 0.0, [bytes(size)] * (last - first + 1))


def spans(batches):
    return [(b.epoch, b.first, b.last) for b in batches]


def test_it_tells_what_it_wants_and_what_it_released():
    r = receiver(start=(2, 51))
    assert r.take(0.0) == []
    assert r.deadline() is None
    assert r.hello(hello())
    assert r.deadline() == 0.0
    assert r.take(0.0) == [Welcome(2, 51), Ack(2, 50)]
    assert r.take(0.0) == []
    assert r.deadline() is None


def test_blocks_are_delivered_once_and_in_order():
    r = streaming()
    assert spans(r.receive(batch(1, 4))) == [(1, 1, 4)]
    assert r.receive(batch(1, 4)) == []
    assert spans(r.receive(batch(3, 6))) == [(1, 5, 6)]
    assert r.wanted == (1, 7)
    assert r.counters.duplicates == 6
    assert r.counters.bytes == 6


def test_after_a_reconnection_it_says_where_to_go_on():
    r = streaming()
    r.receive(batch(1, 4))
    r.release(1, 2)
    r.disconnected()
    assert r.take(9.0) == []
    assert r.deadline() is None
    assert r.hello(hello())
    assert r.take(9.0) == [Welcome(1, 5), Ack(1, 2)]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (hello(version=VERSION + 1), "version"),
        (hello(run="other"), "run"),
        (hello(pipe=8), "pipe 8"),
        (hello(1), "replaced"),
    ],
)
def test_who_is_refused_and_why(frame, reason):
    r = receiver(incarnation=2)
    assert not r.hello(frame)
    assert reason in r.refusal
    assert r.state is ReceiverState.IDLE
    assert r.hello(hello(2))
    assert r.refusal == ""


def test_a_newer_incarnation_supersedes_for_ever_and_the_same_one_may_reconnect():
    r = streaming()
    r.receive(batch(1, 2))
    assert r.hello(hello(5))
    assert r.take(0.0)[0] == Welcome(1, 3)
    assert not r.hello(hello(4))
    assert r.state is ReceiverState.STREAMING
    assert r.take(0.0) == []
    assert r.hello(hello(5))
    assert r.incarnation == 5
    assert r.take(0.0)[0] == Welcome(1, 3)


def test_a_gap_inside_a_connection_is_an_error():
    r = streaming()
    r.receive(batch(1, 2))
    with pytest.raises(RemoteProtocolError, match="missing") as caught:
        r.receive(batch(4, 5))
    assert caught.value.events[-1] == "STREAMING < DATA"
    with pytest.raises(RemoteProtocolError):
        r.receive(batch(2, 5, epoch=2))
    assert r.wanted == (1, 3)


def test_a_gap_on_a_live_pipe_is_passed_on():
    r = streaming(delivery="live")
    assert spans(r.receive(batch(3, 4))) == [(1, 3, 4)]
    assert spans(r.receive(batch(7, 7))) == [(1, 7, 7)]


def test_epochs():
    r = streaming()
    r.receive(batch(1, 2))
    assert spans(r.receive(batch(1, 3, epoch=2))) == [(2, 1, 3)]
    assert r.receive(batch(3, 4)) == []
    assert r.counters.late == 2
    with pytest.raises(RemoteProtocolError, match="reset bit"):
        r.receive(Batch(3, 1, 0, 0.0, 0.0, [b""]))


def test_acknowledgements_wait_for_a_while():
    r = streaming()
    r.receive(batch(1, 9))
    r.release(1, 5)
    assert r.deadline() == 0.0
    assert r.take(10.0) == []
    assert r.deadline() == 10.0 + ACK_SECONDS
    r.release(1, 6)
    assert r.take(10.0 + ACK_SECONDS / 2) == []
    assert r.take(10.0 + ACK_SECONDS) == [Ack(1, 6)]
    assert r.deadline() is None
    assert r.released == (1, 6)


def test_acknowledgements_of_many_blocks_leave_at_once():
    r = streaming()
    r.receive(batch(1, 1000))
    r.release(1, ACK_BLOCKS - 1)
    assert r.take(0.0) == []
    r.release(1, ACK_BLOCKS)
    assert r.take(0.0) == [Ack(1, ACK_BLOCKS)]


def test_acknowledgements_of_many_bytes_leave_at_once():
    cost = FRAME_COST + BLOCK_COST  # counted as the sender counts
    r = streaming(retain=8 * (2 * cost + 100))
    r.receive(batch(1, 1, size=50))
    r.receive(batch(2, 2, size=49))
    r.receive(batch(3, 3, size=1))
    r.release(1, 2)
    assert r.take(0.0) == []
    r.release(1, 3)
    assert r.take(0.0) == [Ack(1, 3)]


def test_a_release_in_a_new_epoch_leaves_at_once():
    r = streaming()
    r.receive(batch(1, 2))
    r.receive(batch(1, 2, epoch=2))
    r.release(2, 1)
    assert r.take(0.0) == [Ack(2, 1)]


def test_release_is_monotone():
    r = streaming()
    r.receive(batch(1, 9))
    r.release(1, 5)
    r.release(1, 3)
    assert r.released == (1, 5)


def test_what_never_came_cannot_be_released():
    r = streaming()
    r.receive(batch(1, 9))
    with pytest.raises(LocalProtocolError, match="never came"):
        r.release(1, 10)
    r.receive(End(1, 10))
    r.release(1, 10)
    with pytest.raises(LocalProtocolError):
        r.release(1, 11)


def test_a_join_may_release_beyond_what_an_old_epoch_had():
    r = streaming()
    r.receive(batch(1, 9))
    r.receive(batch(1, 1, epoch=2))
    r.release(1, 100)
    assert r.released == (1, 100)


def test_pressing_when_half_of_the_window_is_delivered_but_not_released():
    r = streaming(retain=2 * (2 * (FRAME_COST + BLOCK_COST) + 50))
    r.receive(batch(1, 1, size=49))
    assert not r.checkpoint_requested
    r.receive(batch(2, 2, size=1))
    assert r.checkpoint_requested
    r.release(1, 1)
    assert not r.checkpoint_requested


def test_the_end_is_acknowledged_with_its_own_number_and_at_once():
    r = streaming()
    r.receive(batch(1, 3))
    assert not r.ended
    assert r.receive(End(1, 4)) == []
    assert r.ended
    assert r.end == (1, 4)
    r.release(1, 3)
    assert r.take(0.0) == [Ack(1, 3)]
    r.release(*r.end)
    assert r.take(0.0) == [Ack(1, 4)]


def test_the_end_is_there_again_after_a_reconnection():
    r = streaming()
    r.receive(batch(1, 3))
    r.receive(End(1, 4))
    r.disconnected()
    assert r.hello(hello(2))
    assert r.take(0.0)[0] == Welcome(1, 4)
    assert r.receive(batch(2, 3)) == []  # a restarted sender may know less
    assert r.receive(End(1, 4)) == []


@pytest.mark.parametrize("end", [End(1, 3), End(1, 5), End(2, 2)])
def test_an_end_elsewhere_than_where_the_blocks_end(end):
    r = streaming()
    r.receive(batch(1, 3))
    with pytest.raises(RemoteProtocolError, match="end"):
        r.receive(end)


def test_an_end_of_a_new_epoch_without_blocks():
    r = streaming()
    r.receive(batch(1, 3))
    r.receive(End(2, 1))
    assert r.end == (2, 1)


def test_an_end_on_a_live_pipe_may_lie_ahead_or_behind():
    r = streaming(delivery="live")
    r.receive(batch(1, 3))
    r.receive(End(1, 9))
    assert r.end == (1, 9)
    assert r.wanted == (1, 9)


def test_blocks_after_the_end():
    r = streaming()
    r.receive(batch(1, 3))
    r.receive(End(1, 4))
    with pytest.raises(RemoteProtocolError, match="DATA in state ENDED"):
        r.receive(batch(4, 4))
    r.hello(hello())
    with pytest.raises(RemoteProtocolError, match="after the end"):
        r.receive(batch(3, 4))
    assert r.wanted == (1, 4)


@pytest.mark.parametrize("frame", [Welcome(1, 1), Ack(1, 1), Done(), hello()])
def test_frames_that_only_receivers_send_or_that_come_too_late(frame):
    r = streaming()
    with pytest.raises(RemoteProtocolError, match="unexpected frame"):
        r.receive(frame)


def test_blocks_before_hello():
    with pytest.raises(RemoteProtocolError, match="DATA in state IDLE"):
        receiver().receive(batch(1, 1))


def test_done_tells_the_sender_and_drops_the_rest():
    r = streaming()
    r.receive(batch(1, 3))
    r.release(1, 1)
    r.done()
    assert r.deadline() == 0.0
    assert r.take(0.0) == [Done()]
    assert r.take(0.0) == []
    assert r.deadline() is None
    assert r.receive(batch(4, 5)) == []
    assert r.receive(End(1, 6)) == []
    assert not r.ended
    r.done()
    r.disconnected()
    assert r.hello(hello())
    assert r.take(0.0) == [Done()]


def test_done_before_anybody_came():
    r = receiver()
    r.done()
    assert r.hello(hello())
    assert r.take(0.0) == [Done()]
    assert r.deadline() is None


def test_a_live_pipe_with_room_tells_how_far_the_job_is():
    r = receiver(delivery="live", room=8)
    r.hello(hello())
    assert r.take(0.0) == [Welcome(1, 1), Ack(1, 0)]
    r.receive(batch(1, 8))
    r.processed(1, 1)
    assert r.take(0.0) == []
    r.processed(1, 3)
    r.processed(1, 2)
    assert r.take(0.0) == [Ack(1, 3)]
    assert r.released == (1, 0)
    r.hello(hello(2))
    assert r.take(0.0) == [Welcome(1, 9), Ack(1, 3)]
    r.processed(2, 0)
    assert r.take(0.0) == [Ack(2, 0)]
    r.receive(End(2, 1))
    r.release(2, 1)
    assert r.take(0.0) == [Ack(2, 1)]


def test_a_live_pipe_with_little_room_tells_every_block():
    r = receiver(delivery="live", room=2)
    r.hello(hello())
    r.take(0.0)
    for number in range(1, 4):
        r.receive(batch(number, number))
        r.processed(1, number)
        assert r.take(0.0) == [Ack(1, number)]


def test_a_live_pipe_acknowledges_nothing_but_the_end():
    r = receiver(delivery="live")
    r.hello(hello())
    assert r.take(0.0) == [Welcome(1, 1)]
    r.receive(batch(1, 1000))
    r.release(1, 900)
    assert r.deadline() is None
    assert r.take(99.0) == []
    assert not r.checkpoint_requested
    r.receive(End(1, 1001))
    r.release(1, 1000)
    assert r.take(99.0) == []
    r.release(1, 1001)
    assert r.deadline() == 0.0
    assert r.take(99.0) == [Ack(1, 1001)]


def test_a_receiver_that_is_not_placed_keeps_its_sender_waiting():
    r = receiver(placed=False)
    assert r.hello(hello(released=(0, 0)))
    assert r.take(0.0) == []
    assert r.deadline() is None
    r.place((2, 8))
    assert r.deadline() == 0.0
    assert r.take(0.0) == [Welcome(2, 8), Ack(2, 7)]
    with pytest.raises(LocalProtocolError, match="placed twice"):
        r.place((2, 9))


def test_who_does_not_know_where_to_begin_asks_the_sender():
    r = receiver(placed=False)
    r.ask()
    assert r.deadline() is None
    assert r.hello(hello(released=(0, 0)))
    assert r.deadline() == 0.0
    assert r.take(0.0) == [Welcome(0, 0)]
    assert r.take(0.0) == []
    assert r.offered is None
    assert r.receive(hello(released=(1, 30))) == []
    assert r.offered == (1, 30)
    assert r.take(0.0) == []
    r.place((1, 31))
    assert r.take(0.0) == [Welcome(1, 31), Ack(1, 30)]
    assert not r.lost


def test_who_asks_is_content_with_a_sender_that_knows():
    r = receiver(placed=False)
    r.ask()
    assert r.hello(hello(released=(1, 30)))
    assert r.take(0.0) == []
    assert r.offered == (1, 30)
    r.disconnected()
    assert r.offered is None


def test_blocks_before_a_welcome_are_refused():
    r = receiver(placed=False)
    assert r.hello(hello())
    with pytest.raises(RemoteProtocolError, match="before a WELCOME"):
        r.receive(batch(1, 1))


@pytest.mark.parametrize(
    ("released", "lost"),
    [((1, 29), False), ((1, 30), True), ((1, 31), True), ((2, 0), False), ((2, 1), True), ((0, 0), False)],
)
def test_lost_is_what_is_wanted_and_gone(released, lost):
    r = receiver(start=(1, 30))
    assert r.hello(hello(released=released))
    assert r.lost is lost


def test_what_is_secured_is_told_once_on_every_connection():
    r = streaming()
    r.receive(batch(1, 9))
    r.mark_durable(1, 4)
    assert r.deadline() == 0.0
    assert r.take(0.0) == [Durable(1, 4)]
    assert r.take(0.0) == []
    r.mark_durable(1, 3)
    assert r.take(0.0) == []
    r.disconnected()
    r.hello(hello())
    assert r.take(0.0) == [Welcome(1, 10), Ack(1, 0), Durable(1, 4)]
    r.release(1, 4)
    r.disconnected()
    r.hello(hello())
    assert r.take(0.0) == [Welcome(1, 10), Ack(1, 4)]


def test_a_sender_that_presses_is_pressing_until_something_is_released():
    r = streaming()
    r.receive(batch(1, 3))
    assert r.receive(CheckpointRequest()) == []
    assert r.checkpoint_requested
    r.release(1, 1)
    assert not r.checkpoint_requested


def test_an_incarnation_that_was_not_announced_is_early() -> None:
    receiver = Receiver(1, run="run", incarnation=2, announced=2)
    assert not receiver.is_early(Hello(VERSION, "run", 1, 2))
    assert receiver.is_early(Hello(VERSION, "run", 1, 3))
    receiver.announce(3)
    receiver.announce(1)
    assert not receiver.is_early(Hello(VERSION, "run", 1, 3))
    assert receiver.is_early(Hello(VERSION, "run", 1, 1 << 31))
    assert not Receiver(1, run="run").is_early(Hello(VERSION, "run", 1, 1 << 31)), (
        "where nothing is announced"
    )
