"""Sequence numbers, retention, release, replay; duplicates, gaps, epochs."""

import pytest

from fission.channel.counters import PipeCounters
from fission.channel.lossy_windows import LIVE_BLOCKS, LiveWindow, live_room
from fission.channel.retained import FRAME_BLOCKS, FRAME_BYTES, FRAME_COST
from fission.channel.windows import ReceiveWindow, SendWindow, needed_blocks
from fission.channel.wire.frames import WIRE_FINISHED, WIRE_RESET, Batch


def window(retain=1 << 20, counters=None, **more):
    return SendWindow(counters or PipeCounters(), retain=retain, **more)


def frames(monkeypatch):
    """Let the window hand out batches instead of encoded frames."""
    monkeypatch.setattr("fission.channel.retained.encode_batch", lambda batch: [batch])


def summary(batches):
    return [(b.epoch, b.first, b.head, list(b.blocks)) for b in batches]


@pytest.fixture(autouse=True)
def readable(monkeypatch):
    frames(monkeypatch)


def blocks(first, last):
    return [b"%d" % n for n in range(first, last + 1)]


def test_numbers_begin_at_1_and_only_block_1_has_the_reset_bit():
    w = window()
    assert w.write(blocks(1, 3), WIRE_RESET | 5, 0.5, 100.5) == 3
    out = w.take(1 << 20)
    assert summary(out) == [(1, 1, WIRE_RESET | 5, [b"1"]), (1, 2, 5, [b"2", b"3"])]
    assert (out[0].mono, out[0].wall) == (0.5, 100.5)


def test_blocks_that_wait_are_joined_to_one_frame_as_long_as_their_heads_are_equal():
    w = window(start=(1, 2))
    for n in range(2, 6):
        w.write(blocks(n, n), 0, 0.0, 0.0)
    w.write(blocks(6, 7), WIRE_FINISHED, 0.0, 0.0)
    assert summary(w.take(1 << 20)) == [(1, 2, 0, blocks(2, 5)), (1, 6, WIRE_FINISHED, blocks(6, 7))]


def test_a_list_given_to_two_windows_is_not_changed_by_either():
    shared = blocks(2, 3)
    one, two = window(start=(1, 2)), window(start=(1, 2))
    for w in (one, two):
        w.write(shared, 0, 0.0, 0.0)
        w.write([b"4"], 0, 0.0, 0.0)
        w.write([b"5"], 0, 0.0, 0.0)
    assert shared == blocks(2, 3)
    assert summary(one.take(99999)) == summary(two.take(99999)) == [(1, 2, 0, blocks(2, 5))]


def test_writing_nothing_changes_nothing():
    w = window()
    assert w.write([], 0, 0.0, 0.0) == 0
    assert w.take(99) == []


@pytest.mark.parametrize(
    "sizes",
    [
        [1000] * 1000,
        [1] * 10_000,
        [1] * 5000 + [FRAME_BYTES] * 3 + [1] * 10,
        [10 * FRAME_BYTES],
        [0] * 100,
        [1, 5 * FRAME_BYTES, 1, 5 * FRAME_BYTES],
    ],
)
def test_long_lists_are_cut_into_frames_of_bounded_size(sizes):
    w = window(start=(1, 2))
    written = [bytes(size) for size in sizes]
    w.write(written, 0, 0.0, 0.0)
    out = w.take(1 << 40)
    assert [block for batch in out for block in batch.blocks] == written
    following = 2
    for batch in out:
        assert batch.first == following
        following += batch.count
        assert batch.count <= FRAME_BLOCKS
        assert batch.count == 1 or sum(map(len, batch.blocks)) <= 2 * FRAME_BYTES


