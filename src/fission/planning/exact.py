"""The exact method: is there an embedding in T slots? Answered by CP-SAT for growing T. Needs the extra `plan`.

The model is a relaxation by at most 1e-9 of the interference, so what it refutes is refuted; what it finds is verified.
"""

from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

from fission.planning.model import EmbeddingError
from fission.planning.search.local import Found
from fission.planning.search.placements import Placements
from fission.planning.search.slots import Sending, Slot
from fission.planning.search.tables import Tables, members

__all__ = ["available", "prove"]

_SCALE = 10**9
_FEASIBLE, _INFEASIBLE, _UNKNOWN = "feasible", "infeasible", "unknown"
_MAX_SIZE = 500_000
"""Clauses beyond which building the model alone would take many seconds."""


def available() -> bool:
    """Whether OR-Tools is installed."""
    return find_spec("ortools") is not None


def prove(tables: Tables, found: Found, *, left: Callable[[], float], seed: int, workers: int) -> Found:
    """Raise the bound of `found` until it meets the slots, or find a plan with fewer; stop when `left()` seconds are 0.

    `found` may be without a plan. Raises EmbeddingError if OR-Tools is not installed.
    """
    cp_model = _library()
    host, schedule, bound = found.host, found.schedule, found.bound
    senders = Placements(tables).concurrency.most
    while (not host or bound < len(schedule)) and left() > 0.0 and _size(tables, bound) <= _MAX_SIZE:
        question = _Question(cp_model, tables, bound, senders)
        answer = question.ask(left(), seed, workers)
        if answer == _INFEASIBLE:
            bound += 1
            continue
        plan = question.plan() if answer == _FEASIBLE else None
        if plan is None:
            break
        host, schedule = plan
    return Found(host, schedule, bound)


def _size(tables: Tables, slots: int) -> int:
    """Return the number of clauses of the largest kind."""
    return slots * tables.m * sum(mask.bit_count() for mask in tables.reach[tables.most_tolerant])


def _library() -> Any:
    try:
        from ortools.sat.python import cp_model  # noqa: PLC0415 - heavy, and an extra
    except ImportError as error:
        raise EmbeddingError(
            "the method needs OR-Tools, which is not installed",
            where="exact",
            hint="Install it: pip install 'fission[plan]'",
        ) from error
    return cp_model


