"""The semi-greedy baseline: blocks in topological order, each link one hop at a time, a new slot only when no other works."""

from random import Random

from fission.planning.model import Embedding
from fission.planning.search.result import to_embedding
from fission.planning.search.slots import Sending, Slot
from fission.planning.search.tables import Tables

_RESTARTS = 10
_EPSILON = 0.1

Hop = tuple[int, int, list[Sending] | None]
"""Receiver, slot (the next free one is a new slot) and what the slot has afterwards; None if nothing has to be sent."""


def semi_greedy(tables: Tables, chance: Random) -> Embedding | None:
    """Return the best of ten attempts; None when all have failed."""
    best = None
    for _ in range(_RESTARTS):
        attempt = _Attempt(tables, chance)
        if attempt.run():
            plan = to_embedding(tables, attempt.host, attempt.slots, 0)
            if best is None or plan.slots < best.slots:
                best = plan
    return best


class _Attempt:
    def __init__(self, tables: Tables, chance: Random) -> None:
        self._t = tables
        self._chance = chance
        self.host = [nodes[0] if len(nodes) == 1 else -1 for nodes in tables.allowed]
        self.slots: list[list[Sending]] = []
        self._room = list(tables.room)
        self._has: set[tuple[int, int]] = set()
        for block, node in enumerate(self.host):
            if node >= 0:
                self._room[node] -= tables.demand[block]
        outputs = [block for block in range(tables.m) if not tables.out[block]]
        self._sink = self.host[outputs[-1]] if outputs else -1

    def run(self) -> bool:
        """Embed all links; False when one finds no hop."""
        done: set[int] = set()
        while len(done) < self._t.m:
            block = self._next(done)
            done.add(block)
            if self.host[block] < 0:  # only a cycle leads to it
                nodes = [x for x in self._t.allowed[block] if self._room[x] >= self._t.demand[block]]
                if not nodes:
                    return False
                self._place(block, self._chance.choice(nodes))
            if not all(self._embed(block, target) for target in self._t.out[block]):
                return False
        return True

    def _next(self, done: set[int]) -> int:
        """Return the block with the fewest sources that are still to come: topological order, where there is one."""
        left = [block for block in range(self._t.m) if block not in done]
        return min(
            left,
            key=lambda b: (self.host[b] < 0, sum(source not in done for source in self._t.into[b]), b),
        )

    def _embed(self, block: int, target: int) -> bool:
        here = self.host[block]
        seen = {here}
        while True:
            if self._accepts(here, target):
                self._place(target, here)
                return True
            hops = [hop for hop in self._hops(block, here) if hop[0] not in seen]
            if not hops:
                return False
            here = self._choose(hops, block, target)
            seen.add(here)

    def _accepts(self, node: int, target: int) -> bool:
        if self.host[target] >= 0:
            return self.host[target] == node
        return node in self._t.allowed[target] and self._room[node] >= self._t.demand[target]

    def _place(self, block: int, node: int) -> None:
        if self.host[block] < 0:
            self.host[block] = node
            self._room[node] -= self._t.demand[block]

    def _hops(self, block: int, sender: int) -> list[Hop]:
        """Return the possible next hops; those with a new slot only if there are no others."""
        near = [y for y in range(self._t.n) if self._t.reach[block][sender] >> y & 1]
        found: list[Hop] = []
        for receiver in near:
            if (block, receiver) in self._has and any(
                one[:2] == (sender, block) and one[2] >> receiver & 1 for slot in self.slots for one in slot
            ):
                found.append((receiver, 0, None))
                continue
            for number, slot in enumerate(self.slots):
                after = self._with(slot, sender, block, receiver)
                if after is not None:
                    found.append((receiver, number, after))
        if found:
            return found
        return [(y, len(self.slots), [(sender, block, 1 << y)]) for y in near]

    def _with(self, slot: list[Sending], sender: int, block: int, receiver: int) -> list[Sending] | None:
        """Return the slot with one more reception, as a broadcast if the data are sent in it already."""
        after = [one for one in slot if one[:2] != (sender, block)]
        mask = sum(one[2] for one in slot if one[:2] == (sender, block))
        after.append((sender, block, mask | 1 << receiver))
        tested = Slot()
        return after if all(tested.add(self._t, one) for one in after) else None

    def _choose(self, hops: list[Hop], block: int, target: int) -> int:
        good = [hop for hop in hops if hop[1] < len(self.slots) and self._accepts(hop[0], target)]
        if good and self._chance.random() >= _EPSILON:
            hop = self._chance.choice(good)
        else:
            goal = self.host[target] if self.host[target] >= 0 else self._sink
            nodes = self._t.problem.nodes

            def distance(hop: Hop) -> float:
                x, y = nodes[hop[0]], nodes[goal]
                return (x.x - y.x) ** 2 + (x.y - y.y) ** 2

            hop = min(hops, key=distance) if goal >= 0 else self._chance.choice(hops)
        receiver, number, after = hop
        if after is not None:
            if number == len(self.slots):
                self.slots.append(after)
            else:
                self.slots[number] = after
            self._has.add((block, receiver))
        return receiver
