"""The token bucket: never more than the rate and the burst allow, never less than that for who waits; and mutants of it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.monitor.token_bucket import TokenBucket

STEPS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 12)), max_size=40)
"""Quarters of a second that pass, then an amount that is asked for."""
RATES = st.integers(1, 8)
BURSTS = st.integers(1, 8)


class _NeverFull(TokenBucket):
    """Mutant: collects tokens without end."""

    def take(self, amount: float, now: float) -> bool:
        self.burst, burst = float("inf"), self.burst
        try:
            return super().take(min(amount, burst), now)
        finally:
            self.burst = burst


class _Forgiving(TokenBucket):
    """Mutant: forgets the debt of a large amount."""

    def take(self, amount: float, now: float) -> bool:
        return super().take(min(amount, self.burst), now)


class _Strict(TokenBucket):
    """Mutant: an amount above the burst never passes."""

    def take(self, amount: float, now: float) -> bool:
        return amount <= self.burst and super().take(amount, now)


class _Charging(TokenBucket):
    """Mutant: takes tokens although it refuses."""

    def take(self, amount: float, now: float) -> bool:
        passed = super().take(amount, now)
        if not passed:
            self._level -= 1
        return passed


class _Stopped(TokenBucket):
    """Mutant: does not remember when it was asked last."""

    def take(self, amount: float, now: float) -> bool:
        before, passed = self._at, super().take(amount, now)
        self._at = before if before is not None else self._at
        return passed


def never_too_much(kind: type[TokenBucket]) -> None:
    @given(RATES, BURSTS, STEPS)
    def check(rate: int, burst: int, steps: list[tuple[int, int]]) -> None:
        bucket, now, passed = kind(rate, burst), 0.0, []
        for quarters, amount in steps:
            now += quarters / 4
            if bucket.take(amount, now):
                passed.append((now, amount))
        for first in range(len(passed)):
            for last in range(first, len(passed)):
                inner = sum(amount for _, amount in passed[first:last])
                last_amount = min(passed[last][1], burst)  # the debt of the last one is paid later
                assert inner + last_amount <= burst + rate * (passed[last][0] - passed[first][0]) + 1e-6

    check()


def never_too_little(kind: type[TokenBucket]) -> None:
    @given(RATES, BURSTS, STEPS)
    def check(rate: int, burst: int, steps: list[tuple[int, int]]) -> None:
        bucket, now, level = kind(rate, burst), 0.0, float(burst)
        for quarters, amount in steps:
            now += quarters / 4
            level = min(burst, level + rate * quarters / 4)
            expected = level >= min(amount, burst)
            assert bucket.take(amount, now) == expected
            level -= amount if expected else 0

    check()


@pytest.mark.parametrize("check", [never_too_much, never_too_little])
def test_the_bucket(check: Callable[[type[TokenBucket]], None]) -> None:
    check(TokenBucket)


@pytest.mark.parametrize(
    ("check", "mutant"),
    [
        (never_too_much, _NeverFull),
        (never_too_much, _Forgiving),
        (never_too_much, _Stopped),
        (never_too_little, _Strict),
        (never_too_little, _Charging),
    ],
)
def test_mutants_are_caught(check: Callable[[type[TokenBucket]], None], mutant: type[TokenBucket]) -> None:
    with pytest.raises(AssertionError):
        check(mutant)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1.0, 1.0)
    assert bucket.take(1.0, 10.0)
    assert not bucket.take(1.0, 5.0)
