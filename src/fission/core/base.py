"""The base classes and the registries, under the import path that users of the first FISSION know."""

from __future__ import annotations

from fission.core import registry
from fission.core.jobs.base import BaseJob
from fission.core.nodes import BaseNode
from fission.core.pipes.base import BasePipe
from fission.core.registry import renumber, reset

__all__ = ["GROUPS", "JOBS", "NODES", "PIPES", "BaseJob", "BaseNode", "BasePipe", "renumber", "reset"]

JOBS: dict[int, BaseJob] = registry.JOBS
"""Jobs by id."""

PIPES: dict[int, BasePipe] = registry.PIPES
"""Pipes by id."""

NODES: dict[str, BaseNode] = registry.NODES
"""Nodes by address."""

GROUPS: dict[str, list[BaseNode]] = registry.GROUPS
"""The nodes of each group, by the group's name."""
