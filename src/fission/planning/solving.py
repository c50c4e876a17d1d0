"""`solve`: the methods behind one call. It reads the clock; the solvers are given it."""

import time
from collections.abc import Mapping
from random import Random

from fission.planning.model import Embedding, EmbeddingError, Problem
from fission.planning.plan import Plan
from fission.planning.search.local import search
from fission.planning.search.result import to_embedding
from fission.planning.search.tables import Tables

__all__ = ["METHODS", "solve"]

METHODS: Mapping[str, float] = {"search": 1.0}
"""The methods, with the seconds that each has by default."""

_KICKS = 200
"""Kicks without a better plan after which the search ends before its time."""
_SHARE = 0.4
"""Part of the time that the search may spend on the bound before it improves placements."""


def solve(problem: Problem, method: str = "search", seconds: float | None = None, seed: int = 0) -> Plan:
    """Return the best plan that is found in `seconds`, with a proven lower bound of its slots.

    Raises EmbeddingError if there is no embedding, if none is found in time, or for an unknown method.
    """
    if method not in METHODS:
        raise EmbeddingError("there is no such method", where=method, expected=f"one of {', '.join(METHODS)}")
    limit = METHODS[method] if seconds is None else seconds
    if not limit > 0.0:
        raise EmbeddingError(
            "it is out of range", where="seconds", expected="a number above 0", found=f"{limit}"
        )
    start = time.perf_counter()
    found = _search(problem, start, limit, seed)
    taken = time.perf_counter() - start
    return Plan(
        found.placement,
        found.schedule,
        found.routes,
        found.bound,
        problem=problem,
        method=method,
        seconds=taken,
    )


def _search(problem: Problem, start: float, limit: float, seed: int) -> Embedding:
    tables = Tables(problem)
    found = search(
        tables,
        Random(seed),  # noqa: S311 - no secret
        kicks=_KICKS,
        over=lambda: time.perf_counter() - start >= limit,
        halfway=lambda: time.perf_counter() - start >= _SHARE * limit,
    )
    if not found.host:
        known = found.bound > 0
        raise EmbeddingError(
            "there is no embedding" if known else "no embedding was found in time",
            where=problem.name or "problem",
            expected="nodes that have room for all blocks and reach each other",
            hint="" if known else "Give it more seconds",
        )
    return to_embedding(tables, found.host, found.schedule, found.bound)
