"""The checker finds every broken rule, and its mutants are found out."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fission.plan import (
    Block,
    Embedding,
    Node,
    Problem,
    Transmission,
    check,
    load_all,
    solve,
)
from fission.planning import checker as module
from kits.planning import INSTANCES, broken, instance

A_B_C = Problem(
    (Node("A", 0, 0, 10), Node("B", 10, 0, 10), Node("C", 12, 0, 10), Node("D", 1000, 0, 10)),
    (Block("s", node="A"), Block("w", 4), Block("t", node="B")),
    (("s", "w"), ("w", "t")),
)
HOP = Transmission("A", "s", ("B",))
VALID = Embedding({"s": "A", "w": "B", "t": "B"}, ((HOP,),), {("s", "w"): ("A", "B")}, 1)


def rules(problem: Problem, plan: Embedding, judge: Any = check) -> set[str]:
    return {violation.rule for violation in judge(problem, plan)}


def test_a_valid_plan_has_no_violations() -> None:
    assert check(A_B_C, VALID) == []
    assert VALID.optimal


def test_capacities_are_summed() -> None:
    crowded = replace(A_B_C, nodes=(A_B_C.nodes[0], Node("B", 10, 0, 3.9), *A_B_C.nodes[2:]))
    assert [str(one) for one in check(crowded, VALID)] == [
        "node B: demands of 4 exceed the capacity 3.9 [capacity]"
    ]


def test_what_others_send_is_noise() -> None:
    loud = replace(VALID, schedule=((HOP, Transmission("C", "w", ("D",))),))
    found = {(one.rule, one.where) for one in check(A_B_C, loud)}
    assert ("sinr", "slot 1, A -> B") in found
    assert ("sinr", "slot 1, C -> D") in found
    assert ("custody", "node C") in found


def test_the_range_ends_where_the_noise_drowns_the_signal() -> None:
    def one_hop(distance: float) -> set[str]:
        problem = replace(A_B_C, nodes=(Node("A", 0, 0, 1), Node("B", distance, 0, 10)))
        return rules(problem, VALID)

    assert one_hop(223.6) == set()  # 1 / 223.607 ** 2 = 20 * 1e-6
    assert one_hop(223.7) == {"sinr"}


def test_a_broadcast_is_one_transmission() -> None:
    problem = replace(
        A_B_C,
        blocks=(Block("s", node="A"), Block("w", node="C"), Block("t", node="B")),
        links=(("s", "w"), ("s", "t")),
    )
    plan = Embedding(
        {"s": "A", "w": "C", "t": "B"},
        ((Transmission("A", "s", ("B", "C")),),),
        {("s", "w"): ("A", "C"), ("s", "t"): ("A", "B")},
        1,
    )
    assert check(problem, plan) == []


@pytest.mark.parametrize("seed", range(30))
def test_broken_plans(seed: int) -> None:
    problem = instance(seed)
    plan = solve(problem, seconds=0.02)
    assert check(problem, plan) == []
    for rule, wrong in broken(problem, plan):
        assert rule in rules(problem, wrong), rule


def test_the_listed_placements_are_valid_at_the_listed_optimum() -> None:
    listed = json.loads(INSTANCES.read_text(encoding="utf-8"))["instances"]
    problems = load_all(INSTANCES)
    assert len(problems) == len(listed) == 480
    for problem, one in zip(problems, listed, strict=True):
        place = one["listed_placement"]
        fixed = replace(problem, blocks=tuple(replace(b, node=place[b.name]) for b in problem.blocks))
        plan = solve(fixed)
        assert check(problem, plan) == [], one["id"]
        assert dict(plan.placement) == place
        assert plan.slots == one["listed_slots"], one["id"]


MUTANTS = (
    ("fixed nodes are ignored", "block.node != host", "False"),
    ("capacities are ignored", "if total > node.capacity", "if total > 2 * node.capacity"),
    ("links may lack a route", "if first != last:", "if False:"),
    ("a route may begin anywhere", "path[0] != first or ", ""),
    ("a route may end anywhere", " or path[-1] != last", ""),
    ("hops need no slot", "if (source, sender, receiver) not in hops:", "if False:"),
    ("nodes send what they do not have", "set(sent_by) - reached", "set()"),
    ("a node does two things in a slot", "if name in doing:", "if False:"),
    (
        "receivers are free",
        "for name in sent.receivers]\n            for",
        "for name in ()]\n            for",
    ),
    ("noise is ignored", "noise = radio.noise + ", "noise = 1e-12 + "),
    ("interference is ignored", "{one.sender for one in slot} -", "set() -"),
    ("empty slots do not count", "if not any(sent.receivers for sent in slot):", "if False:"),
    ("the bound may be anything", "if plan.bound > plan.slots:", "if False:"),
    ("unknown nodes are ignored", "if name not in nodes:", "if False:"),
    ("blocks may be left out", "sorted(blocks - set(plan.placement))", "()"),
)


def _scenes() -> list[tuple[str, Problem, Embedding]]:
    crowded = replace(A_B_C, nodes=(A_B_C.nodes[0], Node("B", 10, 0, 3.9), *A_B_C.nodes[2:]))
    loud = replace(VALID, schedule=((HOP, Transmission("C", "w", ("D",))),))
    far = replace(A_B_C, nodes=(Node("A", 0, 0, 1), Node("B", 230, 0, 10)))
    near = replace(A_B_C, nodes=(*A_B_C.nodes[:3], Node("D", 14, 0, 10)))
    scenes = [("capacity", crowded, VALID), ("sinr", far, VALID), ("sinr", near, loud)]
    for seed in range(12):
        problem = instance(seed)
        plan = solve(problem, seconds=0.02)
        scenes += [(rule, problem, wrong) for rule, wrong in broken(problem, plan)]
    return scenes


@pytest.fixture(scope="module")
def scenes() -> list[tuple[str, Problem, Embedding]]:
    return _scenes()


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS, ids=[name for name, _, _ in MUTANTS])
def test_a_broken_checker_is_found_out(
    name: str, old: str, new: str, scenes: list[tuple[str, Problem, Embedding]]
) -> None:
    spec = find_spec(module.__name__)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    assert text.count(old) == 1, name
    copy = ModuleType("checker_copy")
    exec(compile(text.replace(old, new), "checker.py", "exec"), copy.__dict__)

    def overlooks(rule: str, problem: Problem, plan: Embedding) -> bool:
        try:
            return rules(problem, plan, copy.check) != rules(problem, plan)
        except Exception:  # noqa: BLE001 - a crash shows as well
            return True

    assert any(overlooks(*scene) for scene in scenes)
