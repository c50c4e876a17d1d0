"""Nodes: the machines on which a network may run."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fission.core import registry
from fission.core.groups import ALL, LOCAL, names
from fission.core.node_info import NodeInfo
from fission.errors import ConfigError

if TYPE_CHECKING:
    from fission.core.jobs.base import BaseJob

__all__ = ["BaseNode", "LocalNode", "MultiNode", "NodeInfo"]


class BaseNode:
    """A server, known by its address.

    `groups` are names that job classes may have in their `GROUPS` (one, or several, or lists of them);
    `max_jobs` is the number of its slots, by default that of its CPUs. A subclass may set `GROUPS` for all of
    its nodes. Every server also belongs to the group "ALL".
    """

    GROUPS: str | Iterable[str] = ALL

    def __init__(
        self, host: str, *groups: str | Iterable[str], name: str = "", max_jobs: int | None = None
    ) -> None:
        self.ip = _address(host, type(self).__name__)
        _check_slots(max_jobs, f"{type(self).__name__} {self.ip}")
        self.name = name or self.ip
        own = [name for group in groups for name in names(group)]
        self.GROUPS = names([*names(type(self).GROUPS), *own])
        self.max_jobs = max_jobs
        self.active = False
        self.jobs: list[BaseJob] = []
        self.info: NodeInfo | None = None
        self._register()

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups that this node belongs to."""
        return names([*names(self.GROUPS), ALL])

    def full(self) -> bool:
        """Return whether all its slots are taken; False while their number is unknown."""
        return self.max_jobs is not None and len(self.jobs) >= self.max_jobs

    def matches(self, address: str) -> bool:
        """Return whether this node is the machine with this address."""
        return address == self.ip

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.ip!r})"

    def _register(self) -> None:
        registry.NODES[self.ip] = self
        for group in self.groups:
            others = [node for node in registry.GROUPS.get(group, ()) if node.ip != self.ip]
            registry.GROUPS[group] = [*others, self]


class MultiNode(BaseNode):
    """All servers with a matching address: `MultiNode("192.168.4.*")`; `*`, `?`, `[...]` as in file names."""

    def matches(self, address: str) -> bool:
        """Return whether the address matches the pattern."""
        from fnmatch import fnmatchcase  # noqa: PLC0415 - only clients need it

        return fnmatchcase(address, self.ip)


class LocalNode(BaseNode):
    """The client itself; the only one in the group "LOCAL"."""

    GROUPS = LOCAL

    def __init__(
        self,
        host: str = "127.0.0.1",
        *groups: str | Iterable[str],
        name: str = "local",
        max_jobs: int | None = None,
    ) -> None:
        super().__init__(host, *groups, name=name, max_jobs=max_jobs)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups that the client belongs to; "ALL" means the servers, not the client."""
        return names(self.GROUPS)


def _address(host: object, where: str) -> str:
    if not isinstance(host, str) or not host.strip():
        raise ConfigError("wrong address", where=where, expected="an address as a string", found=repr(host))
    return host.strip()


def _check_slots(max_jobs: object, where: str) -> None:
    if max_jobs is not None and (not isinstance(max_jobs, int) or max_jobs < 0):
        raise ConfigError("wrong max_jobs", where=where, expected="0 or more", found=repr(max_jobs))
