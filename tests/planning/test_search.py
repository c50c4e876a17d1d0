"""What holds for every plan of the search: it is valid, its bound is true, and it does as well as brute force."""

import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fission.plan import (
    Block,
    Embedding,
    EmbeddingError,
    Node,
    Problem,
    Recipe,
    check,
    generate,
    load_all,
    solve,
)
from fission.planning.search import local, placements
from fission.planning.search.result import to_embedding
from fission.planning.search.tables import Tables
from kits.planning import INSTANCES, instance

PATIENT = settings(deadline=None, max_examples=60)


def searched(problem: Problem, kicks: int = 5, module: ModuleType = local):
    tables = Tables(problem)
    found = module.search(tables, Random(1), kicks=kicks, over=lambda: False, halfway=lambda: False)
    return to_embedding(tables, found.host, found.schedule, found.bound)


@PATIENT
@given(st.integers(0, 10**6))
def test_every_plan_is_valid(seed: int) -> None:
    problem = instance(seed)
    plan = searched(problem, kicks=2)
    assert check(problem, plan) == []
    assert 0 <= plan.bound <= plan.slots


@PATIENT
@given(st.integers(0, 10**6), st.sampled_from((0.3, 1.0, 4.0)), st.sampled_from((2.0, 3.5)))
def test_other_rates_powers_and_exponents(seed: int, rate: float, exponent: float) -> None:
    chance = Random(seed)
    problem = generate(Recipe(nodes=5, blocks=6, side=40.0), chance)
    problem = replace(
        problem,
        radio=replace(problem.radio, exponent=exponent),
        nodes=tuple(replace(node, power=0.5 + chance.random()) for node in problem.nodes),
        blocks=tuple(replace(block, rate=rate * (0.5 + chance.random())) for block in problem.blocks),
    )
    try:
        plan = solve(problem, seconds=0.02)
    except EmbeddingError:
        return  # with less power some fields fall apart
    assert check(problem, plan) == []
    assert plan.bound <= plan.slots


def test_the_same_seed_gives_the_same_plan() -> None:
    problem = instance(7)
    assert searched(problem) == searched(problem)


@pytest.mark.parametrize("seed", range(25))
def test_no_placement_beats_the_bound(seed: int) -> None:
    """All placements of a small instance, each with its blocks fixed: none needs fewer slots than the bound says."""
    problem = generate(Recipe(nodes=4, blocks=5, sources=2, side=(25.0, 400.0)[seed % 2]), Random(seed))
    plan = searched(problem, kicks=30)
    free = [block.name for block in problem.blocks if block.node is None]
    best = 1 << 30
    for hosts in itertools.product([node.name for node in problem.nodes], repeat=len(free)):
        fixed = dict(zip(free, hosts, strict=True))
        blocks = tuple(replace(b, node=fixed.get(b.name, b.node)) for b in problem.blocks)
        try:
            found = searched(replace(problem, blocks=blocks), kicks=0)
        except EmbeddingError:
            continue
        best = min(best, found.slots)
    assert plan.bound <= best
    assert plan.slots <= best


def test_marvelos_instances_are_solved_with_proof() -> None:
    listed = json.loads(INSTANCES.read_text(encoding="utf-8"))["instances"]
    for problem, one in zip(load_all(INSTANCES), listed, strict=True):
        plan = solve(problem, "search")
        assert (plan.slots, plan.bound) == (one["listed_slots"], one["listed_slots"]), one["id"]
        assert check(problem, plan) == []


def test_islands_are_used_as_a_whole() -> None:
    """The free blocks fit only on the far island, the fixed pair stays on the near one."""
    nodes = (Node("A", 0, 0, 1), Node("B", 9, 0, 1), Node("C", 900, 0, 3), Node("D", 909, 0, 3))
    blocks = (Block("s", node="A"), Block("t", node="B"), Block("u", 2.5), Block("v", 2.5))
    problem = Problem(nodes, blocks, (("s", "t"), ("u", "v"), ("v", "u")))
    plan = solve(problem)
    assert check(problem, plan) == []
    assert {plan.placement["u"], plan.placement["v"]} == {"C", "D"}
    assert (plan.slots, plan.bound) == (2, 2)


def test_all_on_one_node_needs_no_slot() -> None:
    problem = Problem((Node("A", 0, 0, 9),), (Block("s", node="A"), Block("t", 3)), (("s", "t"), ("t", "s")))
    plan = solve(problem)
    assert (plan.slots, plan.bound, plan.optimal, dict(plan.routes)) == (0, 0, True, {})


