"""Rounds: alignment, uniform stretches, dummies, epochs, deadlines, the end."""

import pytest

from fission.channel.join import InputRule, Join
from fission.channel.wire.frames import WIRE_CORRUPTED, WIRE_FINISHED, WIRE_RESET, Batch
from fission.errors import LocalProtocolError

C, R, F = WIRE_CORRUPTED, WIRE_RESET, WIRE_FINISHED


def blocks(first, last, name=""):
    return [f"{name}{n}".encode() for n in range(first, last + 1)]


def batch(first, last, epoch=1, *, name="", head=0):
    return Batch(epoch, first, head, 0.0, 0.0, blocks(first, last, name))


def offer(join, index, first, last, epoch=1, *, now=0.0, name="", head=0):
    """Offer blocks as a sender cuts them: the first block of an epoch on its own, with the reset bit."""
    if first == 1:
        join.offer(index, batch(1, 1, epoch, name=name, head=head | R), now)
        first = 2
    if first <= last:
        join.offer(index, batch(first, last, epoch, name=name, head=head), now)


def rounds(join, now=0.0, limit=4096):
    """Everything that can be taken now, as (epoch, round, [per input: [(head, payload)]])."""
    out = []
    while (stretch := join.take(now, limit)) is not None:
        for i in range(stretch.count):
            per_input = []
            for heads, column in zip(stretch.heads, stretch.columns, strict=True):
                assert len(column) == stretch.count * len(heads)
                part = column[i * len(heads) : (i + 1) * len(heads)]
                per_input.append(list(zip(heads, part, strict=True)))
            out.append((stretch.epoch, stretch.first + i, per_input))
    return out


def payloads(rounds_):
    return [[[p.decode() for _, p in one] for one in inputs] for _, _, inputs in rounds_]


def heads(rounds_):
    return [[[h for h, _ in one] for one in inputs] for _, _, inputs in rounds_]


def test_a_long_uniform_stretch_is_handed_out_as_it_came():
    join = Join([InputRule()])
    first, rest = batch(1, 1, head=R), batch(2, 300)
    join.offer(0, first, 0.0)
    join.offer(0, rest, 0.0)
    one = join.take(0.0)
    assert one is not None
    assert (one.epoch, one.first, one.count, one.heads) == (1, 1, 1, ((R,),))
    two = join.take(0.0)
    assert two is not None
    assert (two.first, two.count, two.heads) == (2, 299, ((0,),))
    assert two.columns[0] is rest.blocks
    assert join.take(0.0) is None


def test_batches_with_equal_heads_make_one_stretch():
    join = Join([InputRule()], start=(1, 2))
    for n in range(2, 12):
        offer(join, 0, n, n)
    stretch = join.take(0.0)
    assert stretch is not None
    assert (stretch.first, stretch.count, stretch.columns) == (2, 10, [blocks(2, 11)])


def test_runs_do_not_grow_for_ever():
    join = Join([InputRule()], start=(1, 2))
    for n in range(2, 10_002):
        offer(join, 0, n, n)
        if n > 100:
            taken = join.take(0.0, 1)
            assert taken is not None
            assert taken.columns == [blocks(n - 99, n - 99)]
    assert join.queued(0) == (99, sum(map(len, blocks(9903, 10_001))))


def test_rounds_take_the_same_numbers_of_every_input():
    join = Join([InputRule(), InputRule(), InputRule()])
    offer(join, 0, 1, 5, name="a")
    offer(join, 1, 1, 2, name="b")
    assert rounds(join) == []
    offer(join, 2, 1, 9, name="c")
    assert payloads(rounds(join)) == [[["a1"], ["b1"], ["c1"]], [["a2"], ["b2"], ["c2"]]]
    offer(join, 1, 3, 4, name="b")
    assert payloads(rounds(join)) == [[["a3"], ["b3"], ["c3"]], [["a4"], ["b4"], ["c4"]]]
    assert [join.queued(i) for i in range(3)] == [(1, 2), (0, 0), (5, 10)]


def test_block_count_first_round_is_1_to_n():
    join = Join([InputRule(block_count=5), InputRule()])
    offer(join, 0, 1, 3)
    offer(join, 1, 1, 4, name="b")
    offer(join, 0, 4, 12)
    out = rounds(join)
    assert payloads(out) == [[["1", "2", "3", "4", "5"], ["b1"]], [["6", "7", "8", "9", "10"], ["b2"]]]
    assert heads(out) == [[[R, 0, 0, 0, 0], [R]], [[0] * 5, [0]]]


