"""Local search over placements: moves and swaps, with kicks out of local optima."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from fission.planning.search.placements import Placements
from fission.planning.search.routes import route
from fission.planning.search.slots import Sending, assign, degrees
from fission.planning.search.tables import Tables, members

__all__ = ["ANY", "Chance", "Found", "search"]

_TRIES = 20
"""Steps back of a slot assignment."""
_LEAVES = 24
"""Placements of the enumeration that are tried before the local search takes over."""
_DETOURS = (0.25, 0.0)
"""How much routes avoid busy nodes; each placement is evaluated with both."""
_DESCENTS = 3
"""Starts from which the local search descends before it kicks."""
_STEPS = 2500
"""Steps of the enumeration per number of slots."""

ANY = 1 << 30
"""More slots than any embedding needs."""
_MAX_KNOWN = 100_000
"""Placements whose cost is remembered."""

Cost = tuple[int, int, int]
_WORST: Cost = (ANY, 0, 0)
_SQUARE = [d * d for d in range(4096)].__getitem__


class Chance(Protocol):
    """What the search needs of `random.Random`."""

    def random(self) -> float:
        """Return a number from 0 to 1, 1 excluded."""
        ...

    def randrange(self, stop: int, /) -> int:
        """Return one of 0, 1, ..., stop - 1."""
        ...

    def shuffle(self, items: list[tuple[int, int]], /) -> None:
        """Put the items into random order."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The best embedding that was found, by index, and a proven lower bound of its slots. `host` is empty if there is none."""

    host: Sequence[int]
    schedule: Sequence[Sequence[Sending]]
    bound: int

    @property
    def slots(self) -> int:
        """Slots of the frame."""
        return len(self.schedule)


def search(
    tables: Tables, chance: Chance, *, kicks: int, over: Callable[[], bool], halfway: Callable[[], bool]
) -> Found:
    """Search until the bound is met, `kicks` kicks bring nothing, or `over` says that the time is up.

    `halfway` says when the enumeration for the bound has to leave the time to the local search. The result has no hosts if no
    embedding was found; `bound` is then more than any number of slots if there is none.
    """
    return _Search(tables, chance, over).run(kicks, halfway)


