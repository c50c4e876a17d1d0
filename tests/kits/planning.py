"""Instances and broken plans for the tests of planning."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from fission.plan import Embedding, Problem, Recipe, Transmission, generate

INSTANCES = Path(__file__).parents[2] / "benchmarks" / "planning" / "marvelo-embedding.json"


def instance(seed: int) -> Problem:
    """An instance of random size: dense or with relays, with loops, several sources and different loads."""
    chance = Random(seed)
    sources = 1 + chance.randrange(4)
    recipe = Recipe(
        nodes=3 + chance.randrange(10),
        blocks=sources + 1 + chance.randrange(1, 7),
        sources=sources,
        side=chance.choice((25.0, 600.0)),
        loops=chance.randrange(3),
        extra=chance.randrange(4),
        load=chance.choice((0.1, 0.3, 0.5)),
    )
    return generate(recipe, chance, f"seed {seed}")


def broken(problem: Problem, plan: Embedding) -> Iterator[tuple[str, Embedding]]:
    """Copies of a valid plan in which one rule is broken, each with the name of the rule."""
    block = problem.blocks[-1]
    others = [node.name for node in problem.nodes if node.name != plan.placement[block.name]]
    if block.node is not None and others:
        yield "fixed", replace(plan, placement={**plan.placement, block.name: others[0]})
    missing = {name: node for name, node in plan.placement.items() if name != block.name}
    yield "placement", replace(plan, placement=missing)
    yield "name", replace(plan, placement={**plan.placement, "nobody's": problem.nodes[0].name})
    yield "bound", replace(plan, bound=plan.slots + 1)
    yield "empty", replace(plan, schedule=(*plan.schedule, ()))
    if not plan.schedule:
        return
    first = plan.schedule[0][0]
    yield "name", replace(plan, schedule=((replace(first, sender="nowhere"),), *plan.schedule[1:]))
    yield "route", replace(plan, schedule=plan.schedule[1:])
    twice = (*plan.schedule[0], first)
    yield "half-duplex", replace(plan, schedule=(twice, *plan.schedule[1:]))
    echo = Transmission(first.receivers[0], first.block, (first.sender,))
    yield "half-duplex", replace(plan, schedule=((*plan.schedule[0], echo), *plan.schedule[1:]))
    link, path = next(iter(plan.routes.items()))
    yield "route", replace(plan, routes={**plan.routes, link: path[:-1]})
    yield "route", replace(plan, routes={**plan.routes, link: path[1:]})
    yield "route", replace(plan, routes={name: nodes for name, nodes in plan.routes.items() if name != link})
    stranger = next(
        (
            node.name
            for node in problem.nodes
            if not any(node.name in (s.sender, *s.receivers) for slot in plan.schedule for s in slot)
            and node.name not in plan.placement.values()
        ),
        None,
    )
    if stranger is not None:
        made_up = Transmission(stranger, first.block, (first.sender,))
        yield "custody", replace(plan, schedule=(*plan.schedule, (made_up,)))