def test_distant_nodes_are_joined_by_relays() -> None:
    nodes = tuple(Node(f"N{n}", 200.0 * n, 0.0, 1.0) for n in range(4))
    problem = Problem(nodes, (Block("s", node="N0"), Block("t", node="N3")), (("s", "t"),))
    plan = solve(problem)
    assert plan.routes["s", "t"] == ("N0", "N1", "N2", "N3")
    assert (plan.slots, plan.bound) == (3, 3)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            Problem((Node("A", 0, 0, 1), Node("B", 1, 0, 1)), (Block("s", 2.0), Block("t"))),
            "block s: there is no embedding: no node has room for it beside the blocks that are fixed",
        ),
        (
            Problem((Node("A", 0, 0, 1),), (Block("s", 2.0, node="A"),)),
            "node A: there is no embedding: the blocks that are fixed there exceed its capacity",
        ),
        (
            Problem((Node("A", 0, 0, 3), Node("B", 1, 0, 3)), tuple(Block(n, 2.0) for n in "stu")),
            "problem: there is no embedding; expected nodes that have room",
        ),
        (
            Problem(
                (Node("A", 0, 0, 3), Node("B", 300, 0, 3)),
                (Block("s", node="A"), Block("t", node="B")),
                (("s", "t"),),
            ),
            "block s: there is no embedding: no part of the field whose nodes reach each other has room for it and the blocks",
        ),
    ],
)
def test_problems_without_a_solution(problem: Problem, text: str) -> None:
    with pytest.raises(EmbeddingError) as caught:
        solve(problem)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(("method", "seconds"), [("magic", 1.0), ("search", 0.0), ("search", float("nan"))])
def test_wrong_arguments(method: str, seconds: float) -> None:
    with pytest.raises(EmbeddingError, match="expected"):
        solve(instance(1), method, seconds)


def test_a_large_problem_keeps_its_time() -> None:
    problem = generate(Recipe(nodes=60, blocks=80, sources=4, side=1200.0, loops=6, extra=40), Random(3))
    plan = solve(problem, seconds=1.0)
    assert check(problem, plan) == []
    assert plan.seconds < 20.0  # one evaluation may be under way when the time is up, on a busy machine


MUTANTS = (
    ("a node may do two things", "slots", "if self.busy & taken:", "if self.busy & 1 << sender:"),
    ("new senders do not disturb", "slots", "if left < gain[y]:", "if False:"),
    ("others do not disturb", "slots", "left -= tables.gain[other[0]][y]", "pass"),
    ("slack is not used up", "slots", "            self.slack[y] -= gain[y]\n", "            pass\n"),
    ("the rest of a split is forgotten", "slots", "todo[: index + 1], rest,", "todo[: index + 1],"),
    (
        "a step back leaves the node busy",
        "slots",
        "self.busy &= ~(receivers | 1 << sender)",
        "self.busy &= ~receivers",
    ),
    ("the range is unlimited", "tables", "y != x and budget[x][y] >= 0.0", "y != x"),
    ("the noise is forgotten", "tables", "gain / threshold - radio.noise", "gain / threshold"),
    (
        "relays do not receive",
        "routes",
        "children[sender] |= 1 << receiver",
        "children[sender] |= targets & 1 << receiver",
    ),
    ("capacities are ignored", "placements", "if demand <= self._room[x])", ")"),
    ("a move ignores the capacity", "local", "or room[node] < demand[block]:", ":"),
    (
        "a host sends its data twice",
        "placements",
        "if not before:\n            self._degree[x] += 1",
        "if True:\n            self._degree[x] += 1",
    ),
    (
        "hops are counted twice",
        "placements",
        "self._transmissions += hops - before",
        "self._transmissions += 2 * hops",
    ),
    (
        "one sender per slot",
        "concurrency",
        "most, best, tried = self._n // 2, 1, 0",
        "most, best, tried = 1, 1, 0",
    ),
    ("nobody sends beside another", "concurrency", "self.together[x] |= 1 << y", "pass"),
)
ROOM = Path(local.__file__).parent
NAMES = ("tables", "slots", "routes", "concurrency", "placements", "local")