def test_parts_and_views_count_with_all_their_bytes():
    w = window()
    parts = (b"12", (bytearray(3), memoryview(bytes(16)).cast("d")))
    w.write([parts, b"1"], 0, 0.0, 0.0)
    assert w.size == 21 + 1 + 2 * 8 + 2 * FRAME_COST
    w2 = window(start=(1, 2))
    w2.write([b"1", parts], 0, 0.0, 0.0)  # type: ignore[list-item]
    assert w2.size == 22 + 2 * 8 + FRAME_COST


def test_everything_is_kept_until_released_and_replayed_from_where_it_is_wanted():
    counters = PipeCounters()
    w = window(counters=counters)
    for n in range(1, 7):
        w.write(blocks(n, n), 0, 0.0, 0.0)
        w.take(99999)
    w.release((1, 2))
    assert w.count == 4
    assert w.replay_from((1, 4))
    assert [b.first for b in w.take(99999)] == [4, 5, 6]
    assert counters.replayed == 3
    assert w.replay_from((1, 3))
    assert [b.first for b in w.take(99999)] == [3, 4, 5, 6]
    assert w.replay_from((1, 7))
    assert w.take(99999) == []
    assert not w.replay_from((1, 2))


def test_a_frame_is_replayed_whole_when_a_part_of_it_is_wanted():
    w = window(start=(1, 2))
    w.write(blocks(2, 9), 0, 0.0, 0.0)
    w.take(99999)
    w.release((1, 4))
    assert w.count == 5
    assert w.replay_from((1, 5))
    assert summary(w.take(99999)) == [(1, 2, 0, blocks(2, 9))]


def test_release_is_monotone_and_may_come_before_sending():
    w = window()
    w.write(blocks(1, 3), 0, 0.0, 0.0)
    w.release((1, 1))
    w.release((1, 2))
    w.release((1, 1))
    assert (w.count, w.waiting) == (1, 2)
    w.release((1, 3))
    assert (w.count, w.size, w.waiting) == (0, 0, 0)
    assert w.take(99999) == []


def test_a_restarted_job_writes_again_what_was_released_and_what_its_receiver_has():
    w = window(start=(1, 51))
    assert w.replay_from((1, 58))
    w.release((1, 53))
    assert w.write(blocks(51, 60), 0, 0.0, 0.0) == 60
    assert (w.count, w.released) == (7, (1, 53))
    assert summary(w.take(99999)) == [(1, 54, 0, blocks(54, 60))]  # whole frame; the receiver drops 54 to 57
    w = window(start=(1, 51))
    w.replay_from((1, 58))
    w.release((2, 3))
    w.write(blocks(51, 57), 0, 0.0, 0.0)
    assert w.count == 0
    w = window(start=(1, 51))
    w.replay_from((2, 4))
    w.write(blocks(51, 57), 0, 0.0, 0.0)
    assert w.take(99999) == []
    assert w.count == 7


def test_a_new_epoch_begins_at_1_and_the_old_one_is_kept_until_released():
    w = window()
    w.write(blocks(1, 2), 0, 0.0, 0.0)
    w.reset(3)
    w.write(blocks(1, 2), 0, 0.0, 0.0)
    out = w.take(99999)
    assert [(b.epoch, b.first, b.head) for b in out] == [
        (1, 1, WIRE_RESET),
        (1, 2, 0),
        (3, 1, WIRE_RESET),
        (3, 2, 0),
    ]
    w.release((1, 2))
    assert w.count == 2
    assert w.replay_from((2, 9))  # something of an epoch that never came: the next one begins at 1
    assert w.replay_from((3, 1))
    assert [b.epoch for b in w.take(99999)] == [3, 3]
    w.release((3, 1))
    assert not w.replay_from((2, 1))
    w.release((4, 0))
    assert (w.count, w.size) == (0, 0)


def test_full_needs_bytes_and_enough_blocks_to_make_a_round():
    w = window(retain=1000, needed=5)
    w.write([bytes(600)] * 9, 0, 0.0, 0.0)
    assert not w.full
    w.write([bytes(600)], 0, 0.0, 0.0)
    assert w.full
    w.take(1 << 20)
    assert w.full
    w.release((1, 3))
    assert not w.full
    assert window(retain=0).full is False


