"""What may be released on the inputs, and where a restart begins."""

import pytest

from fission.channel.ledger import Ledger, choose_point, earliest_point, restart_point
from fission.errors import LocalProtocolError


def test_a_sink_without_state_releases_what_it_has_computed():
    ledger = Ledger([], {5: 1, 6: 4}, stateful=False)
    assert ledger.releases() == {}
    ledger.computed(1, 3)
    assert ledger.releases() == {5: (1, 3), 6: (1, 12)}
    assert ledger.releases() == {}
    ledger.computed(1, 3)
    assert ledger.releases() == {}


def test_a_sink_with_state_releases_what_it_has_stored():
    ledger = Ledger([], {5: 1}, stateful=True)
    ledger.computed(1, 9)
    assert ledger.releases() == {}
    ledger.stored(1, 4)
    assert ledger.releases() == {5: (1, 4)}


def test_a_job_without_state_waits_for_all_its_outputs():
    ledger = Ledger([8, 9], {5: 2}, stateful=False)
    ledger.computed(1, 9)
    ledger.output_released(8, 1, 7)
    assert ledger.releases() == {}
    ledger.output_released(9, 1, 5)
    ledger.output_released(77, 1, 1)
    assert ledger.releases() == {5: (1, 10)}
    ledger.output_released(9, 1, 4)
    ledger.output_released(9, 1, 9)
    assert ledger.releases() == {5: (1, 14)}


def test_outputs_may_be_released_before_they_are_computed_again():
    ledger = Ledger([8], {5: 1}, stateful=False, start=(1, 50))
    ledger.output_released(8, 1, 57)
    assert ledger.releases() == {}
    ledger.computed(1, 52)
    assert ledger.releases() == {5: (1, 52)}


def test_a_state_counts_when_the_outputs_up_to_it_are_released():
    ledger = Ledger([8], {5: 1}, stateful=True)
    ledger.computed(1, 30)
    for number in (20, 10, 30):  # stores may answer in any order
        ledger.stored(1, number)
    assert ledger.releases() == {}
    ledger.output_released(8, 1, 9)
    assert ledger.releases() == {}
    ledger.output_released(8, 1, 25)
    assert ledger.releases() == {5: (1, 20)}
    assert ledger.restart == (1, 20)
    ledger.stored(1, 15)  # older than the restart point: useless
    ledger.output_released(8, 1, 30)
    assert ledger.releases() == {5: (1, 30)}


def test_a_new_epoch_lies_after_all_of_the_old_one():
    ledger = Ledger([8], {5: 3}, stateful=True)
    ledger.computed(1, 100)
    ledger.stored(1, 100)
    ledger.computed(2, 4)
    ledger.stored(2, 4)
    ledger.output_released(8, 2, 3)
    assert ledger.releases() == {5: (1, 300)}
    ledger.output_released(8, 2, 4)
    assert ledger.releases() == {5: (2, 12)}


def test_a_source_has_a_restart_point_too():
    ledger = Ledger([8], {}, stateful=True)
    ledger.computed(1, 9)
    ledger.stored(1, 6)
    ledger.output_released(8, 1, 7)
    assert ledger.releases() == {}
    assert ledger.restart == (1, 6)


def test_storing_what_was_not_computed_is_a_bug():
    ledger = Ledger([], {}, stateful=True)
    ledger.computed(1, 2)
    with pytest.raises(LocalProtocolError, match="before the round was computed"):
        ledger.stored(1, 3)


@pytest.mark.parametrize(
    ("stored", "released", "expected"),
    [
        ([], [(1, 9)], None),
        ([(1, 3), (1, 7), (1, 11)], [(1, 9), (1, 10)], (1, 7)),
        ([(1, 3), (1, 7), (1, 11)], [(1, 2)], None),
        ([(1, 3), (1, 7), (1, 11)], [], (1, 11)),
        ([(1, 30), (2, 1)], [(2, 0)], (1, 30)),
    ],
)
def test_restart_point(stored, released, expected):
    assert restart_point(stored, released) == expected


def test_a_job_may_begin_to_have_a_state():
    ledger = Ledger([8], {5: 1}, stateful=False)
    ledger.computed(1, 9)
    ledger.output_released(8, 1, 4)
    ledger.stateful = True
    assert ledger.releases() == {5: (1, 4)}
    ledger.output_released(8, 1, 8)
    assert ledger.releases() == {}
    ledger.stored(1, 9)
    assert ledger.waiting == 1
    assert ledger.releases() == {}
    ledger.output_released(8, 1, 9)
    assert ledger.releases() == {5: (1, 9)}
    assert ledger.waiting == 0


def test_the_earliest_point_is_that_of_whole_rounds_that_all_inputs_have():
    assert earliest_point([]) is None
    assert earliest_point([((1, 7), 1), ((1, 7), 3)]) == (1, 7)
    assert earliest_point([((1, 2), 1), ((1, 7), 3)]) == (1, 3)
    assert earliest_point([((1, 50), 1), ((2, 0), 3)]) == (2, 0)


def point(stored=(), released=(), offered=(), *, stateful=True, unknown=False):
    stored, released = [(1, one) for one in stored], [(1, one) for one in released]
    offered = [((1, one), 1) for one in offered]
    chosen = choose_point(stored, released, offered, stateful=stateful, unknown=unknown)
    return chosen and chosen[1]


def test_where_a_restarted_job_begins():
    assert point(stateful=False, released=[7, 5]) == 5
    assert point(stateful=False, offered=[3, 4]) == 4  # a sink
    assert point(stateful=False, released=[7], unknown=True, offered=[3]) == 3
    assert point(stored=[0, 4, 6], released=[5]) == 4
    assert point(stored=[0, 4, 6]) == 6  # a sink, or nobody wants anything
    assert point(stored=[0, 4, 6], released=[9], unknown=True, offered=[3]) == 4
    assert point(stored=[0, 4, 6], unknown=True) == 0  # a source
    assert point(released=[9], offered=[3]) == 3
    assert point(released=[9]) is None  # a source
