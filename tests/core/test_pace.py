"""The schedule of a paced job, at times that are arguments."""

import math
import pickle
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.core.jobs import PaceClock
from fission.core.jobs.pace import MOST_BEHIND
from fission.errors import JobDefinitionError

INTERVALS = st.floats(0.001, 10)
DELAYS = st.lists(st.floats(0, 25), min_size=1, max_size=60)
OFFSET = 1.7e9


def run(clock: PaceClock, delays: list[float], start: float = 100.0) -> list[float]:
    """Begin a round after each delay and what the clock asks for; return the times at which rounds begin."""
    now, begun = start, []
    for delay in delays:
        now += clock.wait(now, now + OFFSET)
        begun.append(now)
        now += delay
    return begun


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, abs_tol=1e-6)


@given(INTERVALS, DELAYS)
def test_with_catch_up_a_round_begins_at_its_place_or_as_soon_as_it_can(
    interval: float, delays: list[float]
) -> None:
    delays = [delay % interval * 3 for delay in delays]
    begun = run(PaceClock(interval=interval), delays)
    free = 0.0
    for number, (at, delay) in enumerate(zip(begun, delays, strict=True)):
        place = begun[0] + number * interval
        if max(free - place, 0) > MOST_BEHIND:
            return  # a new schedule
        assert close(at, max(place, free))
        free = at + delay


@given(INTERVALS, DELAYS)
def test_without_catch_up_no_two_rounds_have_the_same_place(interval: float, delays: list[float]) -> None:
    delays = [delay % (20 * interval) for delay in delays]
    begun = run(PaceClock(interval=interval, catch_up=False), delays)
    free, places = 0.0, [0]
    for at, delay in zip(begun, delays, strict=True):
        phase = (at - begun[0]) / interval
        place = math.floor(phase + 1e-6)
        if at > free + 1e-9:  # it has waited, so it stands at its place
            assert close(phase, place) or abs(phase - round(phase)) * interval < 1e-6
        assert place >= places[-1]
        places.append(place)
        free = at + delay
    assert all(later - earlier >= -1e-9 for earlier, later in pairwise(begun))


@given(INTERVALS, DELAYS, st.booleans(), st.floats(0, 1e6))
def test_a_wait_is_never_longer_than_two_intervals(
    interval: float, delays: list[float], catch_up: bool, jump: float
) -> None:
    clock = PaceClock(interval=interval, catch_up=catch_up)
    run(clock, delays, start=1e6)
    assert 0 <= clock.wait(1e6 - jump, OFFSET) <= 2 * interval + 1e-6


@given(INTERVALS, st.integers(1, 20), st.integers(0, 20), st.floats(0, 10), st.floats(0, 1e6))
def test_a_restart_keeps_the_schedule(
    interval: float, before: int, repeated: int, gap: float, monotonic: float
) -> None:
    """What an undisturbed clock has done by then, a moved one has done as soon as it has caught up."""
    clock = PaceClock(interval=interval)
    begun = run(clock, [0.0] * (before + repeated))
    copy = PaceClock(interval=interval)
    run(copy, [0.0] * before)  # the checkpoint is older than the last rounds
    moved: PaceClock = pickle.loads(pickle.dumps(copy))
    gap = min(gap, 20 * interval)
    wall = begun[-1] + OFFSET + gap
    for _ in range(repeated):
        assert moved.wait(monotonic, wall, repeating=True) == 0
    now = monotonic
    for number in range(before + repeated, before + repeated + 30):
        now += moved.wait(now, wall + now - monotonic)
        place = begun[0] + number * interval + OFFSET
        at = wall + now - monotonic
        assert close(at, max(place, wall))


def test_two_sources_are_aligned_after_a_move() -> None:
    """A source that stands still for 0.8 s is 80 blocks behind the other, and then is not."""
    still, moved = PaceClock(hz=100), PaceClock(hz=100)
    run(still, [0.0] * 100)
    run(moved, [0.0] * 100)
    moved = pickle.loads(pickle.dumps(moved))
    now, rounds = 5.0, 0
    wall = 100.0 + OFFSET + 1.0 + 0.805  # round 101 was due at 101.0
    while (wait := moved.wait(now, wall)) == 0:
        rounds += 1
    assert rounds == 81
    assert wait == pytest.approx(0.005, abs=1e-6)


def test_the_first_round_of_a_schedule_is_not_waited_for() -> None:
    clock = PaceClock(hz=4)
    assert clock.wait(10.0, OFFSET, repeating=True) == 0
    assert [clock.wait(10.0, OFFSET) for _ in range(2)] == [0, 0.25]


def test_a_schedule_that_is_far_behind_starts_anew() -> None:
    clock = PaceClock(interval=1.0)
    clock.wait(0.0, OFFSET)
    late = MOST_BEHIND + 2
    assert [clock.wait(late, OFFSET), clock.wait(late, OFFSET)] == [0, 1.0]


def test_a_copy_of_a_copy_keeps_the_schedule() -> None:
    clock = PaceClock(interval=1.0)
    clock.wait(0.0, OFFSET)
    copy = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(clock))))
    assert copy.wait(7.0, OFFSET + 0.25) == pytest.approx(0.75, abs=1e-6)


def test_clocks_of_the_same_pace_are_equal() -> None:
    assert PaceClock(hz=4) == PaceClock(interval=0.25)
    assert PaceClock(hz=4) != PaceClock(hz=4, catch_up=False)
    assert PaceClock(hz=4) != 0.25
    assert repr(PaceClock(2)) == "PaceClock(interval=0.5, catch_up=True)"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({}, "expected either hz or interval, found neither"),
        ({"hz": 1, "interval": 1}, "found both"),
        ({"hz": 0}, "wrong hz; expected rounds per second, more than 0, found 0"),
        ({"hz": "fast"}, "found 'fast'"),
        ({"hz": math.inf}, "found inf"),
        ({"hz": True}, "found True"),
        ({"interval": -1}, "wrong interval; expected seconds, more than 0"),
        ({"interval": math.nan}, "found nan"),
    ],
)
def test_a_pace_is_one_positive_number(arguments: dict[str, Any], what: str) -> None:
    with pytest.raises(JobDefinitionError, match=what):
        PaceClock(**arguments)
