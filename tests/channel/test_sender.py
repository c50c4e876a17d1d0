"""The sending end: what it says when, and what it does when the other end misbehaves."""

import pytest

from fission.channel.conversation import SENDER_TABLE, SenderEvent, SenderState
from fission.channel.sender import Sender
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
    Refuse,
    Welcome,
)
from fission.errors import LocalProtocolError, RemoteProtocolError


@pytest.fixture(autouse=True)
def readable(monkeypatch):
    """Frames instead of bytes."""
    monkeypatch.setattr("fission.channel.retained.encode_batch", lambda batch: [batch])
    monkeypatch.setattr("fission.channel.sender.encode_control", lambda frame: frame)


def sender(**more):
    return Sender(7, run="run", **more)


def streaming(wanted=(1, 1), **more):
    s = sender(**more)
    s.connected()
    s.take()
    s.receive(Welcome(*wanted))
    return s


def write(s, count, size=1):
    return s.write([bytes(size)] * count, 0, 0.0, 0.0)


def spans(out):
    return [(b.epoch, b.first, b.last) if isinstance(b, Batch) else b for b in out]


def test_it_introduces_itself_once_and_waits_for_welcome():
    s = sender(incarnation=3)
    assert s.take() == []
    write(s, 2)
    s.connected()
    assert s.take() == [Hello(VERSION, "run", 7, 3, (1, 0))]
    assert s.take() == []
    s.receive(Welcome(1, 1))
    assert spans(s.take()) == [(1, 1, 1), (1, 2, 2)]
    assert s.take() == []
    assert s.state is SenderState.STREAMING


def test_it_goes_on_numbering_while_disconnected():
    s = streaming()
    assert write(s, 2) == 2
    s.take()
    s.disconnected()
    assert write(s, 3) == 5
    assert s.take() == []
    assert s.counters.queued == 3
    s.connected()
    s.take()
    s.receive(Welcome(1, 2))
    assert spans(s.take()) == [(1, 2, 2), (1, 3, 5)]
    assert (s.counters.sent, s.counters.replayed) == (5, 1)


def test_a_connection_that_never_answered_is_greeted_again():
    s = sender()
    s.connected()
    s.disconnected()
    s.connected()
    assert isinstance(s.take()[0], Hello)


def test_it_waits_when_full_and_goes_on_when_released():
    s = streaming(retain=1000)
    write(s, 3, 400)
    assert s.writable
    write(s, 1, 400)
    assert not s.writable
    s.receive(Ack(1, 2))
    assert s.writable
    assert s.released == (1, 2)
    assert s.unreleased[0] == 2


def test_end_comes_after_everything_and_is_acknowledged_by_its_own_number():
    s = streaming()
    write(s, 5)
    s.finish()
    assert not s.writable
    assert spans(s.take(1)) == [(1, 1, 1)]
    assert spans(s.take(1)) == [(1, 2, 5), End(1, 6)]
    assert s.take() == []
    s.receive(Ack(1, 5))
    assert not s.finished
    s.receive(Ack(1, 6))
    assert s.finished
    assert s.unreleased == (0, 0)


def test_end_is_said_again_after_a_reconnection():
    s = streaming()
    s.finish()
    s.finish()
    assert s.take() == [End(1, 1)]
    s.disconnected()
    s.connected()
    s.take()
    s.receive(Welcome(1, 1))
    assert s.take() == [End(1, 1)]
    s.receive(Done())
    assert s.finished


def test_an_end_that_an_earlier_incarnation_had_acknowledged_counts():
    s = streaming(wanted=(1, 58), start=(1, 51))
    s.receive(Ack(1, 58))
    assert not s.finished
    write(s, 7)
    assert not s.finished
    s.finish()
    assert s.finished


def test_done_makes_everything_released_and_writing_free():
    s = streaming(retain=10)
    write(s, 9)
    s.receive(Done())
    assert s.done
    assert s.finished
    assert write(s, 100) == 109
    assert s.released == (1, 109)
    assert s.unreleased == (0, 0)
    assert s.writable
    assert s.take() == []
    s.receive(Ack(1, 3))
    s.disconnected()
    s.connected()  # an attempt that was under way
    assert s.take() == []


def test_a_restarted_job_does_not_send_what_its_receiver_has():
    s = streaming(wanted=(1, 58), start=(1, 51))
    s.receive(Ack(1, 53))
    assert s.released == (1, 53)
    write(s, 6)
    assert s.take() == []
    assert s.unreleased[0] == 3
    write(s, 2)
    assert spans(s.take()) == [(1, 57, 58)]
    assert s.written == (1, 58)


def test_refused_is_for_ever():
    s = sender()
    s.connected()
    s.take()
    s.receive(Refuse("superseded"))
    assert s.refused == "superseded"
    assert s.take() == []
    s.disconnected()
    with pytest.raises(LocalProtocolError):
        s.connected()
    s = streaming()
    s.receive(Refuse(""))
    assert s.refused == "refused"
    assert not s.finished


