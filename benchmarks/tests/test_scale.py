"""Rows of the chains are read and checked."""

import pytest

from benchmarks.scale.chains import Row, back, mistakes, rows_of
from benchmarks.scale.trial import placement


def test_rows_are_whole_lines() -> None:
    assert rows_of('pipe_10\n"10 1.5 7 8"\n20 2.5 7 9\n30 3') == [Row(10, 1.5, (7, 8)), Row(20, 2.5, (7, 9))]


def test_what_is_lost_or_doubled_is_said() -> None:
    rows = [Row(10, 1, ()), Row(20, 2, ()), Row(20, 3, ())]
    assert mistakes([rows[:2], []]) == ""
    assert mistakes([rows[:2], rows]) == "chain 2, row 3: expected 30, found 20"


def test_a_chain_is_back_with_the_first_row_that_no_dead_process_has_touched() -> None:
    hit = [Row(10, 1, (7, 8)), Row(20, 2.1, (7, 8)), Row(30, 2.75, (7, 9))]
    other = [Row(10, 1, (5, 6))]
    assert back([hit, other], {8}, 2.0) == [pytest.approx(0.75)]
    assert back([hit[:2], other], {8}, 2.0) == [float("inf")]


def test_placement_is_timed_as_often_as_wished() -> None:
    assert len(placement(20, 5, 2).values) == 2
