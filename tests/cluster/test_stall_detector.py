"""A process counts as stalled when it computes one round for too long, or reports nothing; and only then."""

from hypothesis import given
from hypothesis import strategies as st

from fission.cluster.faults.stall_detector import Stall, StallDetector

TIMEOUT = 8.0


def begun() -> StallDetector:
    detector = StallDetector(TIMEOUT)
    detector.begin((1, 0), 100.0)
    return detector


def looks(detector: StallDetector, begin: float, end: float) -> Stall | None:
    """Look every period between two times; return the first stall."""
    now = begin
    while now <= end:
        if (stall := detector.look(now)) is not None:
            return stall
        now += detector.period
    return None


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from((True, False))
        ),  # a round is complete; one is being computed
        min_size=1,
        max_size=60,
    )
)
def test_it_is_stalled_exactly_when_one_round_has_been_computed_for_the_timeout(
    story: list[tuple[bool, bool]],
) -> None:
    """A report every second: the model is how long the same round has been reported as being computed."""
    detector = begun()
    now, round, since = 100.0, 0, None
    for complete, computing in story:
        now += 1
        round += complete
        if not computing:
            since = None
        elif since is None or complete:
            since = now
        detector.report((1, round), computing, now)
        stall = detector.look(now)
        assert stall is (Stall.COMPUTING if since is not None and now - since >= TIMEOUT else None)
        if stall is not None:
            return


@given(st.lists(st.floats(0.1, 30), max_size=20), st.booleans())
def test_silence_is_a_stall_after_the_timeout_whatever_it_did_before(gaps: list[float], idle: bool) -> None:
    detector = begun()
    now = 100.0
    for number, gap in enumerate(gaps):
        stall = looks(detector, now + detector.period, now + gap - 1e-6)
        assert (stall is Stall.SILENT) == (gap > TIMEOUT + 2 * detector.period) or (
            TIMEOUT <= gap <= TIMEOUT + 2 * detector.period
        )
        if stall is not None:
            return
        now += gap
        detector.look(now)
        detector.report((1, number + 1), not idle, now)


@given(st.floats(10, 10_000), st.booleans())
def test_a_late_look_is_no_stall_of_the_process(pause: float, computing: bool) -> None:
    """The machine was suspended, or the event loop was busy: the reports wait unread."""
    detector = begun()
    detector.report((1, 1), computing, 101.0)
    assert looks(detector, 101.0, 102.0) is None
    assert detector.look(102.0 + pause) is None
    detector.report((1, 2), computing, 102.1 + pause)
    assert looks(detector, 102.1 + pause, 102.1 + pause + TIMEOUT - 1.5) is None


def test_nothing_is_watched_before_the_first_round_and_after_the_last() -> None:
    detector = StallDetector(TIMEOUT)
    detector.report((1, 0), None, 1.0)
    assert looks(detector, 1.0, 50.0) is None
    detector.begin((1, 5), 100.0)
    detector.report((1, 6), True, 101.0)
    detector.report((1, 6), None, 102.0)
    assert looks(detector, 102.0, 150.0) is None


def test_a_new_epoch_is_progress() -> None:
    detector = begun()
    for second in range(1, 30):
        detector.report((second, 0), True, 100.0 + second)
        assert detector.look(100.0 + second) is None


def test_it_is_said_once() -> None:
    detector = begun()
    assert looks(detector, 100.0, 120.0) is Stall.SILENT
    assert looks(detector, 120.0, 200.0) is None
