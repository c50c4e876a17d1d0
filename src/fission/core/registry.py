"""The objects that have been created so far, by id, address or group name.

Pipes, jobs and nodes register here when they are created. A loaded network is a value of its own
(`fission.core.network.Network`); only the classes of this package, consoles and tests read the registries.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["GROUPS", "JOBS", "NODES", "PIPES", "renumber", "reset"]

JOBS: dict[int, Any] = {}
"""Jobs (`BaseJob`) by id."""

PIPES: dict[int, Any] = {}
"""Pipes (`BasePipe`) by id. Calling a pipe class with a registered id returns the registered pipe."""

NODES: dict[str, Any] = {}
"""Nodes (`BaseNode`) by address."""

GROUPS: dict[str, list[Any]] = {}
"""The nodes of each group, by the group's name."""


def reset() -> None:
    """Remove all jobs, pipes, nodes and groups; the next job gets id 1.

    Call it before another network is created.
    """
    for registry in (JOBS, PIPES, NODES, GROUPS):
        registry.clear()


def renumber(jobs: Iterable[Any]) -> None:
    """Assign the ids 1, 2, ... to these jobs; `JOBS` holds them, and no others, afterwards."""
    JOBS.clear()
    for number, job in enumerate(jobs, start=1):
        job.id = number
        JOBS[number] = job