def test_what_is_released_of_a_frame_makes_room_although_the_frame_is_kept():
    w = window(retain=1, needed=1, start=(1, 2))
    w.write([b"x"] * 5, 0, 0.0, 0.0)
    w.take(99999)
    assert w.full
    w.release((1, 3))
    assert not w.full
    assert w.size > 0


def test_needed_blocks_multiply_down_the_graph():
    assert needed_blocks(1) == 1
    assert needed_blocks(5) == 5
    assert needed_blocks(5, [1, 3, 2]) == 15


def test_take_gives_about_the_limit_and_at_least_one_frame():
    w = window(start=(1, 2))
    w.write([bytes(30_000)] * 10, 0, 0.0, 0.0)
    assert sum(b.count for b in w.take(1)) == 2
    assert sum(b.count for b in w.take(70_000)) == 4
    assert w.take(0) == []
    assert w.waiting == 4


def test_frames_that_wait_are_encoded_but_the_last():
    w = window(start=(1, 2))
    w.write([bytes(40_000)], 0, 0.0, 0.0)
    w.write([bytes(40_000)], 0, 0.0, 0.0)
    assert [entry.data is None for entry in w._queue] == [False, True]
    w.take(1)
    w.replay_from((1, 2))
    w.write([bytes(40_000)], 0, 0.0, 0.0)
    assert [batch.first for batch in w.take(1 << 20)] == [2, 3, 4]
    w.replay_from((1, 2))
    w.write([b"5"], 0, 0.0, 0.0)  # behind a frame that was encoded before
    assert [batch.first for batch in w.take(1 << 20)] == [2, 3, 4, 5]


def test_clear_forgets_everything():
    w = window()
    w.write(blocks(1, 9), 0, 0.0, 0.0)
    w.take(1)
    w.clear()
    assert (w.count, w.size, w.waiting, w.take(9)) == (0, 0, 0, [])


# -- live ---------------------------------------------------------------------------------------------------


def live(limit, room=0, counters=None):
    return LiveWindow(counters or PipeCounters(), limit=limit, room=room)


def test_live_drops_the_oldest_that_wait_and_counts_them():
    counters = PipeCounters()
    w = live(3, counters=counters)
    w.write(blocks(1, 10), 0, 0.0, 0.0)
    assert (w.waiting, w.count, counters.dropped) == (3, 3, 7)
    assert summary(w.take(99999)) == [(1, 8, 0, blocks(8, 10))]
    assert not w.full


def test_live_keeps_nothing_that_was_sent():
    counters = PipeCounters()
    w = live(3, counters=counters)
    w.write(blocks(1, 2), 0, 0.0, 0.0)
    w.take(99999)
    assert (w.count, w.size) == (0, 0)
    w.replay_from((1, 1))
    assert w.take(99999) == []
    w.write(blocks(3, 4), 0, 0.0, 0.0)
    w.write(blocks(5, 5), 4, 0.0, 0.0)
    w.write(blocks(6, 6), 0, 0.0, 0.0)
    assert summary(w.take(99999)) == [(1, 4, 0, [b"4"]), (1, 5, 4, [b"5"]), (1, 6, 0, [b"6"])]
    assert counters.dropped == 1


def test_live_sends_no_more_than_the_receiver_has_room_for():
    counters = PipeCounters()
    w = live(10, room=4, counters=counters)
    w.write(blocks(1, 3), 0, 0.0, 0.0)
    assert summary(w.take(99999)) == [(1, 1, WIRE_RESET, [b"1"]), (1, 2, 0, blocks(2, 3))]
    w.release((1, 0))  # it tells: what was sent before does not count
    w.write(blocks(4, 9), 0, 0.0, 0.0)
    assert summary(w.take(99999)) == [(1, 4, 0, blocks(4, 7))]
    assert w.take(99999) == []
    assert (w.waiting, w.count) == (2, 2)
    w.release((1, 4))
    assert summary(w.take(99999)) == [(1, 8, 0, [b"8"])]
    w.release((1, 3))  # older news change nothing
    assert w.take(99999) == []
    w.release((1, 6))
    assert summary(w.take(99999)) == [(1, 9, 0, [b"9"])]
    assert (w.waiting, w.count, w.size, counters.sent) == (0, 0, 0, 9)


