"""Bursts of lines go through, floods are cut, and what is cut is counted."""

from hypothesis import given
from hypothesis import strategies as st

from fission.engine.node.rate_limit import BURST, KEPT, KEPT_SIZE, LINES_PER_SECOND, LineRateLimiter


def test_a_burst_passes_and_a_flood_does_not() -> None:
    gate: LineRateLimiter[int] = LineRateLimiter()
    passed = sum(gate.passes(0.0) for _ in range(BURST + 500))
    assert (passed, gate.dropped(), gate.dropped()) == (BURST, 500, 0)
    assert sum(gate.passes(1.0) for _ in range(BURST)) == LINES_PER_SECOND


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 3000)), max_size=20))
def test_every_line_has_passed_or_is_counted(bursts: list[tuple[float, int]]) -> None:
    gate: LineRateLimiter[int] = LineRateLimiter()
    now = passed = asked = 0.0
    for pause, lines in bursts:
        now += pause
        asked += lines
        passed += sum(gate.passes(now) for _ in range(lines))
    assert passed + gate.dropped() == asked
    assert passed <= BURST + now * LINES_PER_SECOND


@given(st.integers(0, 3 * KEPT))
def test_the_newest_lines_are_kept(count: int) -> None:
    gate: LineRateLimiter[int] = LineRateLimiter()
    for line in range(count):
        gate.keep(line, 1)
    assert gate.kept() == list(range(count))[-KEPT:]
    assert gate.kept() == []
    assert gate.dropped() == max(0, count - KEPT)


@given(st.lists(st.integers(0, KEPT_SIZE // 3), max_size=30))
def test_long_lines_are_kept_up_to_a_size(sizes: list[int]) -> None:
    gate: LineRateLimiter[int] = LineRateLimiter()
    for size in sizes:
        gate.keep(size, size)
    kept = gate.kept()
    assert sum(kept) <= KEPT_SIZE
    assert kept == sizes[len(sizes) - len(kept) :]
    assert gate.dropped() == len(sizes) - len(kept)
    if len(kept) < len(sizes):
        assert sum(sizes[-len(kept) - 1 :]) > KEPT_SIZE