def test_block_count_stretches_hold_many_rounds():
    join = Join([InputRule(block_count=4)], start=(1, 2))
    offer(join, 0, 5, 204)
    stretch = join.take(0.0)
    assert stretch is not None
    assert (stretch.first, stretch.count, stretch.heads) == (2, 50, ((0, 0, 0, 0),))
    assert stretch.columns == [blocks(5, 204)]


def test_the_limit_counts_rounds():
    join = Join([InputRule(block_count=2)], start=(1, 2))
    offer(join, 0, 3, 20)
    stretch = join.take(0.0, 3)
    assert stretch is not None
    assert stretch.columns == [blocks(3, 8)]
    assert join.take(0.0, 0) is None
    assert [r[1] for r in rounds(join)] == [5, 6, 7, 8, 9, 10]


def test_heads_that_differ_cut_stretches():
    join = Join([InputRule(), InputRule()], start=(1, 2))
    offer(join, 0, 2, 3)
    offer(join, 0, 4, 6, head=8)
    offer(join, 1, 2, 4, name="b")
    offer(join, 1, 5, 6, name="b", head=16)
    found = []
    while (s := join.take(0.0)) is not None:
        found.append((s.first, s.count, s.heads))
    assert found == [(2, 2, ((0,), (0,))), (4, 1, ((8,), (0,))), (5, 2, ((8,), (16,)))]


def test_a_batch_that_makes_its_rounds_alone_takes_the_short_way():
    join = Join([InputRule()])
    lone = join.straight(batch(1, 1, head=R))
    assert lone is not None
    assert (lone.epoch, lone.first, lone.count, lone.heads, lone.columns) == (1, 1, 1, ((R,),), [[b"1"]])
    assert join.straight(batch(3, 3)) is None
    offer(join, 0, 2, 3)
    assert join.straight(batch(4, 4)) is None
    assert len(rounds(join)) == 2
    assert join.straight(batch(1, 1, epoch=2, head=R)) is None
    assert join.straight(batch(4, 4, head=F)) is None
    assert join.straight(batch(4, 5)) is not None
    join.end(0)
    assert join.straight(batch(6, 6)) is None
    assert Join([InputRule(), InputRule()]).straight(batch(1, 1, head=R)) is None
    assert Join([InputRule(block_count=2)]).straight(batch(1, 2, head=R)) is None
    assert Join([InputRule(delivery="live")]).straight(batch(1, 1, head=R)) is None


def test_no_inputs():
    with pytest.raises(LocalProtocolError):
        Join([])


def test_a_gap_or_a_repetition_on_an_exact_input():
    join = Join([InputRule()])
    offer(join, 0, 1, 2)
    with pytest.raises(LocalProtocolError, match="missing"):
        offer(join, 0, 4, 4)
    offer(join, 0, 2, 3)
    assert join.late(0) == 1
    assert payloads(rounds(join)) == [[["1"]], [["2"]], [["3"]]]


# -- the end ------------------------------------------------------------------------------------------------


def test_an_end_finishes_when_the_rounds_are_used_up():
    join = Join([InputRule(), InputRule(block_count=2)])
    offer(join, 0, 1, 9)
    offer(join, 1, 1, 5, name="b")
    join.end(1)
    assert not join.finished
    assert len(rounds(join)) == 2
    assert join.finished
    assert [join.leftover(0), join.leftover(1)] == [7, 1]
    assert join.take(0.0) is None


def test_an_end_of_nothing():
    join = Join([InputRule()])
    assert join.leftover(0) == 0
    join.end(0)
    assert join.finished


def test_a_finished_block_is_the_last():
    join = Join([InputRule()])
    offer(join, 0, 1, 2)
    join.offer(0, batch(3, 5, head=F), 0.0)
    offer(join, 0, 6, 7)
    out = rounds(join)
    assert payloads(out) == [[["1"]], [["2"]], [["3"]]]
    assert heads(out)[-1] == [[F]]
    assert join.finished
    assert join.leftover(0) == 4
    join.end(0)


def test_a_finished_block_alone():
    join = Join([InputRule()])
    join.offer(0, batch(1, 1, head=R | F), 0.0)
    assert len(rounds(join)) == 1
    assert join.finished
    assert join.leftover(0) == 0


# -- epochs -------------------------------------------------------------------------------------------------


