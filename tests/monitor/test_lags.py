"""Lags between machines are corrected by what the client knows of their monotonic clocks, and are never absurd."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.core.groups import LOCAL
from fission.monitor.lags import with_lags

PIPE = 7
SENDERS = {PIPE: (3, "n1")}
clocks = st.floats(-1e6, 1e6)


def lag(
    counts: dict[str, float], offsets: dict[str, float], node: str = "n2", before: float | None = None
) -> float:
    earlier = {} if before is None else {PIPE: {"lag": before}}
    found = with_lags({PIPE: counts}, node=node, senders=SENDERS, offsets=offsets, before=earlier)
    assert found[PIPE].keys() == counts.keys() - {"sender"}
    return found[PIPE]["lag"]


@given(st.floats(0, 100), clocks, clocks)
def test_the_offset_of_both_clocks_is_taken_out(true: float, sender: float, receiver: float) -> None:
    reported = true + receiver - sender
    found = lag({"lag": reported, "sender": 3.0, "queued": 1.0}, {"n1": sender, "n2": receiver})
    assert found == pytest.approx(true, abs=1e-6)


def test_the_client_is_a_machine_like_any() -> None:
    offsets = {"n1": 90_000.0, LOCAL: 0.0}
    assert lag({"lag": 0.5 - 90_000.0, "sender": 3.0}, offsets, LOCAL) == pytest.approx(0.5)


def test_a_lag_on_one_machine_stays_as_it_is() -> None:
    assert lag({"lag": 0.25}, {}) == 0.25


@pytest.mark.parametrize("offsets", [{}, {"n1": 5.0}, {"n2": 5.0}])
def test_a_clock_that_is_not_known_gives_no_new_lag(offsets: dict[str, float]) -> None:
    assert lag({"lag": 90_000.0, "sender": 3.0}, offsets) == 0.0
    assert lag({"lag": 90_000.0, "sender": 3.0}, offsets, before=0.1) == 0.1


@pytest.mark.parametrize("incarnation", [0.0, 2.0, 4.0])
def test_a_block_of_another_incarnation_is_not_measured_with_the_clock_of_the_new_node(
    incarnation: float,
) -> None:
    offsets = {"n1": 5.0, "n2": 0.0}
    assert lag({"lag": 90_000.0, "sender": incarnation}, offsets, before=0.1) == 0.1


def test_a_small_error_makes_no_negative_lag() -> None:
    assert lag({"lag": -0.0004, "sender": 3.0}, {"n1": 0.0, "n2": 0.0}) == 0.0
