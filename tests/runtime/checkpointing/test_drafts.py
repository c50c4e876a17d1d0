"""Which states are held in memory, and which of them is stored."""

from hypothesis import given
from hypothesis import strategies as st

from fission.runtime.checkpointing.drafts import MOST, Drafts


def test_the_latest_that_is_released_is_taken_and_all_before_it_go():
    drafts = Drafts(0.5)
    for number in range(1, 6):
        drafts.add((1, number), b"%d" % number)
    assert drafts.newest == (1, 5)
    assert drafts.take((1, 3)) == ((1, 3), b"3")
    assert drafts.take((1, 3)) is None
    assert not drafts.ready((1, 3))
    assert drafts.ready((1, 4))
    assert drafts.take((2, 0)) == ((1, 5), b"5")
    assert drafts.newest == (0, 0)


def test_when_there_are_many_they_are_made_less_often_until_some_are_taken():
    drafts = Drafts(0.5)
    for number in range(MOST + 1):
        drafts.add((1, number), b"")
    assert drafts.spacing == 1.0
    assert drafts.take((1, 5)) == ((1, 4), b"")
    assert drafts.spacing == 1.0
    drafts.take((1, MOST))
    assert drafts.spacing == 0.5


@given(st.lists(st.integers(1, 5), max_size=300), st.integers(0, 400))
def test_what_is_taken_is_not_behind_the_bound_and_the_oldest_stays(steps, bound):
    drafts, number = Drafts(1.0), 0
    numbers = []
    for step in steps:
        number += step
        numbers.append(number)
        drafts.add((1, number), b"")
    taken = drafts.take((1, bound))
    if numbers and numbers[0] <= bound:
        assert taken is not None
        assert taken[0][1] in numbers
        assert taken[0][1] <= bound
    else:
        assert taken is None