class _Question:
    """The decision problem for a number of slots. Names of variables: b block, t slot, x sender, y receiver."""

    def __init__(self, cp_model: Any, tables: Tables, slots: int, senders: int) -> None:
        self._cp = cp_model
        self._t = tables
        self._slots = range(slots)
        self._model = model = cp_model.CpModel()
        nodes, blocks = range(tables.n), range(tables.m)
        new = model.new_bool_var
        self._at = {(b, x): new("") for b in blocks for x in tables.allowed[b]}
        used = [b for b in blocks if tables.out[b]]
        self._used = used
        self._tx = {(t, x, b): new("") for t in self._slots for x in nodes for b in used}
        self._rx = {(t, y, b): new("") for t in self._slots for y in nodes for b in used}
        reach = tables.reach[tables.most_tolerant]
        self._pairs = [(x, y) for x in nodes for y in members(reach[x])]
        self._hears = {(t, x, y): new("") for t in self._slots for x, y in self._pairs}
        self._send = {(t, x): new("") for t in self._slots for x in nodes}
        self._place()
        self._activities(senders)
        self._supply()
        self._interference()
        self._order()
        self._symmetry()

    def _place(self) -> None:
        tables = self._t
        for b in range(tables.m):
            self._model.add_exactly_one(self._at[b, x] for x in tables.allowed[b])
        for x in range(tables.n):
            terms = [
                (int(tables.demand[b] * _SCALE), self._at[b, x])
                for b in range(tables.m)
                if (b, x) in self._at and tables.demand[b] > 0.0
            ]
            if sum(weight for weight, _ in terms) > tables.room[x] * _SCALE:
                self._model.add(
                    sum(weight * one for weight, one in terms) <= int(tables.room[x] * _SCALE) + 1
                )

    def _activities(self, senders: int) -> None:
        """In a slot a node sends one datum or receives one from one sender; a sender has a receiver."""
        model, nodes = self._model, range(self._t.n)
        for t in self._slots:
            for x in nodes:
                sends = [self._tx[t, x, b] for b in self._used]
                receives = [self._rx[t, x, b] for b in self._used]
                model.add_at_most_one(sends + receives)
                model.add(sum(sends) == self._send[t, x])
                heard = [self._hears[t, k, y] for k, y in self._pairs if y == x]
                model.add(sum(heard) == sum(receives))
                model.add_bool_or(
                    [self._hears[t, x, y] for k, y in self._pairs if k == x] + [self._send[t, x].Not()]
                )
            model.add(sum(self._send[t, x] for x in nodes) <= senders)
            model.add_bool_or([self._send[t, x] for x in nodes])
            for x, y in self._pairs:
                hears = self._hears[t, x, y]
                model.add_implication(hears, self._send[t, x])
                for b in self._used:
                    if self._t.reach[b][x] >> y & 1:
                        model.add_bool_or([self._rx[t, y, b].Not(), hears.Not(), self._tx[t, x, b]])
                    else:
                        model.add_bool_or([self._rx[t, y, b].Not(), hears.Not()])

    def _supply(self) -> None:
        """Data are sent by those who have them, reach every consumer, and are received at most once and for a reason."""
        model = self._model
        for b in self._used:
            for y in range(self._t.n):
                gets = [self._rx[t, y, b] for t in self._slots]
                gives = [self._tx[t, y, b] for t in self._slots]
                own = [self._at[b, y]] if (b, y) in self._at else []
                model.add_at_most_one(gets + own)
                consumers = [self._at[d, y] for d in self._t.out[b] if (d, y) in self._at]
                for one in gives:
                    model.add_bool_or([*own, *gets, one.Not()])
                for one in consumers:
                    model.add_bool_or([*own, *gets, one.Not()])
                for one in gets:
                    model.add_bool_or([*consumers, *gives, one.Not()])
                for d in self._t.out[b]:
                    if own:
                        elsewhere = [self._at[d, y]] if (d, y) in self._at else []
                        model.add_bool_or([own[0].Not(), *elsewhere, *gives])

    def _interference(self) -> None:
        """A receiver tolerates the sum of all other senders, for the threshold of the block that it receives."""
        classes: dict[int, list[int]] = {}
        for b in self._used:
            classes.setdefault(id(self._t.budget[b]), []).append(b)
        for blocks in classes.values():
            budget = self._t.budget[blocks[0]]
            for x, y in self._pairs:
                if budget[x][y] < 0.0:
                    continue
                for t in self._slots:
                    if len(classes) == 1:
                        self._tolerate(t, x, y, budget[x][y], [])
                    else:
                        for b in blocks:
                            self._tolerate(t, x, y, budget[x][y], [self._rx[t, y, b]])

    def _tolerate(self, t: int, x: int, y: int, budget: float, given: list[Any]) -> None:
        model, gain = self._model, self._t.gain
        conditions = [self._hears[t, x, y], *given]
        terms = []
        for k in range(self._t.n):
            if k in (x, y):
                continue
            if gain[k][y] > budget * (1.0 + 1e-9):
                model.add_bool_or([self._send[t, k].Not(), *(one.Not() for one in conditions)])
            elif budget > 0.0:
                terms.append((int(gain[k][y] / budget * _SCALE * (1.0 - 1e-9)), self._send[t, k]))
        if sum(weight for weight, _ in terms) > _SCALE:
            total = sum(weight * one for weight, one in terms)
            model.add(total <= _SCALE).only_enforce_if(conditions)

    def _order(self) -> None:
        """Data flow away from their host: a receiver is deeper in the tree than its sender, so no two supply each other."""
        model, deepest = self._model, self._t.n - 1
        for b in self._used:
            depth = [model.new_int_var(0, deepest, "") for _ in range(self._t.n)]
            for x, y in self._pairs:
                if not self._t.reach[b][x] >> y & 1:
                    continue
                for t in self._slots:
                    given = [self._hears[t, x, y], self._rx[t, y, b]]
                    model.add(depth[y] >= depth[x] + 1).only_enforce_if(given)

    def _symmetry(self) -> None:
        """Slots may be exchanged: sort them by their senders."""
        codes = [sum((1 << x) * self._send[t, x] for x in range(self._t.n)) for t in self._slots]
        for one, following in pairwise(codes):
            self._model.add(one >= following)

    def ask(self, seconds: float, seed: int, workers: int) -> str:
        """Let the solver work for some seconds. Ctrl+C ends it early, with the answer unknown."""
        self._solver = solver = self._cp.CpSolver()
        solver.parameters.max_time_in_seconds = seconds
        solver.parameters.random_seed = seed % 2**31
        solver.parameters.num_workers = workers
        status = solver.solve(self._model)
        if status in (self._cp.OPTIMAL, self._cp.FEASIBLE):
            return _FEASIBLE
        return _INFEASIBLE if status == self._cp.INFEASIBLE else _UNKNOWN

    def plan(self) -> tuple[list[int], list[list[Sending]]] | None:
        """Return hosts and schedule of the answer; None if rounding has let something pass that is not valid."""
        value = self._solver.boolean_value
        host = [-1] * self._t.m
        for (b, x), chosen in self._at.items():
            if value(chosen):
                host[b] = x
        schedule = []
        for t in self._slots:
            slot = Slot()
            for x in range(self._t.n):
                for b in self._used:
                    if not value(self._tx[t, x, b]):
                        continue
                    receivers = sum(1 << y for k, y in self._pairs if k == x and value(self._hears[t, x, y]))
                    if not slot.add(self._t, (x, b, receivers)):
                        return None
            schedule.append(slot.sendings)
        return host, schedule
