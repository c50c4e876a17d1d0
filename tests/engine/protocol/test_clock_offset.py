"""The estimated offset of a peer's clock, for any delays of the network."""

from hypothesis import given
from hypothesis import strategies as st

from fission.engine.protocol.clock_offset import ClockOffset

DELAYS = st.floats(0.0, 5.0)
OFFSETS = st.floats(-1e7, 1e7)
ROUNDING = 1e-6  # of wall times in seconds since 1970


def exchange(clock: ClockOffset, at: float, there: float, back: float, offset: float) -> float:
    """Ask at the time `at` of both our clocks; return when the answer has arrived."""
    clock.add(at, at + there + offset, there + back, at + there + back)
    return at + there + back


def test_nothing_is_known_before_the_first_answer() -> None:
    assert ClockOffset().estimate(1.0) is None


@given(OFFSETS, st.lists(st.tuples(DELAYS, DELAYS), min_size=1))
def test_the_true_offset_is_within_the_error(offset: float, delays: list[tuple[float, float]]) -> None:
    clock, now = ClockOffset(), 1.7e9
    for there, back in delays:
        now = exchange(clock, now, there, back, offset)
        found = clock.estimate(now)
        assert found is not None
        assert abs(found.offset - offset) <= found.error + ROUNDING
    assert found.error <= min(sum(pair) for pair in delays) / 2 + 200e-6 * 10 * len(delays) + ROUNDING


@given(OFFSETS, OFFSETS, st.lists(st.tuples(DELAYS, DELAYS), min_size=1), DELAYS, DELAYS)
def test_a_clock_that_is_set_is_seen_with_the_next_answer(
    before: float, after: float, delays: list[tuple[float, float]], there: float, back: float
) -> None:
    clock, now = ClockOffset(), 1.7e9
    for pair in delays:
        now = exchange(clock, now, *pair, before)
    now = exchange(clock, now, there, back, after)
    found = clock.estimate(now)
    assert found is not None
    assert abs(found.offset - after) <= found.error + there + back + ROUNDING


@given(OFFSETS, st.tuples(DELAYS, DELAYS), st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_the_error_grows_with_age(
    offset: float, delays: tuple[float, float], early: float, late: float
) -> None:
    clock = ClockOffset()
    now = exchange(clock, 1.7e9, *delays, offset)
    first, second = sorted((early, late))
    one, two = clock.estimate(now + first), clock.estimate(now + second)
    assert one is not None
    assert two is not None
    assert one.offset == two.offset
    assert one.error <= two.error


def test_an_old_estimate_gives_way_to_a_newer_one_with_a_longer_round_trip() -> None:
    clock = ClockOffset()
    now = exchange(clock, 1.7e9, 0.001, 0.001, 5.0)
    exchange(clock, now + 3600, 0.01, 0.01, 5.5)
    found = clock.estimate(now + 3600.02)
    assert found is not None
    assert abs(found.offset - 5.5) < 0.02