def test_a_receiver_that_wants_what_it_has_released_is_told_off():
    s = streaming()
    write(s, 5)
    s.take()
    s.receive(Ack(1, 3))
    s.disconnected()
    s.connected()
    s.take()
    with pytest.raises(RemoteProtocolError, match="released") as caught:
        s.receive(Welcome(1, 3))
    assert caught.value.events[-1] == "GREETING < WELCOME"


def test_a_restarted_job_cannot_give_what_lies_before_its_checkpoint():
    with pytest.raises(RemoteProtocolError):
        streaming(wanted=(1, 50), start=(1, 51))


def test_a_restarted_source_in_a_new_epoch_begins_at_1_whatever_is_wanted():
    s = streaming(wanted=(1, 91), start=(2, 1), incarnation=2)
    write(s, 2)
    out = s.take()
    assert spans(out) == [(2, 1, 1), (2, 2, 2)]
    assert out[0].head == WIRE_RESET
    assert s.released == (2, 0)


def test_waiting_tells_whether_take_has_something_to_say():
    s = sender()
    write(s, 2)
    assert not s.waiting
    s.connected()
    assert s.waiting
    s.take()
    assert not s.waiting
    s.receive(Welcome(1, 1))
    assert s.waiting
    s.take()
    assert not s.waiting
    s.finish()
    assert s.waiting
    s.take()
    assert not s.waiting


def test_reset_begins_a_new_epoch_and_nothing_old_is_lost():
    s = streaming()
    write(s, 2)
    s.reset(2)
    write(s, 2)
    assert spans(s.take()) == [(1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 2, 2)]
    with pytest.raises(LocalProtocolError, match="old epoch"):
        s.reset(2)
    s.finish()
    assert s.take() == [End(2, 3)]


def test_nothing_can_be_written_after_finish():
    s = sender()
    s.finish()
    with pytest.raises(LocalProtocolError, match="WRITE in state ENDED"):
        write(s, 1)
    with pytest.raises(LocalProtocolError):
        s.reset(2)


@pytest.mark.parametrize("frame", [Hello(1, "run", 7, 1), End(1, 1), Batch(1, 1, 0, 0.0, 0.0, [b""])])
def test_frames_that_only_senders_send(frame):
    s = streaming()
    with pytest.raises(RemoteProtocolError, match="unexpected frame"):
        s.receive(frame)


def test_a_receiver_that_wants_nothing_does_not_even_welcome():
    s = sender()
    write(s, 3)
    s.connected()
    s.take()
    s.receive(Done())
    assert s.finished
    assert s.unreleased == (0, 0)


@pytest.mark.parametrize("said", ["nothing", "hello", "everything"])
def test_a_receiver_that_somebody_else_reports_as_gone_counts_as_done(said):
    s = sender()
    write(s, 3)
    if said != "nothing":
        s.connected()
    if said == "everything":
        s.take()
        s.receive(Welcome(1, 1))
        s.finish()
        assert not s.end_sent
        s.take()
        assert s.end_sent
    s.receiver_gone()
    assert s.done
    assert s.finished
    assert s.take() == []
    assert s.unreleased == (0, 0)
    s.receiver_gone()


@pytest.mark.parametrize("frame", [Welcome(1, 1), Welcome(1, 3), Ack(1, 2), Done(), Refuse("too late")])
def test_what_a_receiver_said_before_it_was_reported_as_gone_may_arrive_after_that(frame):
    s = sender()
    write(s, 3)
    s.connected()
    s.take()
    s.receiver_gone()
    s.receive(frame)
    assert s.done
    assert not s.refused
    assert s.take() == []
    write(s, 1)
    assert s.unreleased == (0, 0)
    assert s.counters.queued == 0


def test_a_restarted_job_asks_first_and_resumes_then():
    s = streaming(wanted=(2, 9), incarnation=2)
    assert s.acknowledged == (0, 0)
    s.receive(Ack(2, 5))
    assert s.acknowledged == (2, 5)
    s.resume((2, 4))
    assert s.released == (2, 5)
    assert write(s, 6) == 10
    assert spans(s.take()) == [(2, 6, 10)]
    with pytest.raises(LocalProtocolError, match="resumed"):
        s.resume((2, 4))


def test_a_lone_block_takes_the_short_way_and_is_kept_like_the_others(monkeypatch):
    monkeypatch.setattr("fission.channel.windows.encode_lone", lambda *fields: fields)
    s = streaming()
    assert [b.first for b in s.send([b"1"], 0, 0.0, 0.0)] == [1]  # with the reset bit: the long way
    assert s.send([b"2"], WIRE_RESET | 4, 0.5, 9.5) == [(1, 2, 4, 0.5, 9.5, b"2")]
    assert [type(frame) for frame in s.send([bytearray(b"3")], 0, 0.0, 0.0)] == [Batch]
    assert [type(frame) for frame in s.send([bytes(1 << 16)], 0, 0.0, 0.0)] == [Batch]
    assert spans(s.send([b"5", b"6"], 0, 0.0, 0.0)) == [(1, 5, 6)]
    assert s.written == (1, 6)
    assert s.unreleased[0] == 6
    s.write([b"7"], 0, 0.0, 0.0)
    assert spans(s.send([b"8"], 0, 0.0, 0.0)) == [(1, 7, 8)]
    s.receive(Ack(1, 9))
    assert s.send([b"9"], 0, 0.0, 0.0) == []
    s.disconnected()
    assert s.send([b"10"], 0, 0.0, 0.0) == []
    s.connected()
    s.take()
    s.receive(Welcome(1, 12))
    assert s.send([b"11"], 0, 0.0, 0.0) == []
    assert s.unreleased[0] == 2
    s.finish()
    with pytest.raises(LocalProtocolError):
        s.send([b"12"], 0, 0.0, 0.0)


