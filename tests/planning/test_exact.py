"""The exact method: its plans are valid, its bounds true, and broken copies of its model are found out."""

import itertools
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from fission.plan import (
    Block,
    Embedding,
    EmbeddingError,
    Node,
    Problem,
    Recipe,
    check,
    generate,
    solve,
)
from fission.planning import exact as module
from fission.planning.search.local import Found
from fission.planning.search.result import to_embedding
from fission.planning.search.tables import Tables
from kits.planning import instance


def proven(problem: Problem, bound: int = 0, exact: ModuleType = module) -> Embedding:
    """What CP-SAT finds without help of the search, from a bound upwards."""
    tables = Tables(problem)
    budget = iter([20.0] * 40)  # a broken model may find no number of slots enough
    found = exact.prove(tables, Found([], [], bound), left=lambda: next(budget, 0.0), seed=1, workers=1)
    return to_embedding(tables, found.host, found.schedule, found.bound)


def small(seed: int) -> Problem:
    """An instance that needs well below a second."""
    chance = Random(seed)
    recipe = Recipe(nodes=4, blocks=5, sources=1 + seed % 3, side=(25.0, 400.0)[seed % 2], loops=seed % 2)
    return generate(recipe, chance, f"small {seed}")


@pytest.mark.parametrize("seed", range(12))
def test_the_search_and_the_proof_agree(seed: int) -> None:
    problem = small(seed)
    plan = proven(problem)
    assert check(problem, plan) == []
    assert plan.optimal
    found = solve(problem, "search", 0.1)
    assert found.bound <= plan.slots <= found.slots


@pytest.mark.parametrize("seed", range(4))
def test_no_placement_needs_fewer_slots(seed: int) -> None:
    problem = generate(Recipe(nodes=3, blocks=4, sources=1, side=(25.0, 400.0)[seed % 2]), Random(seed))
    free = [block.name for block in problem.blocks if block.node is None]
    best = 1 << 30
    for hosts in itertools.product([node.name for node in problem.nodes], repeat=len(free)):
        fixed = dict(zip(free, hosts, strict=True))
        blocks = tuple(replace(b, node=fixed.get(b.name, b.node)) for b in problem.blocks)
        try:
            best = min(best, solve(replace(problem, blocks=blocks), "search", 0.1).slots)
        except EmbeddingError:
            continue
    assert proven(problem).slots == best


def test_rates_that_differ() -> None:
    """The fast block reaches 10 m only, so it needs the relay; the slow one does not."""
    nodes = (Node("A", 0, 0, 1), Node("R", 10, 0, 1), Node("B", 20, 0, 1))
    blocks = (Block("fast", rate=13.0, node="A"), Block("slow", rate=1.0, node="A"), Block("t", node="B"))
    problem = Problem(nodes, blocks, (("fast", "t"), ("slow", "t")))
    plan = solve(problem, "exact", 10.0)
    assert check(problem, plan) == []
    assert plan.routes["fast", "t"] == ("A", "R", "B")
    assert (plan.slots, plan.bound) == (3, 3)


def test_a_proof_that_runs_out_of_time_keeps_the_plan() -> None:
    problem = generate(Recipe(nodes=14, blocks=11, sources=4, side=600.0, loops=2, extra=4), Random(5))
    plan = solve(problem, "exact", 2.0)
    assert check(problem, plan) == []
    assert plan.bound <= plan.slots


def test_what_is_proven_already_needs_no_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    problem = Problem((Node("A", 0, 0, 1),), (Block("s"), Block("t")), (("s", "t"),))
    assert solve(problem, "exact").optimal


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    problem = instance(3)
    tables = Tables(problem)
    with pytest.raises(EmbeddingError) as caught:
        module.prove(tables, Found([], [], 0), left=lambda: 1.0, seed=0, workers=1)
    assert str(caught.value) == (
        "exact: the method needs OR-Tools, which is not installed. Install it: pip install 'fission[plan]'"
    )


MUTANTS = (
    ("a node does several things", "model.add_at_most_one(sends + receives)", "pass"),
    ("a receiver needs no sender", "model.add(sum(heard) == sum(receives))", "pass"),
    ("sums of interferers are tolerated", "if sum(weight for weight, _ in terms) > _SCALE:", "if False:"),
    ("data may circle", "model.add(depth[y] >= depth[x] + 1).only_enforce_if(given)", "pass"),
    ("relays are forbidden", "[*consumers, *gives, one.Not()]", "[*consumers, one.Not()]"),
    ("the tree is too shallow", "deepest = self._model, self._t.n - 1", "deepest = self._model, 1"),
    ("hosts send to themselves", "[own[0].Not(), *elsewhere, *gives]", "[own[0].Not(), *gives]"),
    ("one sender per slot", "for x in nodes) <= senders)", "for x in nodes) <= 1)"),
)  # fmt: skip


def _by_hand() -> list[Problem]:
    """Instances that a broken model gets wrong: far pairs share a slot, a chain needs relays, ...."""
    far = (Node("A", 0, 0, 0), Node("B", 1, 0, 0), Node("C", 90, 0, 0), Node("D", 91, 0, 0))
    pairs = tuple(Block(name, node=name.upper()) for name in "abcd")
    places = ((0, 0), (1, 0), (1, 5.35), (1, 6.35), (1, -5.35), (1, -6.35))  # two disturb only together
    around = tuple(Node(name, x, y, 0) for name, (x, y) in zip("ABCDEF", places, strict=True))
    six = tuple(Block(name, node=name.upper()) for name in "abcdef")
    chain = tuple(Node(f"N{n}", 200.0 * n, 0.0, 1.0) for n in range(4))
    ends = (Block("s", node="N0"), Block("t", node="N3"))
    return [
        Problem(far, pairs, (("a", "b"), ("c", "d"))),
        Problem(chain, ends, (("s", "t"),)),
        Problem(far, pairs, (("a", "b"), ("b", "a"), ("a", "c"))),
        Problem(far, pairs, (("a", "b"), ("b", "a"))),
        Problem(around, six, (("a", "b"), ("c", "d"), ("e", "f"))),
    ]


@pytest.fixture(scope="module")
def answers() -> list[tuple[Problem, int]]:
    problems = [*_by_hand(), *(small(seed) for seed in range(10))]
    return [(problem, proven(problem).slots) for problem in problems]


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS, ids=[name for name, _, _ in MUTANTS])
def test_a_broken_model_is_found_out(
    name: str, old: str, new: str, answers: list[tuple[Problem, int]]
) -> None:
    spec = find_spec(module.__name__)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    assert text.count(old) == 1, name
    copy = ModuleType("exact_copy")
    exec(compile(text.replace(old, new), "exact.py", "exec"), copy.__dict__)

    def gets_wrong(problem: Problem, slots: int) -> bool:
        try:
            plan = proven(problem, max(slots - 1, 0), copy)
            return plan.slots != slots or plan.bound != slots or bool(check(problem, plan))
        except Exception:  # noqa: BLE001 - no plan at all shows as well
            return True

    assert any(gets_wrong(*answer) for answer in answers)
