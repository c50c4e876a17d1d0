"""The sink detects every fault of a chain; otherwise a column of zeros means nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.probe.figures import percentile, rate_figures
from benchmarks.probe.sink import Sink
from benchmarks.probe.source import Source
from benchmarks.workloads import WORKLOADS, Plan

PLANS = [
    Plan(kind, WORKLOADS[name], 0.0, 0.1) for kind in ("throughput", "latency") for name in ("int", "4k")
]


each_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.kind}-{plan.workload.name}")


def blocks(plan: Plan) -> Iterator[Any]:
    """Yield blocks that do not change any more."""
    for block in Source(plan).blocks():
        yield block.copy() if plan.workload.elements else block


def taken(plan: Plan, chosen: list[Any]) -> dict[str, float]:
    sink = Sink(plan)
    for block in chosen:
        sink.take(block)
    return sink.result()


@each_plan
def test_whole_stream(plan: Plan) -> None:
    source, sink = Source(plan), Sink(plan)
    for block in source.blocks():
        sink.take(block)
    figures = sink.result()
    assert figures["received"] == figures["last"] == source.sent > 0
    assert (figures["gaps"], figures["duplicates"], figures["corrupt"]) == (0, 0, 0)
    assert figures["first"] > 0


@each_plan
def test_lost_block(plan: Plan) -> None:
    sent = list(blocks(plan))
    figures = taken(plan, sent[:3] + sent[5:])
    assert (figures["gaps"], figures["duplicates"]) == (2, 0)
    assert figures["received"] == len(sent) - 2


@each_plan
def test_block_that_comes_twice(plan: Plan) -> None:
    sent = list(blocks(plan))
    figures = taken(plan, [*sent[:4], sent[2], *sent[4:]])
    assert (figures["gaps"], figures["duplicates"]) == (0, 1)
    assert figures["received"] == len(sent) + 1


@pytest.mark.parametrize("kind", ["throughput", "latency"])
@pytest.mark.parametrize("element", [-1, 250])
def test_spoiled_array(kind: str, element: int) -> None:
    plan = Plan(kind, WORKLOADS["4k"], 0.0, 0.1)
    sent = list(blocks(plan))
    sent[0][element] += 1
    assert taken(plan, sent)["corrupt"] == 1


def test_aliased_array_is_seen() -> None:
    """A carrier that keeps a reference to the source's array, and sends it later, sends wrong blocks."""
    plan = Plan("throughput", WORKLOADS["4k"], 0.0, 0.1)
    aliased = list(Source(plan).blocks())
    figures = taken(plan, aliased)
    assert figures["duplicates"] == len(aliased) - 1


def test_rate_counts_only_what_is_inside() -> None:
    marks = [(0, 0.0), (1000, 1.0), (3000, 2.0), (5000, 3.0), (99_000, 4.0)]
    assert rate_figures(marks, 1.0, 3.5)["rate"] == 2000
    assert rate_figures(marks, 3.5, 3.9)["rate"] == 0


def test_percentiles() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 50) == 50
    assert percentile(values, 99) == 99
    assert percentile([7.0], 99) == 7.0
