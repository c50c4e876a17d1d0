"""The drawings are well-formed SVG, show every hop once, and escape what names contain."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fission.plan import Block, EmbeddingError, Node, Problem, solve
from fission.planning.drawing.field_map import field_map
from fission.planning.drawing.slot_chart import slot_chart
from kits.planning import instance

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter() if one.text]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_every_hop_is_drawn(seed: int) -> None:
    problem = instance(seed)
    plan = solve(problem, "search", 0.01)
    hops = sum(len(sent.receivers) for slot in plan.schedule for sent in slot)
    sendings = sum(map(len, plan.schedule))
    drawn = ElementTree.fromstring(field_map(problem, plan))
    assert sum("marker-end" in one.attrib for one in drawn.iter(f"{SVG}path")) == hops
    assert len(list(drawn.iter(f"{SVG}circle"))) == len(problem.nodes)
    chart = ElementTree.fromstring(slot_chart(problem, plan))
    assert len(list(chart.iter(f"{SVG}rect"))) == 1 + hops + sendings
    for shape in (*drawn.iter(), *chart.iter()):
        assert "nan" not in " ".join(shape.attrib.values())


def test_names_are_escaped_and_cut() -> None:
    nodes = (Node("<A & B>", 0, 0, 1), Node("x" * 90, 1, 0, 1))
    problem = Problem(nodes, (Block("<s>", node="<A & B>"), Block("t", node="x" * 90)), (("<s>", "t"),))
    plan = solve(problem)
    assert "<A & B>" in texts(field_map(problem, plan))
    assert "x" * 90 in texts(slot_chart(problem, plan))  # the tooltip
    assert f"{'x' * 14}…" in [
        one.tail for one in ElementTree.fromstring(slot_chart(problem, plan)).iter(f"{SVG}title")
    ]


def test_a_plan_without_slots() -> None:
    problem = Problem((Node("A", 5, 5, 1),), (Block("s"), Block("t")), (("s", "t"),))
    plan = solve(problem)
    assert "0 slots, optimal" in slot_chart(problem, plan)
    ElementTree.fromstring(field_map(problem, plan))


def test_both_color_schemes() -> None:
    problem = instance(1)
    plan = solve(problem, "search", 0.01)
    for svg in (field_map(problem, plan), slot_chart(problem, plan)):
        assert "prefers-color-scheme: dark" in svg


def test_files(tmp_path: Path) -> None:
    plan = solve(instance(2), "search", 0.01)
    plan.draw_map(tmp_path / "map.svg")
    plan.draw_slots(tmp_path / "slots.svg")
    assert {path.name for path in tmp_path.iterdir()} == {"map.svg", "slots.svg"}
    with pytest.raises(EmbeddingError, match="it cannot be written"):
        plan.draw_map(tmp_path / "none" / "map.svg")


def test_the_scale_fits_any_field() -> None:
    for side in (1e-3, 3.0, 47.0, 1e6):
        problem = Problem((Node("A", 0, 0, 1), Node("B", side, side, 1)), (Block("s"),))
        (bar,) = [text for text in texts(field_map(problem, solve(problem))) if text.endswith(" m")]
        assert 0.05 * side < float(bar.removesuffix(" m")) <= 0.2 * side