def test_dummies_stand_in_for_an_input_that_is_ahead():
    join = Join([InputRule(), InputRule()])
    offer(join, 0, 1, 4, name="a")
    offer(join, 1, 1, 2, name="b")
    offer(join, 1, 1, 2, epoch=2, name="B")
    out = rounds(join)
    assert payloads(out) == [[[f"a{n}"], [f"b{min(n, 2)}"]] for n in range(1, 5)]
    assert heads(out) == [[[R], [R]], [[0], [0]], [[0], [C]], [[0], [C]]]
    assert join.dummies(1) == 2
    offer(join, 0, 1, 3, epoch=2, name="A")
    out = rounds(join)
    assert [(r[0], r[1]) for r in out] == [(2, 1), (2, 2)]
    assert payloads(out) == [[["A1"], ["B1"]], [["A2"], ["B2"]]]


def test_dummies_complete_a_partial_round_of_an_input_that_is_ahead():
    join = Join([InputRule(), InputRule(block_count=3, dummy=b"x")])
    offer(join, 0, 1, 3, name="a")
    offer(join, 1, 1, 2, name="b")
    offer(join, 1, 1, 3, epoch=2, name="B")
    out = rounds(join)
    assert payloads(out) == [
        [["a1"], ["b1", "b2", "x"]],
        [["a2"], ["x", "x", "x"]],
        [["a3"], ["x", "x", "x"]],
    ]
    assert heads(out) == [[[R], [R, 0, C]], [[0], [C] * 3], [[0], [C] * 3]]


def test_a_dummy_for_the_first_block_of_an_epoch_carries_the_reset_bit():
    join = Join([InputRule(), InputRule(dummy=b"i")])
    offer(join, 0, 1, 2)
    offer(join, 1, 1, 1, epoch=2)
    out = rounds(join)
    assert payloads(out) == [[["1"], ["i"]], [["2"], ["i"]]]
    assert heads(out) == [[[R], [R | C]], [[0], [C]]]


def test_partial_rounds_are_left_over_when_all_inputs_are_ahead():
    join = Join([InputRule(block_count=2), InputRule()])
    offer(join, 0, 1, 3, name="a")
    offer(join, 1, 1, 1, name="b")
    offer(join, 0, 1, 2, epoch=2, name="A")
    offer(join, 1, 1, 1, epoch=2, name="B")
    assert payloads(rounds(join)) == [[["a1", "a2"], ["b1"]], [["A1", "A2"], ["B1"]]]
    assert join.leftover(0) == 1


def test_with_nothing_of_the_old_epoch_anywhere_the_join_waits():
    join = Join([InputRule(), InputRule()])
    offer(join, 1, 1, 5, epoch=2, name="B")
    assert rounds(join) == []
    offer(join, 0, 1, 1, epoch=2, name="A")
    assert [r[:2] for r in rounds(join)] == [(2, 1)]


def test_inputs_in_different_new_epochs_begin_with_the_older_one():
    join = Join([InputRule(), InputRule(dummy=b"")])
    offer(join, 0, 1, 1, epoch=2, name="a")
    offer(join, 0, 1, 1, epoch=3, name="A")
    offer(join, 1, 1, 2, epoch=3, name="B")
    out = rounds(join)
    assert [r[:2] for r in out] == [(2, 1), (3, 1)]
    assert payloads(out) == [[["a1"], [""]], [["A1"], ["B1"]]]
    assert join.queued(1) == (1, 2)


def test_blocks_of_an_old_epoch_are_late():
    join = Join([InputRule()])
    offer(join, 0, 1, 2, epoch=3)
    offer(join, 0, 3, 5, epoch=1)
    assert join.late(0) == 3
    assert [r[:2] for r in rounds(join)] == [(3, 1), (3, 2)]


def test_queued_counts_all_epochs():
    join = Join([InputRule(), InputRule()])
    for epoch in (1, 2, 4):
        offer(join, 0, 1, 3, epoch=epoch)
    assert join.queued(0) == (9, 9)


def test_an_epoch_of_which_an_input_knows_nothing_is_given_up():
    """A join and the live source before it have died together: there is nothing to repeat, and None is no block."""
    join = Join([InputRule(), InputRule()], start=(1, 6))
    offer(join, 0, 6, 8, name="a")
    offer(join, 1, 1, 2, epoch=2, name="B")
    assert rounds(join) == []
    assert join.leftover(0) == 3
    offer(join, 0, 9, 9, name="a")
    offer(join, 0, 1, 1, epoch=2, name="A")
    assert payloads(rounds(join)) == [[["A1"], ["B1"]]]
    assert (join.leftover(0), join.dummies(1)) == (4, 0)


