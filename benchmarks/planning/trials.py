"""Solves instances and keeps what came of each."""

import gc
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from benchmarks.planning.baseline import semi_greedy
from fission.plan import Plan, Problem, Recipe, check, generate, load_all, solve
from fission.planning.search.tables import Tables


@dataclass(frozen=True)
class Trial:
    """One instance. `seconds` and `cpu` are of the search, `listed` is the published optimum; -1 stands for what is not known."""

    name: str
    kind: str
    nodes: int
    blocks: int
    slots: int
    bound: int
    seconds: float
    cpu: float
    violations: int
    listed: int = -1
    baseline: int = -1
    optimum: int = -1
    exact_seconds: float = -1.0

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data."""
        return asdict(self)


def marvelo(path: Path) -> Iterator[Trial]:
    """Solve published instances, by the search alone and its bound."""
    listed = json.loads(path.read_text(encoding="utf-8"))["instances"]
    for problem, one in zip(load_all(path), listed, strict=True):
        plan, cpu = _searched(problem, 1.0, 0)
        yield Trial(
            problem.name,
            "MARVELO",
            len(problem.nodes),
            len(problem.blocks),
            plan.slots,
            plan.bound,
            plan.seconds,
            cpu,
            len(check(problem, plan)),
            listed=one["listed_slots"],
        )


def generated(
    count: int, seed: int, seconds: float, proof: float, largest: int, say: Callable[[str], None]
) -> Iterator[Trial]:
    """Solve generated instances by the search, the baseline and, up to `largest` nodes, the exact method."""
    for number in range(count):
        problem = instance(seed, number)
        plan, cpu = _searched(problem, seconds, seed)
        baseline = semi_greedy(Tables(problem), Random(seed))
        violations = len(check(problem, plan)) + (0 if baseline is None else len(check(problem, baseline)))
        optimum, taken = (plan.slots, -1.0) if plan.optimal else (-1, -1.0)
        if len(problem.nodes) <= largest:
            start = time.perf_counter()
            exact = solve(problem, "exact", proof, seed)
            taken = time.perf_counter() - start
            violations += len(check(problem, exact))
            if exact.optimal:
                optimum = exact.slots
        yield Trial(
            problem.name,
            "600 m" if number % 2 else "25 m",
            len(problem.nodes),
            len(problem.blocks),
            plan.slots,
            plan.bound,
            plan.seconds,
            cpu,
            violations,
            baseline=-1 if baseline is None else baseline.slots,
            optimum=optimum,
            exact_seconds=taken,
        )
        if (number + 1) % 50 == 0:
            say(f"{number + 1} of {count} generated instances")


def _searched(problem: Problem, seconds: float, seed: int) -> tuple[Plan, float]:
    gc.collect()  # what the trials before have left is not its cost
    start = time.process_time()
    plan = solve(problem, "search", seconds, seed)
    return plan, time.process_time() - start


def instance(seed: int, number: int) -> Problem:
    """Return an instance: 3 to 16 nodes, up to 11 blocks, 1 to 4 sources, loops; every other one in a field of 600 m."""
    chance = Random(f"{seed} {number}")
    sources = chance.randint(1, 4)
    recipe = Recipe(
        nodes=chance.randint(3, 16),
        blocks=min(11, sources + 1 + chance.randint(1, 8)),
        sources=sources,
        side=600.0 if number % 2 else 25.0,
        loops=chance.randint(0, 2),
        extra=chance.randint(0, 4),
        load=chance.choice((0.2, 0.4, 0.6)),
    )
    return generate(recipe, chance, f"generated {seed}.{number}")
