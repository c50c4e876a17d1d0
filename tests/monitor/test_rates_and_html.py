"""Rates between two views, and the tables of a view."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fission.monitor import JobView, NetworkView, NodeView, PipeView
from fission.monitor.html import to_html
from fission.monitor.rates import block_rates


def view(seconds: float, delivered: dict[int, float], run: str = "a") -> dict[str, Any]:
    pipes = tuple(PipeView(id, "PicklePipe", 1, 2, delivered=count) for id, count in delivered.items())
    return NetworkView("net", run, "running", seconds, 1, (), (), pipes).plain()


COUNTS = st.dictionaries(st.integers(0, 9), st.integers(0, 10**9))
MOMENTS = st.floats(0, 1e6)


@given(COUNTS, COUNTS, MOMENTS, MOMENTS)
def test_rates_are_of_pipes_in_both_views_and_never_negative(
    before: dict[int, float], now: dict[int, float], first: float, second: float
) -> None:
    rates = block_rates(view(first, before), view(second, now))
    assert all(rate >= 0 for rate in rates.values())
    kept = {id for id in before.keys() & now.keys() if now[id] >= before[id]}
    assert set(rates) == (kept if second > first else set())


def test_a_rate_is_blocks_per_second() -> None:
    assert block_rates(view(1, {7: 10}), view(3, {7: 50})) == {7: 20}
    assert block_rates(view(1, {7: 10}), view(3, {7: 5})) == {}  # its job was restarted
    assert block_rates(view(1, {7: 10}), view(3, {7: 50}, run="b")) == {}


NODE = NodeView("10.0.0.2", "pi", "up", "<b>", ("ALL",), 4, 1, 50.0, 1, 1)
NETWORK = NetworkView(
    "net",
    "a",
    "running",
    3.0,
    1,
    (NODE,),
    (JobView(1, "<script>", "running", "10.0.0.2", 2, 1234, 0.5),),
    (PipeView(5, "PicklePipe", 1, 2),),
)


def test_a_view_comes_back_from_json() -> None:
    assert NetworkView.from_plain(json.loads(json.dumps(NETWORK.plain()))) == NETWORK


def test_texts_are_escaped() -> None:
    html = to_html(NETWORK.plain())
    assert html == NETWORK._repr_html_()
    assert "<script>" not in html
    assert "<td>&lt;script&gt;</td><td>running</td><td>10.0.0.2</td><td>2</td><td>1,234</td>" in html
    assert "<td>3 of 4</td><td>&lt;b&gt;</td>" in html
