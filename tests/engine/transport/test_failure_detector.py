"""The detector as a pure object: nobody who gives signs of life is lost, and nobody who does not is kept."""

from hypothesis import given
from hypothesis import strategies as st

from fission.engine.transport.failure_detector import MISSED, FailureDetector

INTERVALS = st.floats(0.01, 10)


def look_until(detector: FailureDetector[str], now: float, end: float) -> tuple[list[str], float]:
    """Look every period, in time, until somebody is lost."""
    while now < end:
        now += detector.period
        if lost := detector.look(now):
            return lost, now
    return [], now


@given(interval=INTERVALS, start=st.floats(0, 1e6))
def test_the_silent_are_lost_after_five_pulses_and_within_a_look(interval, start):
    detector: FailureDetector[str] = FailureDetector(interval)
    detector.look(start)
    detector.watch("a", start)
    lost, when = look_until(detector, start, start + 10 * interval + 1)
    assert lost == ["a"]
    assert MISSED * interval < when - start + 1e-6
    assert when - start <= MISSED * interval + 2 * detector.period + 1e-3
    assert look_until(detector, when, when + 20 * interval)[0] == []


@given(
    interval=INTERVALS,
    gaps=st.lists(st.floats(0.1, 4.5), min_size=1, max_size=30),
)
def test_who_is_heard_of_is_kept(interval, gaps):
    detector: FailureDetector[str] = FailureDetector(interval)
    detector.watch("a", 0.0)
    now = heard = 0.0
    for gap in gaps:
        heard += gap * interval
        while now + detector.period < heard:
            now += detector.period
            assert detector.look(now) == []
        detector.heard("a", heard)


@given(
    interval=INTERVALS,
    freezes=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 4.8)), min_size=1, max_size=10),
)
def test_being_late_is_given_back_to_the_others(interval, freezes):
    """The one who looks stands still for any time; the peer's signs of life wait unread meanwhile."""
    detector: FailureDetector[str] = FailureDetector(interval)
    detector.look(0.0)
    detector.watch("a", 0.0)
    now = 0.0
    for freeze, age in freezes:
        now += detector.period
        detector.heard("a", now - min(age * interval, detector.period))
        assert detector.look(now) == []
        now += freeze + detector.period
        assert detector.look(now) == [], "before anything was read"
        detector.heard("a", now)


@given(interval=INTERVALS, freeze=st.floats(0, 100))
def test_a_freeze_does_not_save_the_dead(interval, freeze):
    detector: FailureDetector[str] = FailureDetector(interval)
    detector.look(0.0)
    detector.watch("a", 0.0)
    now = detector.period + freeze
    detector.look(now)
    lost, when = look_until(detector, now, now + 10 * interval + 1)
    assert lost == ["a"]
    assert when - now <= MISSED * interval + 2 * detector.period + 1e-3


def test_who_is_not_watched_is_not_lost():
    detector: FailureDetector[str] = FailureDetector(0.1)
    detector.heard("stranger", 1.0)
    detector.watch("a", 1.0)
    detector.watch("b", 1.0)
    detector.forget("a")
    detector.forget("nobody")
    assert detector.silence("b", 1.25) == 0.25
    assert detector.silence("a", 1.25) == 0.0
    detector.heard("b", 0.5)
    assert detector.silence("b", 1.25) == 0.25, "time does not run backwards"
    assert detector.look(1.0) == []
    assert detector.look(9.0) == []
    assert look_until(detector, 9.0, 20.0)[0] == ["b"]


def test_extra_patience_and_fewer_looks():
    detector: FailureDetector[None] = FailureDetector(1.0, extra=5.0, longest=2.0)
    assert detector.bound == 10.0
    assert detector.period == 0.5
    assert FailureDetector(100.0).period == 0.05
    assert FailureDetector(0.001).period == 0.01
