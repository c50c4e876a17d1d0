"""The counter of crashes: a loop is counted, progress is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.cluster.faults.crash_counter import CrashCounter

rounds = st.integers(min_value=0, max_value=50)


def test_the_crash_round_is_the_reported_one_or_the_first_incomplete_one() -> None:
    counter = CrashCounter().ready(3).progressed(7)
    assert counter.crash_round == 8
    assert counter.failing_at(12).crash_round == 12
    assert counter.failing_at(0).crash_round == 1


@pytest.mark.parametrize("live", [False, True])
@given(round=rounds, reported=st.booleans(), crashes=st.integers(1, 6))
def test_crashes_at_the_same_place_are_counted(live: bool, round: int, reported: bool, crashes: int) -> None:
    counter = CrashCounter()
    for number in range(crashes):
        counter = counter.started()
        if reported:
            counter = counter.failing_at(round + 1)
        counter, _ = counter.crashed(live=live)
        assert counter.restarts == number
        counter = counter.restarted()


@given(st.lists(st.integers(min_value=1, max_value=20), min_size=1, max_size=10))
def test_a_job_that_gets_farther_each_time_is_no_crash_loop(steps: list[int]) -> None:
    counter, round = CrashCounter(), 0
    for step in steps:
        counter = counter.started().ready(round)
        round += step
        counter, progress = counter.progressed(round).crashed(live=False)
        assert progress
        assert counter.restarts == 0
        counter = counter.restarted()


@given(began=rounds, failed=rounds)
def test_progress_past_the_last_crash_resets_the_restarts(began: int, failed: int) -> None:
    counter, _ = CrashCounter().ready(began).failing_at(failed).crashed(live=False)
    again = counter.restarted().started().ready(0)
    assert again.progressed(counter.failed_round).restarts == 0
    if counter.failed_round > 1:
        assert again.progressed(counter.failed_round - 1).restarts == 1


@given(st.lists(rounds, max_size=8))
def test_a_new_epoch_forgets_round_numbers_but_not_the_restarts(reports: list[int]) -> None:
    counter = CrashCounter()
    for round in reports:
        counter = counter.failing_at(round).crashed(live=False)[0].restarted().started()
    fresh = counter.renumbered()
    assert (fresh.failed_round, fresh.failed_from, fresh.restarts) == (0, 0, counter.restarts)


@given(round=st.integers(1, 50), late=st.lists(st.booleans(), min_size=1, max_size=8), live=st.booleans())
def test_a_failure_counts_the_same_whether_it_is_heard_in_time_or_late(
    round: int, late: list[bool], live: bool
) -> None:
    """Late: its node was lost, the next incarnation has started, and then the node is back and reports it."""
    counter = CrashCounter().started()
    for heard_late in late:
        if heard_late:
            counter = counter.started().failed_before(round, live=live)
        else:
            counter = counter.failing_at(round).crashed(live=live)[0].restarted().started()
    assert counter.restarts == len(late)
    assert counter.failed_round == round
    assert counter.failing == 0


@given(round=rounds, later=st.integers(1, 50))
def test_a_late_failure_does_not_count_once_its_round_is_complete(round: int, later: int) -> None:
    counter = CrashCounter().started().ready(0).progressed(round + later)
    assert counter.failed_before(round + later, live=False) == counter