def test_what_waits_for_room_gives_way_to_what_is_newer():
    counters = PipeCounters()
    w = live(2, room=3, counters=counters)
    w.release((1, 0))
    w.write(blocks(1, 1), 0, 0.0, 0.0)
    for number in range(2, 30):
        w.write(blocks(number, number), 0, 0.0, 0.0)
        w.take(99999)
    assert (w.waiting, counters.dropped, counters.sent) == (2, 24, 3)
    w.reset(2)
    w.write(blocks(1, 1), 0, 0.0, 0.0)
    w.release((2, 0))  # the old epoch is over
    assert summary(w.take(99999)) == [(2, 1, WIRE_RESET, [b"1"])]
    assert counters.dropped == 26


def test_a_connection_that_is_made_anew_has_all_its_room():
    w = live(10, room=2)
    w.release((1, 0))
    w.write(blocks(1, 5), 0, 0.0, 0.0)
    assert len(w.take(99999)) == 2
    w.replay_from((1, 3))
    w.release((1, 2))
    assert summary(w.take(99999)) == [(1, 3, 0, blocks(3, 4))]


def test_room_is_for_two_rounds_at_least():
    assert live_room(0, 1) == LIVE_BLOCKS
    assert live_room(0, 5000) == 10_000
    assert live_room(1, 1) == 2
    assert live_room(50, 10) == 50


# -- receiving ----------------------------------------------------------------------------------------------


def batch(epoch, first, last, head=0):
    return Batch(epoch, first, head, 0.5, 100.5, blocks(first, last))


def accept(w, *args):
    new = w.accept(batch(*args))
    return None if new is None else (new.epoch, new.first, new.blocks)


def test_duplicates_are_dropped_whole_and_in_part():
    counters = PipeCounters()
    w = ReceiveWindow(counters)
    assert accept(w, 1, 1, 4) == (1, 1, blocks(1, 4))
    assert accept(w, 1, 1, 4) is None
    assert accept(w, 1, 4, 4) is None
    assert accept(w, 1, 3, 6) == (1, 5, blocks(5, 6))
    assert w.wanted == (1, 7)
    assert (counters.duplicates, counters.delivered) == (7, 6)


def test_the_part_that_is_new_keeps_times_and_head():
    w = ReceiveWindow(PipeCounters(), start=(1, 3))
    new = w.accept(batch(1, 2, 4, head=9))
    assert new is not None
    assert (new.head, new.mono, new.wall, new.first) == (9, 0.5, 100.5, 3)


def test_gaps():
    w = ReceiveWindow(PipeCounters(), start=(2, 5))
    assert not w.gap(2, 5)
    assert not w.gap(2, 4)
    assert w.gap(2, 6)
    assert not w.gap(1, 99)
    assert not w.gap(3, 1)
    assert w.gap(3, 2)


def test_a_newer_epoch_is_followed_and_an_older_one_dropped():
    counters = PipeCounters()
    w = ReceiveWindow(counters)
    accept(w, 1, 1, 4)
    assert accept(w, 3, 1, 2) == (3, 1, blocks(1, 2))
    assert accept(w, 1, 5, 6) is None
    assert accept(w, 2, 1, 6) is None
    assert counters.late == 8
    assert w.wanted == (3, 3)


def test_the_end():
    w = ReceiveWindow(PipeCounters())
    assert w.end is None
    w.finish((1, 5))
    assert w.end == w.wanted == (1, 5)
    w.finish((1, 4))
    assert w.end == (1, 5)