def test_an_epoch_in_which_an_input_has_had_blocks_is_not_given_up():
    join = Join([InputRule(), InputRule()], start=(1, 6))
    offer(join, 0, 6, 8, name="a")
    offer(join, 1, 6, 6, name="b")
    offer(join, 1, 1, 2, epoch=2, name="B")
    assert payloads(rounds(join)) == [[["a6"], ["b6"]], [["a7"], ["b6"]], [["a8"], ["b6"]]]


def test_what_is_given_up_when_the_other_has_ended_finishes_the_join():
    join = Join([InputRule(), InputRule()], start=(1, 6))
    offer(join, 0, 6, 8)
    join.end(0)
    offer(join, 1, 1, 2, epoch=2)
    assert rounds(join) == []
    assert join.finished


def test_an_input_that_ends_in_the_old_epoch_finishes_the_join():
    join = Join([InputRule(), InputRule(dummy=b"")])
    offer(join, 0, 1, 1)
    join.end(0)
    offer(join, 1, 1, 2, epoch=2)
    assert len(rounds(join)) == 1
    assert join.finished


def test_an_input_that_is_ahead_and_ended_goes_on():
    join = Join([InputRule(dummy=b""), InputRule()])
    offer(join, 0, 1, 2, epoch=2)
    join.end(0)
    offer(join, 1, 1, 1)
    assert len(rounds(join)) == 1
    assert not join.finished
    offer(join, 1, 1, 9, epoch=2)
    assert len(rounds(join)) == 2
    assert join.finished


# -- live ---------------------------------------------------------------------------------------------------

LIVE = InputRule(delivery="live")


def test_gaps_on_a_live_input_are_filled_at_once():
    join = Join([LIVE])
    offer(join, 0, 1, 2)
    offer(join, 0, 5, 5)
    out = rounds(join)
    assert payloads(out) == [[["1"]], [["2"]], [["2"]], [["2"]], [["5"]]]
    assert heads(out) == [[[R]], [[0]], [[C]], [[C]], [[0]]]
    assert join.dummies(0) == 2


def test_a_gap_at_the_start_of_an_epoch():
    join = Join([InputRule(delivery="live", dummy=b"x")])
    offer(join, 0, 2, 2)
    assert heads(rounds(join)) == [[[R | C]], [[0]]]
    offer(join, 0, 4, 4, epoch=2)
    out = rounds(join)
    assert heads(out) == [[[R | C]], [[C]], [[C]], [[0]]]
    assert payloads(out)[0] == [["x"]]


def test_a_gap_costs_no_memory():
    join = Join([LIVE])
    offer(join, 0, 1, 1)
    offer(join, 0, 1_000_000_000, 1_000_000_000)
    assert join.queued(0) == (1_000_000_000, 11)
    stretch = join.take(0.0)
    assert stretch is not None
    stretch = join.take(0.0)
    assert stretch is not None
    assert (stretch.count, stretch.heads) == (4096, ((C,),))


def test_a_dummy_repeats_what_came_not_what_a_user_made_of_it():
    join = Join([LIVE])
    join.offer(0, Batch(1, 1, R, 0.0, 0.0, [bytearray(b"1")]), 0.0)
    stretch = join.take(0.0)
    assert stretch is not None
    memoryview(stretch.columns[0][0])[:] = b"x"  # type: ignore[arg-type]
    offer(join, 0, 3, 3)
    assert payloads(rounds(join)) == [[["1"]], [["3"]]]


def test_block_count_with_a_gap_inside_a_round():
    join = Join([InputRule(delivery="live", block_count=3)])
    offer(join, 0, 1, 2)
    offer(join, 0, 5, 8)
    out = rounds(join)
    assert payloads(out) == [[["1", "2", "2"]], [["2", "5", "6"]]]
    assert heads(out) == [[[R, 0, C]], [[C, 0, 0]]]


def timed(count=1, deadline=0.5, **more):
    rule = InputRule(delivery="live", deadline=deadline, **more)
    return Join([InputRule(), *[rule] * count], start=(1, 2))


def test_a_missing_block_is_replaced_at_its_deadline_and_dropped_when_it_comes_late():
    join = timed()
    assert join.deadline() is None
    offer(join, 0, 2, 3, now=10.0, name="a")
    assert join.take(10.2) is None
    assert join.deadline() == 10.5
    assert rounds(join, 10.4) == []
    out = rounds(join, 10.5)
    assert heads(out) == [[[0], [C]], [[0], [C]]]
    assert join.deadline() is None
    offer(join, 1, 2, 4, now=11.0, name="b")
    assert join.late(1) == 2
    assert join.queued(1) == (1, 2)
    offer(join, 0, 4, 4, now=11.0, name="a")
    assert payloads(rounds(join, 11.0)) == [[["a4"], ["b4"]]]


