"""What has been made so far, for people at a console and for tests.

The system itself never reads these: a loaded network is a value (`fission.core.network.Network`).
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fission.core.jobs.base import BaseJob
    from fission.core.nodes import BaseNode
    from fission.core.pipes.base import BasePipe

__all__ = ["GROUPS", "JOBS", "NODES", "PIPES", "renumber", "reset"]

JOBS: dict[int, BaseJob] = {}
"""Jobs by id."""

PIPES: dict[int, BasePipe] = {}
"""Pipes by id. Calling a pipe class with an id that is in here gives the pipe that is in here."""

NODES: dict[str, BaseNode] = {}
"""Nodes by address."""

GROUPS: dict[str, list[BaseNode]] = {}
"""The nodes of each group, by its name."""


def reset() -> None:
    """Forget all jobs, pipes, nodes and groups; the next job gets id 1.

    Call it before another network is made.
    """
    for registry in (JOBS, PIPES, NODES, GROUPS):
        registry.clear()


def renumber(jobs: Iterable[BaseJob]) -> None:
    """Give these jobs the ids 1, 2, ... and let `JOBS` hold them, and no others."""
    JOBS.clear()
    for number, job in enumerate(jobs, start=1):
        job.id = number
        JOBS[number] = job