class _Search:
    def __init__(self, tables: Tables, chance: Chance, over: Callable[[], bool]) -> None:
        self._t = tables
        self._chance = chance
        self._over = over
        self._host: list[int] = []
        self._schedule: list[list[Sending]] = []
        self._slots = ANY
        self._bound = 0
        self._starts: list[list[int]] = []
        self._known: dict[tuple[int, ...], Cost] = {}

    def run(self, kicks: int, halfway: Callable[[], bool]) -> Found:
        self._enumerate(halfway)
        if self._slots > self._bound and self._starts:
            self._improve(kicks)
        return Found(self._host, self._schedule, self._bound)

    # -- bound -----------------------------------------------------------------------------------------------

    def _enumerate(self, halfway: Callable[[], bool]) -> None:
        """Raise the bound until a placement passes that cannot be scheduled at once, or is optimal."""
        placements = Placements(self._t)
        start = next(placements.within(ANY, 20 * _STEPS, self._over), None)
        if start is None:
            self._bound = ANY if placements.exhausted else 0
            return
        self._starts = [start]
        self._cost(start)
        while self._bound < self._slots and not halfway():
            passed = 0
            for host in placements.within(self._bound, _STEPS, halfway):
                passed += 1
                self._starts.append(host)
                self._cost(host)
                if self._slots <= self._bound or passed >= _LEAVES or halfway():
                    return
            if passed or not placements.exhausted:
                return
            self._bound += 1

    # -- evaluation ------------------------------------------------------------------------------------------

    def _cost(self, host: list[int], better_than: Cost = _WORST) -> Cost:
        """Return slots, squares of the nodes' degrees and transmissions of a placement, and keep the best one.

        If the cost cannot be less than `better_than`, a lower bound of it may be returned, which is quicker.
        """
        key = tuple(host)
        cost = self._known.get(key)
        if cost is not None:
            return cost
        tables = self._t
        wanted, degree = self._needs(host)
        least = (max(degree), sum(map(_SQUARE, degree)), 0)
        if least >= better_than:
            return least
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        cost = _WORST
        routed: list[list[Sending]] = []
        for detour in _DETOURS:
            sendings = route(tables, host, wanted, degree, detour)
            if sendings is None or sendings in routed:
                continue
            routed.append(sendings)
            cost = min(cost, self._routed_cost(host, sendings, min(cost, better_than)))
            if len(sendings) == self._direct:  # no relays, so nothing to choose
                break
        self._known[key] = cost
        return cost

    def _routed_cost(self, host: list[int], sendings: list[Sending], better_than: Cost) -> Cost:
        degree = degrees(self._t.n, sendings)
        least = (max(degree), sum(map(_SQUARE, degree)), len(sendings))
        return least if least >= better_than else self._schedule_all(host, sendings, least, better_than)

    def _needs(self, host: list[int]) -> tuple[list[int], list[int]]:
        """Return the nodes that need the data of each block, and the least degrees: one transmission, one reception each."""
        degree = [0] * self._t.n
        wanted = []
        self._direct = 0
        for here, consumers in zip(host, self._t.out, strict=True):
            mask = 0
            for block in consumers:
                mask |= 1 << host[block]
            mask &= ~(1 << here)
            wanted.append(mask)
            if mask:
                self._direct += 1
                degree[here] += 1
                for y in members(mask):
                    degree[y] += 1
        return wanted, degree

    def _schedule_all(self, host: list[int], sendings: list[Sending], least: Cost, better_than: Cost) -> Cost:
        """Find the least number of slots, up to what can still be better than the given cost and the best plan."""
        least_slots, squares, count = least
        slots = min(max(self._slots, least_slots), better_than[0], count) + 1
        schedule = None
        while slots > least_slots:
            found = assign(self._t, sendings, slots - 1, _TRIES)
            if found is None:
                break
            schedule, slots = found, len(found)
        if schedule is not None and slots < self._slots:
            self._host, self._schedule, self._slots = list(host), schedule, slots
        return slots, squares, count

    # -- local search ----------------------------------------------------------------------------------------

    def _improve(self, kicks: int) -> None:
        for host in self._hubs():
            if self._over():
                return
            self._cost(host)
            self._starts.append(host)
        starts = sorted(self._starts, key=self._cost)[:_DESCENTS]
        for host in starts:
            self._descend(list(host))
            if self._done():
                return
        current = list(self._host)
        cost = self._cost(current)
        idle = 0
        while idle < kicks and not self._done():
            candidate = list(current)
            if self._chance.randrange(3):
                self._kick(candidate, 1 + self._chance.randrange(3))
            else:
                self._pull(candidate)
            found = self._descend(candidate)
            idle += 1
            if found[0] < cost[0]:
                idle = 0
            if found <= cost:
                current, cost = candidate, found
            elif idle % 8 == 7:
                current, cost = list(self._host), self._cost(self._host)

    def _done(self) -> bool:
        return self._slots <= self._bound or self._over()

    def _descend(self, host: list[int]) -> Cost:
        """Move or swap blocks, the first improvement each time, until there is none. Changes `host`."""
        cost = self._cost(host)
        room = self._rooms(host)
        improved = True
        while improved and not self._done():
            improved = False
            moves = self._moves()
            for block, value in moves:
                if not self._try(host, room, block, value):
                    continue
                found = self._cost(host, cost)
                if found < cost:
                    cost, improved = found, True
                    if self._slots <= self._bound:
                        return cost
                else:
                    self._undo(host, room)
                if self._over():
                    return cost
        return cost

    def _moves(self) -> list[tuple[int, int]]:
        """Return all moves in random order: (block, node) as (block, ~node), and swaps (block, block)."""
        tables = self._t
        free = [block for block in range(tables.m) if len(tables.allowed[block]) > 1]
        moves = [(block, ~node) for block in free for node in tables.allowed[block]]
        moves += [(one, other) for one in free for other in free if one < other]
        self._chance.shuffle(moves)
        return moves

    def _rooms(self, host: list[int]) -> list[float]:
        room = list(self._t.room)
        for block, node in enumerate(host):
            room[node] -= self._t.demand[block]
        return room

    def _try(self, host: list[int], room: list[float], block: int, value: int) -> bool:
        """Carry out a move if the capacities allow it; `_undo` takes it back."""
        demand, here = self._t.demand, host[block]
        if value < 0:
            node = ~value
            if node == here or room[node] < demand[block]:
                return False
            self._last = [(block, here)]
            self._shift(host, room, block, node)
            return True
        there = host[value]
        if (
            here == there
            or here not in self._t.allowed[value]
            or there not in self._t.allowed[block]
            or room[there] + demand[value] < demand[block]
            or room[here] + demand[block] < demand[value]
        ):
            return False
        self._last = [(block, here), (value, there)]
        self._shift(host, room, block, there)
        self._shift(host, room, value, here)
        return True

    def _undo(self, host: list[int], room: list[float]) -> None:
        for block, node in self._last:
            self._shift(host, room, block, node)

    def _shift(self, host: list[int], room: list[float], block: int, node: int) -> None:
        room[host[block]] += self._t.demand[block]
        room[node] -= self._t.demand[block]
        host[block] = node

    def _hubs(self) -> Iterator[list[int]]:
        """Yield for each node a placement that gathers the blocks on it, and on the nodes nearest to it when it is full."""
        tables = self._t
        order = sorted(range(tables.m), key=lambda b: (len(tables.allowed[b]) > 1, -tables.demand[b]))
        for hub in range(tables.n):
            gain = [row[hub] for row in tables.gain]
            gain[hub] = float("inf")
            near = sorted(range(tables.n), key=gain.__getitem__, reverse=True)
            room, host = list(tables.room), [-1] * tables.m
            for block in order:
                for node in near:
                    if node in tables.allowed[block] and tables.demand[block] <= room[node]:
                        host[block] = node
                        room[node] -= tables.demand[block]
                        break
            if -1 not in host:
                yield host

    def _pull(self, host: list[int]) -> None:
        """Move a random block and its neighbors to a random node, as far as it has room."""
        tables, room = self._t, self._rooms(host)
        block, node = self._chance.randrange(tables.m), self._chance.randrange(tables.n)
        for one in (block, *tables.into[block], *tables.out[block]):
            if node in tables.allowed[one]:
                self._try(host, room, one, ~node)

    def _kick(self, host: list[int], count: int) -> None:
        """Carry out random moves."""
        room = self._rooms(host)
        for block, value in self._moves():
            if count and self._try(host, room, block, value):
                count -= 1
