"""A problem as integers, lists and bit masks: what the inner loops read."""

import math
from collections.abc import Iterable
from functools import lru_cache

from fission.planning.model import EmbeddingError, Problem

__all__ = ["Tables"]

_MARGIN = 1e-10
"""Relative slack of the SINR threshold for rounding; below the tolerance of the checker."""

FAR = 1 << 20
"""Number of hops between nodes that cannot reach each other."""


class Tables:
    """Nodes and blocks by index. Node sets are bit masks.

    `budget[b][x][y]` is the interference in W that `y` tolerates while it receives the data of block `b` from `x`; it is
    negative when `y` is out of range. `hops[b][x][y]` is the least number of hops. Raises EmbeddingError when no embedding
    exists because a block fits on no node.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.nodes = [node.name for node in problem.nodes]
        self.blocks = [block.name for block in problem.blocks]
        self.n = len(self.nodes)
        self.m = len(self.blocks)
        number = {name: index for index, name in enumerate(self.blocks)}
        self.links = [(number[source], number[target]) for source, target in problem.links]
        self.out: list[list[int]] = [[] for _ in self.blocks]
        self.into: list[list[int]] = [[] for _ in self.blocks]
        for source, target in self.links:
            self.out[source].append(target)
            self.into[target].append(source)
        self.trees: dict[tuple[int, int, int], list[tuple[int, int, int]] | None] = {}
        """Routes that are remembered, by block, host and targets."""
        self.demand = [block.demand for block in problem.blocks]
        self.room = [node.capacity + 1e-9 * max(1.0, node.capacity) for node in problem.nodes]
        self.gain = _gains(problem)
        self._radio_classes()
        self.allowed = self._within_islands(self._allowed())

    def _radio_classes(self) -> None:
        """Blocks of the same rate share their tables."""
        known: dict[float, tuple[list[list[float]], list[int], list[list[int]]]] = {}
        self.budget: list[list[list[float]]] = []
        self.reach: list[list[int]] = []
        self.hops: list[list[list[int]]] = []
        radio = self.problem.radio
        for block in self.problem.blocks:
            if block.rate not in known:
                threshold = _threshold(block.rate / radio.bandwidth)
                budget = [[gain / threshold - radio.noise for gain in row] for row in self.gain]
                reach = [
                    sum(1 << y for y in range(self.n) if y != x and budget[x][y] >= 0.0)
                    for x in range(self.n)
                ]
                known[block.rate] = (budget, reach, [_distances(reach, x) for x in range(self.n)])
            budget, reach, hops = known[block.rate]
            self.budget.append(budget)
            self.reach.append(reach)
            self.hops.append(hops)
        self.most_tolerant = max(range(self.m), key=lambda b: -self.problem.blocks[b].rate)

    def _within_islands(self, allowed: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Leave out nodes on islands of the field that cannot carry a block and all that it is linked with."""
        reach = self.reach[self.most_tolerant]
        islands = _islands(self.n, ((x, y) for x in range(self.n) for y in members(reach[x])))
        if len(islands) == 1:
            return allowed
        found = list(allowed)
        for group in map(members, _islands(self.m, self.links)):
            demand = sum(self.demand[block] for block in group)
            possible = 0
            for island in islands:
                room = sum(self.room[x] for x in members(island))
                if demand <= room and all(any(island >> x & 1 for x in allowed[b]) for b in group):
                    possible |= island
            if not possible:
                raise EmbeddingError(
                    "there is no embedding: no part of the field whose nodes reach each other has room for it and the"
                    " blocks that it is linked with",
                    where=f"block {self.blocks[group[0]]}",
                )
            for block in group:
                found[block] = tuple(x for x in allowed[block] if possible >> x & 1)
        return found

    def _allowed(self) -> list[tuple[int, ...]]:
        """Return the nodes on which each block can be, given its own demand and its fixed node."""
        number = {name: index for index, name in enumerate(self.nodes)}
        free = list(self.room)
        for block in self.problem.blocks:
            if block.node is not None:
                free[number[block.node]] -= block.demand
        for node, left in zip(self.problem.nodes, free, strict=True):
            if left < 0.0:
                raise EmbeddingError(
                    "there is no embedding: the blocks that are fixed there exceed its capacity",
                    where=f"node {node.name}",
                    expected=f"demands of at most {node.capacity:g}",
                )
        found: list[tuple[int, ...]] = []
        for block in self.problem.blocks:
            if block.node is not None:
                found.append((number[block.node],))
                continue
            nodes = tuple(x for x in range(self.n) if block.demand <= free[x])
            if not nodes:
                raise EmbeddingError(
                    "there is no embedding: no node has room for it beside the blocks that are fixed",
                    where=f"block {block.name}",
                    found=f"demand {block.demand:g}",
                )
            found.append(nodes)
        return found


def _islands(n: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return masks of the connected parts of 0, 1, ..., n - 1, whatever the direction of the pairs."""
    parts = [1 << x for x in range(n)]
    for x, y in pairs:
        one = next(part for part in parts if part >> x & 1)
        other = next(part for part in parts if part >> y & 1)
        if one != other:
            parts.remove(one)
            parts.remove(other)
            parts.append(one | other)
    return parts


def _threshold(efficiency: float) -> float:
    if efficiency > 1000.0:
        return float("inf")
    return max(math.expm1(efficiency * math.log(2.0)) * (1.0 - _MARGIN), 1e-300)


def _gains(problem: Problem) -> list[list[float]]:
    half = problem.radio.exponent / 2.0
    return [
        [
            x.power / math.pow((x.x - y.x) ** 2 + (x.y - y.y) ** 2, half) if x is not y else 0.0
            for y in problem.nodes
        ]
        for x in problem.nodes
    ]


def _distances(reach: list[int], start: int) -> list[int]:
    found = [FAR] * len(reach)
    found[start] = 0
    seen = border = 1 << start
    steps = 0
    while border:
        steps += 1
        fresh = 0
        for x in members(border):
            fresh |= reach[x]
        border = fresh & ~seen
        seen |= border
        for y in members(border):
            found[y] = steps
    return found


@lru_cache(maxsize=1 << 16)
def members(mask: int) -> tuple[int, ...]:
    """Return the elements of a bit mask in ascending order."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return tuple(found)