def test_every_round_has_its_own_deadline():
    join = timed()
    offer(join, 0, 2, 2, now=1.0)
    offer(join, 0, 3, 3, now=1.25)
    offer(join, 0, 4, 4, now=1.5)
    assert [r[1] for r in rounds(join, 1.5)] == [2]
    assert join.deadline() == 1.75
    assert [r[1] for r in rounds(join, 1.75)] == [3]
    assert [r[1] for r in rounds(join, 2.0)] == [4]


def test_a_round_is_there_when_its_last_block_is():
    join = Join([InputRule(block_count=2), InputRule(delivery="live", deadline=0.5)], start=(1, 2))
    offer(join, 0, 3, 3, now=1.0)
    offer(join, 0, 4, 4, now=2.0)
    assert join.deadline() == 2.5
    assert len(rounds(join, 2.5)) == 1


def test_a_partial_round_is_completed_at_the_deadline():
    join = timed(block_count=3)
    offer(join, 0, 2, 3, now=1.0, name="a")
    offer(join, 1, 4, 5, now=1.1, name="b")
    assert join.deadline() == 1.5
    out = rounds(join, 1.5)
    assert payloads(out)[0] == [["a2"], ["b4", "b5", "b5"]]
    assert heads(out)[0] == [[0], [0, 0, C]]


def test_the_longest_deadline_of_the_missing_inputs_counts():
    join = Join(
        [
            InputRule(),
            InputRule(delivery="live", deadline=0.1),
            InputRule(delivery="live", deadline=0.3),
        ],
        start=(1, 2),
    )
    offer(join, 0, 2, 2, now=1.0)
    assert join.deadline() == 1.3
    offer(join, 2, 2, 2, now=1.2)
    assert join.deadline() == pytest.approx(1.3)  # the round has its other blocks since 1.2
    assert len(rounds(join, 1.31)) == 1


def test_the_deadline_waits_for_exact_inputs_and_for_the_first_block_of_an_epoch():
    join = Join([InputRule(), InputRule(), InputRule(delivery="live", deadline=0.5)])
    offer(join, 0, 1, 2, now=1.0)
    assert join.deadline() is None
    offer(join, 1, 1, 2, now=2.0)
    assert join.deadline() is None
    assert join.take(99.0) is None
    offer(join, 2, 1, 1, now=3.0)
    assert len(rounds(join, 3.0)) == 1
    assert join.deadline() == 3.5
    assert len(rounds(join, 3.4)) == 0
    assert len(rounds(join, 3.5)) == 1


def test_an_input_that_began_later_may_stay_as_far_behind():
    join = Join([InputRule(), InputRule(delivery="live", deadline=0.5)])
    for n in range(1, 30):
        offer(join, 0, n, n, now=n / 10, name="a")
        if n > 20:
            offer(join, 1, n - 20, n - 20, now=n / 10, name="b")
    assert payloads(rounds(join, 3.0)) == [[[f"a{n}"], [f"b{n}"]] for n in range(1, 10)]
    assert join.deadline() == pytest.approx(1.0 + 2.0 + 0.5)
    assert len(rounds(join, 3.55)) == 1


def test_an_input_that_began_earlier_is_not_hurried():
    join = Join([InputRule(), InputRule(delivery="live", deadline=0.5)])
    offer(join, 1, 1, 1, now=1.0)
    offer(join, 0, 1, 2, now=2.0)
    assert len(rounds(join, 2.0)) == 1
    assert join.deadline() == 2.5


def test_an_ended_input_has_no_deadline():
    join = timed()
    offer(join, 0, 2, 3, now=1.0)
    join.end(1)
    assert join.deadline() is None
    assert join.finished


def test_an_input_that_is_ahead_needs_no_deadline():
    join = timed(2, dummy=b"")
    offer(join, 0, 2, 3, now=1.0)
    offer(join, 1, 1, 1, epoch=2, now=1.0)
    assert join.deadline() == 1.5
    out = rounds(join, 1.5)
    assert heads(out) == [[[0], [C], [C]], [[0], [C], [C]]]
    offer(join, 2, 2, 2, now=2.0)
    assert join.late(2) == 1


def test_after_an_epoch_deadlines_count_from_the_first_blocks():
    join = timed()
    offer(join, 0, 1, 3, epoch=2, now=1.0)
    offer(join, 1, 1, 1, epoch=2, now=2.0)
    assert [r[:2] for r in rounds(join, 2.4)] == [(2, 1)]
    assert [r[:2] for r in rounds(join, 2.5)] == [(2, 2), (2, 3)]