def broken_search(name: str, file: str, old: str, new: str) -> dict[str, ModuleType]:
    """Load a copy of the search in which a text of one file is replaced."""
    text = (ROOM / f"{file}.py").read_text(encoding="utf-8")
    assert text.count(old) == 1, name
    copies: dict[str, ModuleType] = {}
    for one in NAMES:
        source = (ROOM / f"{one}.py").read_text(encoding="utf-8")
        if one == file:
            source = source.replace(old, new)
        source = source.replace("fission.planning.search.", "broken_copy_")
        copy = ModuleType(f"broken_copy_{one}")
        sys.modules[copy.__name__] = copy
        exec(compile(source, f"{one}.py", "exec"), copy.__dict__)
        copies[one] = copy
    return copies


def pairs(*places: tuple[float, float, float, float], blocks: int = 1) -> Problem:
    """Senders and receivers at fixed places; each sender has `blocks` blocks for its receiver."""
    nodes: list[Node] = []
    made: list[Block] = []
    links: list[tuple[str, str]] = []
    for number, (a, b, c, d) in enumerate(places):
        nodes += [Node(f"x{number}", a, b, 0.0), Node(f"y{number}", c, d, 0.0)]
        made.append(Block(f"t{number}", node=f"y{number}"))
        for count in range(blocks):
            made.append(Block(f"s{number}.{count}", node=f"x{number}"))
            links.append((made[-1].name, f"t{number}"))
    return Problem(tuple(nodes), tuple(made), tuple(links))


TWO_CLUSTERS = ((0.0, 0.0, 1.0, 0.0), (100.0, 0.0, 101.0, 0.0))
TWO_DISTURB_TOGETHER = ((0.0, 0.0, 1.0, 0.0), (1.0, 5.35, 1.0, 6.35), (1.0, -5.35, 1.0, -6.35))
"""Each of the outer senders alone leaves the middle receiver an SINR of 28, both together one of 14."""

BY_HAND = (
    (pairs(*TWO_CLUSTERS), 1),
    (pairs(*TWO_CLUSTERS, blocks=2), 2),
    (pairs(*TWO_DISTURB_TOGETHER), 2),
    (pairs(*TWO_DISTURB_TOGETHER[:2]), 1),
)


@pytest.mark.parametrize(("problem", "slots"), BY_HAND)
def test_slots_are_shared_as_far_as_the_radio_allows(problem: Problem, slots: int) -> None:
    plan = solve(problem)
    assert check(problem, plan) == []
    assert plan.slots == slots


def fixed(problem: Problem, plan: Embedding) -> Problem:
    """The problem with every block fixed where a plan has it."""
    return replace(problem, blocks=tuple(replace(b, node=plan.placement[b.name]) for b in problem.blocks))


def passes(problem: Problem, plan: Embedding, module: ModuleType = placements) -> bool:
    """Whether the conditions of the lower bound admit a plan that exists."""
    found = module.Placements(Tables(fixed(problem, plan))).within(plan.slots, 10_000, lambda: False)
    return next(found, None) is not None


@PATIENT
@given(st.integers(0, 10**6))
def test_the_bound_admits_every_valid_plan(seed: int) -> None:
    problem = instance(seed)
    plan = searched(problem, kicks=3)
    assert check(problem, plan) == []
    assert passes(problem, plan)


def true_plan(seed: int) -> tuple[Problem, Embedding]:
    problem = instance(seed)
    return problem, searched(problem, kicks=20)


@pytest.fixture(scope="module")
def solved() -> list[tuple[Problem, Embedding]]:
    return [*((one, solve(one)) for one, _ in BY_HAND), *(true_plan(seed) for seed in range(60))]


@pytest.mark.parametrize(("name", "file", "old", "new"), MUTANTS, ids=[one[0] for one in MUTANTS])
def test_a_broken_search_is_found_out(
    name: str, file: str, old: str, new: str, solved: list[tuple[Problem, Embedding]]
) -> None:
    copies = broken_search(name, file, old, new)
    try:
        assert any(_found_out(copies, problem, plan) for problem, plan in solved)
    finally:
        for copy in copies.values():
            del sys.modules[copy.__name__]


def _found_out(copies: dict[str, ModuleType], problem: Problem, known: Embedding) -> bool:
    try:
        if not passes(problem, known, copies["placements"]):
            return True
        tables = copies["tables"].Tables(problem)
        found = copies["local"].search(tables, Random(1), kicks=5, over=lambda: False, halfway=lambda: False)
        plan = to_embedding(tables, found.host, found.schedule, found.bound)
        return bool(check(problem, plan))
    except Exception:  # noqa: BLE001 - a crash shows as well
        return True
