"""Enumerates placements that could do with a number of slots: the lower bound, and good starts for the search."""

from collections.abc import Callable, Iterator

from fission.planning.search.concurrency import Concurrency
from fission.planning.search.tables import FAR, Tables

__all__ = ["Placements"]


class Placements:
    """Depth-first search over placements, cut by conditions that every embedding in `slots` slots meets.

    1. A node needs a slot for each own block whose data it sends, and for each datum that it receives (half duplex).
    2. The data of a block need at least as many transmissions as there are hops to its farthest consumer, and no slot has
       more than `Concurrency.most` transmissions.
    3. Senders of which no two can send together need slots of their own.
    """

    def __init__(self, tables: Tables) -> None:
        self._t = tables
        self._concurrency: Concurrency | None = None
        self._order = _order(tables)
        self.steps = 0
        """Nodes of the search tree visited so far, over all calls."""

    @property
    def concurrency(self) -> Concurrency:
        """Computed when it is first needed: few problems with one or two slots need it."""
        if self._concurrency is None:
            self._concurrency = Concurrency(self._t)
        return self._concurrency

    def within(self, slots: int, steps: int, over: Callable[[], bool]) -> Iterator[list[int]]:
        """Yield the hosts of all blocks for each placement that passes. Stops after `steps` more steps, or when `over`.

        When the iterator ends and `exhausted` is true, no other placement does with `slots` slots.
        """
        self.exhausted = False
        self._limit = self.steps + steps
        self._over = over
        self._host = [-1] * self._t.m
        self._room = list(self._t.room)
        self._degree = [0] * self._t.n
        self._sends = [0] * self._t.m  # the hops to the farthest consumer so far
        self._receives: set[tuple[int, int]] = set()
        self._transmissions = 0
        self._slots = slots
        yield from self._descend(0)
        self.exhausted = self.steps < self._limit

    def _descend(self, depth: int) -> Iterator[list[int]]:
        if depth == self._t.m:
            if self._slots < 2 or self._cliques_fit():
                yield list(self._host)
            return
        block = self._order[depth]
        for node in self._candidates(block):
            self.steps += 1
            if self.steps >= self._limit or (not self.steps & 63 and self._over()):
                self._limit = self.steps
                return
            self._room[node] -= self._t.demand[block]
            self._host[block] = node
            undo = self._add(block)
            if undo is not None:
                yield from self._descend(depth + 1)
                self._revert(undo)
            self._host[block] = -1
            self._room[node] += self._t.demand[block]

    def _candidates(self, block: int) -> list[int]:
        """Nodes with room; those that host a neighbor first, then the nearest to neighbors."""
        host, demand = self._host, self._t.demand[block]
        near = [host[b] for b in (*self._t.into[block], *self._t.out[block]) if host[b] >= 0]
        gain = self._t.gain

        def merit(node: int) -> tuple[int, float]:
            return -near.count(node), -sum(gain[x][node] for x in near)

        return sorted((x for x in self._t.allowed[block] if demand <= self._room[x]), key=merit)

    def _add(self, block: int) -> list[tuple[int, int, int]] | None:
        """Count what the links to placed blocks cost; None, with nothing changed, if that is too much."""
        host = self._host
        undo: list[tuple[int, int, int]] = []
        pairs = [(source, block) for source in self._t.into[block] if host[source] >= 0]
        pairs += [(block, target) for target in self._t.out[block] if host[target] >= 0]
        for source, target in pairs:
            if not self._add_link(source, host[source], host[target], undo):
                self._revert(undo)
                return None
        return undo

    def _add_link(self, source: int, x: int, y: int, undo: list[tuple[int, int, int]]) -> bool:
        if x == y or (source, y) in self._receives:
            return True
        hops, before = self._t.hops[source][x][y], self._sends[source]
        undo.append((source, y, before))
        self._receives.add((source, y))
        self._degree[y] += 1
        if not before:
            self._degree[x] += 1
        if hops > before:
            self._sends[source] = hops
            self._transmissions += hops - before
        return (
            hops < FAR
            and self._degree[x] <= self._slots
            and self._degree[y] <= self._slots
            and (
                self._transmissions <= self._slots
                or self._transmissions <= self._slots * self.concurrency.most
            )
        )

    def _revert(self, undo: list[tuple[int, int, int]]) -> None:
        for source, y, before in reversed(undo):
            self._receives.discard((source, y))
            self._degree[y] -= 1
            if not before:
                self._degree[self._host[source]] -= 1
            self._transmissions -= self._sends[source] - before
            self._sends[source] = before

    def _cliques_fit(self) -> bool:
        weight = [0] * self._t.n
        for block, hops in enumerate(self._sends):
            if hops:
                weight[self._host[block]] += 1
        senders = [x for x, sends in enumerate(weight) if sends]
        together = self.concurrency.together
        for first in senders:
            clique, total = 1 << first, weight[first]
            for x in sorted(senders, key=lambda x: -weight[x]):
                if x != first and not together[x] & clique:
                    clique |= 1 << x
                    total += weight[x]
            if total > self._slots:
                return False
        return True


def _order(tables: Tables) -> list[int]:
    """Order the blocks: fixed ones, then the one with the most links to earlier ones, the largest demand first."""
    placed = {b for b in range(tables.m) if len(tables.allowed[b]) == 1}
    order = sorted(placed)
    while len(order) < tables.m:
        block = max(
            (b for b in range(tables.m) if b not in placed),
            key=lambda b: (
                sum(other in placed for other in (*tables.into[b], *tables.out[b])),
                tables.demand[b],
                -b,
            ),
        )
        placed.add(block)
        order.append(block)
    return order
