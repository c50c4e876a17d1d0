"""Generates instances: fields of nodes and graphs of blocks, by chance but reproducible. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fission.planning.model import DEFAULT_RATE, Block, EmbeddingError, Node, Problem, Radio

__all__ = ["Recipe", "generate"]


class Chance(Protocol):
    """What generation needs of `random.Random`."""

    def random(self) -> float:
        """Return a number from 0 to 1, 1 excluded."""
        ...

    def randrange(self, stop: int, /) -> int:
        """Return one of 0, 1, ..., stop - 1."""
        ...


_LEAST_SIDE = 0.01
_TRIES = 300
"""Positions in the whole field that are tried for a node before some near the others are."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an instance is made of.

    `side` of the square field in m; `sources` and one sink are among the `blocks` and have fixed nodes; `loops` is the
    number of links against the direction of the stream, `extra` of additional ones; `load` is the sum of the demands over
    the sum of the capacities, less where the nodes could not carry them.
    """

    nodes: int = 8
    blocks: int = 8
    sources: int = 2
    side: float = 25.0
    loops: int = 1
    extra: int = 2
    load: float = 0.4

    def __post_init__(self) -> None:
        for name, least in (("nodes", 1), ("sources", 1), ("loops", 0), ("extra", 0)):
            if getattr(self, name) < least:
                raise EmbeddingError(
                    "it is too small",
                    where=name,
                    expected=f"at least {least}",
                    found=f"{getattr(self, name)}",
                )
        if self.side < _LEAST_SIDE * self.nodes:
            raise EmbeddingError(
                "it is too small",
                where="side",
                expected=f"at least {_LEAST_SIDE * self.nodes:g} m for {self.nodes} nodes",
                found=f"{self.side:g}",
            )
        if self.blocks < self.sources + 1:
            raise EmbeddingError(
                "there are too few",
                where="blocks",
                expected=f"at least {self.sources + 1}: the sources and the sink",
                found=f"{self.blocks}",
            )
        for name, value, most in (("side", self.side, 1e6), ("load", self.load, 1.0)):
            if not 0.0 < value <= most:
                raise EmbeddingError(
                    "it is out of range",
                    where=name,
                    expected=f"a number above 0, at most {most:g}",
                    found=f"{value:g}",
                )


def generate(recipe: Recipe, chance: Chance, name: str = "") -> Problem:
    """Return an instance in which every node reaches every other, if need be over relays, and the demands fit the nodes."""
    capacities = [20.0 + math.floor(40.0 * chance.random()) for _ in range(recipe.nodes)]
    positions = _field(recipe, chance)
    hosts = [chance.randrange(recipe.nodes) for _ in range(recipe.sources + 1)]
    demands = _demands(recipe, capacities, chance)
    nodes = tuple(
        Node(f"N{number}", x, y, capacity)
        for number, ((x, y), capacity) in enumerate(zip(positions, capacities, strict=True), 1)
    )
    blocks = [Block(f"S{number}", node=nodes[host].name) for number, host in enumerate(hosts[:-1], 1)]
    blocks += [Block(f"B{number}", demand) for number, demand in enumerate(demands, 1)]
    blocks.append(Block("sink", node=nodes[hosts[-1]].name))
    names = [block.name for block in blocks]
    links = tuple((names[source], names[target]) for source, target in _links(recipe, chance))
    return Problem(nodes, tuple(blocks), links, name=name)


def _field(recipe: Recipe, chance: Chance) -> list[tuple[float, float]]:
    """Draw positions; each node after the first is in range of an earlier one."""
    radio = Radio()
    reach = (1.0 / (radio.noise * (2.0 ** (DEFAULT_RATE / radio.bandwidth) - 1.0))) ** (1.0 / radio.exponent)
    found: list[tuple[float, float]] = []
    tries = 0
    while len(found) < recipe.nodes:
        x, y = recipe.side * chance.random(), recipe.side * chance.random()
        tries += 1
        if found and tries > _TRIES:  # the field is far larger than the range
            a, b = found[chance.randrange(len(found))]
            x = min(max(a + reach * (2.0 * chance.random() - 1.0), 0.0), recipe.side)
            y = min(max(b + reach * (2.0 * chance.random() - 1.0), 0.0), recipe.side)
        apart = [math.hypot(x - a, y - b) for a, b in found]
        if not found or (min(apart) < 0.99 * reach and min(apart) > 1e-6 * min(recipe.side, reach)):
            found.append((x, y))
            tries = 0
    return found


def _demands(recipe: Recipe, capacities: Sequence[float], chance: Chance) -> list[float]:
    """Draw demands that sum to `load`, or less if the nodes cannot carry them otherwise."""
    count = recipe.blocks - recipe.sources - 1
    weights = [0.2 + chance.random() for _ in range(count)]
    scale = recipe.load * sum(capacities) / max(sum(weights), 1e-9)
    while True:
        found = [round(min(weight * scale, 0.9 * max(capacities)), 3) for weight in weights]
        if _fits(found, capacities):
            return found
        scale *= 0.95


def _fits(demands: list[float], capacities: Sequence[float]) -> bool:
    room = list(capacities)
    for demand in sorted(demands, reverse=True):
        room.sort(reverse=True)
        if room[0] < demand:
            return False
        room[0] -= demand
    return True


def _links(recipe: Recipe, chance: Chance) -> list[tuple[int, int]]:
    """Draw a graph in which every block is on a path from a source to the sink."""
    last = recipe.blocks - 1
    inner = range(recipe.sources, last)
    links = {(chance.randrange(block), block) for block in inner}
    for block in range(last):
        if not any(source == block for source, _ in links):
            first = max(block + 1, recipe.sources)
            links.add((block, first + chance.randrange(last + 1 - first)))
    for _ in range(recipe.extra):
        source = chance.randrange(last)
        first = max(source + 1, recipe.sources)
        links.add((source, first + chance.randrange(last + 1 - first)))
    for _ in range(recipe.loops if len(inner) > 1 else 0):
        target = chance.randrange(len(inner) - 1)
        source = target + 1 + chance.randrange(len(inner) - 1 - target)
        links.add((inner[source], inner[target]))
    return sorted(links)