def test_live_has_no_short_way():
    s = streaming(delivery="live")
    write(s, 1)
    s.take()
    assert spans(s.send([b"2"], 0, 0.0, 0.0)) == [(1, 2, 2)]
    assert s.unreleased == (0, 0)


@pytest.mark.parametrize("frame", [Welcome(1, 1), Ack(1, 1), Done(), Refuse("no")])
def test_frames_without_a_connection(frame):
    with pytest.raises(RemoteProtocolError, match="in state IDLE"):
        sender().receive(frame)


def test_connecting_twice_is_our_bug_and_the_error_tells_the_story():
    s = streaming()
    with pytest.raises(LocalProtocolError) as caught:
        s.connected()
    assert caught.value.events == ("IDLE < CONNECTED", "GREETING < WELCOME", "STREAMING < CONNECTED")


def test_live_is_bounded_and_never_full():
    s = sender(delivery="live", max_queue=3, retain=1)
    for _ in range(10):
        write(s, 1)
        assert s.writable
    assert s.counters.dropped == 7
    assert s.counters.queued == 3
    assert s.released == s.written == (1, 10)
    s.connected()
    s.take()
    s.receive(Welcome(1, 1))
    assert spans(s.take()) == [(1, 8, 10)]
    s.finish()
    assert not s.writable
    assert s.take() == [End(1, 11)]
    s.receive(Ack(1, 11))
    assert s.finished


def test_live_is_bounded_by_1024_blocks_without_max_queue():
    s = sender(delivery="live")
    write(s, 2000)
    assert s.counters.queued == 1024


def test_every_state_knows_what_a_lost_connection_means_but_idle():
    states = {state for state, event in SENDER_TABLE if event is SenderEvent.DISCONNECTED}
    assert states == set(SenderState) - {SenderState.IDLE}


def test_a_done_that_was_overtaken_by_the_news_of_it_is_no_mistake():
    s = streaming()
    s.receiver_gone()
    s.receive(Done())
    assert s.done


def test_a_restarted_sender_hears_first_and_then_begins():
    s = sender(resuming=True, incarnation=2)
    s.connected()
    assert s.take() == [Hello(VERSION, "run", 7, 2, (0, 0))]
    assert not s.settled
    s.receive(Welcome(1, 9))
    assert not s.settled
    s.receive(Ack(1, 5))
    assert s.settled
    assert s.wanted == (1, 9)
    s.resume((1, 4))
    write(s, 6)  # 5 to 10
    assert spans(s.take()) == [(1, 6, 10)]  # frames stay whole; the receiver drops what it has
    assert s.unreleased[0] == 5


def test_a_sender_that_may_begin_anywhere_says_hello_again():
    s = sender(resuming=True)
    s.connected()
    s.take()
    s.receive(Welcome(0, 0))
    assert s.settled
    assert s.take() == []
    s.resume((1, 4))
    assert s.waiting
    assert s.take() == [Hello(VERSION, "run", 7, 1, (1, 4))]
    s.receive(Welcome(1, 5))
    write(s, 1)
    assert spans(s.take()) == [(1, 5, 5)]


def test_a_permission_to_begin_anywhere_ends_with_its_connection():
    s = sender(resuming=True)
    s.connected()
    s.take()
    s.receive(Welcome(0, 0))
    s.disconnected()
    assert not s.settled


def test_a_live_sender_has_released_what_does_not_wait():
    s = sender(delivery="live", max_queue=2)
    write(s, 5)
    s.connected()
    assert s.take() == [Hello(VERSION, "run", 7, 1, (1, 3))]


def test_a_full_window_lets_through_what_is_needed_beyond_what_is_secured():
    s = streaming(retain=1, needed=3)
    write(s, 6)
    assert not s.writable
    s.receive(Durable(1, 2))
    assert s.writable
    assert s.durable_advanced
    assert s.durable == (1, 2)
    write(s, 1)
    assert s.writable
    write(s, 1)  # six after number 2
    assert not s.writable
    s.receive(Durable(1, 1))
    assert not s.writable
    s.receive(Ack(1, 3))
    assert s.durable == (1, 3)


def test_it_presses_once_until_something_is_released():
    s = streaming()
    assert s.request_checkpoint() == []  # nothing to release
    write(s, 2)
    assert s.request_checkpoint() == [CheckpointRequest()]
    assert s.request_checkpoint() == []
    s.receive(Ack(1, 1))
    assert s.request_checkpoint() == [CheckpointRequest()]
