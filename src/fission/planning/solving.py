"""`solve`: the methods behind one call. It reads the clock; the solvers are given it."""

import os
import time
from collections.abc import Mapping
from random import Random

from fission.planning.exact import available, prove
from fission.planning.model import EmbeddingError, Problem
from fission.planning.plan import Plan
from fission.planning.search.local import ANY, Found, search
from fission.planning.search.result import to_embedding
from fission.planning.search.tables import Tables

__all__ = ["METHODS", "solve"]

METHODS: Mapping[str, float] = {"auto": 10.0, "search": 1.0, "exact": 60.0}
"""The methods, with the seconds that each has by default. `auto` proves after the search if OR-Tools is installed."""

_LONGEST = 1e7
_KICKS = 200
"""Kicks without a better plan after which the search ends before its time."""
_BOUND_SHARE = 0.4
"""Part of the search's time that the bound may take before placements are improved."""
_SEARCH_SHARE = 0.1
"""Part of the time that the search has where a proof follows."""


def solve(problem: Problem, method: str = "auto", seconds: float | None = None, seed: int = 0) -> Plan:
    """Return the best plan that is found in `seconds`, with a proven lower bound of its slots.

    `search` is a local search, `exact` goes on with CP-SAT until the plan is proven optimal, `auto` does so if OR-Tools is
    installed. Raises EmbeddingError if there is no embedding, if none is found in time, for an unknown method, and for
    `exact` without OR-Tools.
    """
    if method not in METHODS:
        raise EmbeddingError("there is no such method", where=method, expected=f"one of {', '.join(METHODS)}")
    limit = METHODS[method] if seconds is None else seconds
    if not 0.0 < limit < _LONGEST:
        raise EmbeddingError(
            "it is out of range",
            where="seconds",
            expected=f"a number above 0 and below {_LONGEST:g}",
            found=f"{limit}",
        )
    start = time.perf_counter()
    tables = Tables(problem)
    proves = method == "exact" or (method == "auto" and available())
    found = _search(tables, start, limit * (_SEARCH_SHARE if proves else 1.0), seed)
    used = "search"
    if proves and (not found.host or found.bound < found.slots) and found.bound < ANY:
        used = "exact"
        found = prove(
            tables,
            found,
            left=lambda: start + limit - time.perf_counter(),
            seed=seed,
            workers=min(8, os.cpu_count() or 1),
        )
    if not found.host:
        raise _no_embedding(problem, known=found.bound >= ANY)
    plan = to_embedding(tables, found.host, found.schedule, found.bound)
    taken = time.perf_counter() - start
    return Plan(
        plan.placement, plan.schedule, plan.routes, plan.bound, problem=problem, method=used, seconds=taken
    )


def _search(tables: Tables, start: float, limit: float, seed: int) -> Found:
    return search(
        tables,
        Random(seed),  # noqa: S311 - no secret
        kicks=_KICKS,
        over=lambda: time.perf_counter() - start >= limit,
        halfway=lambda: time.perf_counter() - start >= _BOUND_SHARE * limit,
    )


def _no_embedding(problem: Problem, *, known: bool) -> EmbeddingError:
    return EmbeddingError(
        "there is no embedding" if known else "no embedding was found in time",
        where=problem.name or "problem",
        expected="nodes that have room for all blocks and reach each other",
        hint="" if known else "Give it more seconds",
    )
