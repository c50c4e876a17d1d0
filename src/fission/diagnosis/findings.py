"""Findings, the table of their ids, and the report that collects them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

__all__ = ["RULES", "Finding", "Level", "Lines", "Report"]


class Level(StrEnum):
    """How bad it is. Errors decide the exit code."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


RULES: Final = {
    "config.check": "config.py has no errors, so that nothing in NODES is left out",
    "name.resolve": "the name in NODES has an address",
    "port.service": "the port of the node service can be reached from the client",
    "port.data": "ports of jobs can be reached, from each node to each other one, and to and from the client",
    "port.free": "the port of a node service is free on this machine, or a node service has it",
    "node.admit": "the node admits this client",
    "node.address": "the node serves at the address by which others know it",
    "node.twice": "each entry of NODES is another node",
    "node.probe": "the node can examine its machine and its ways to other nodes",
    "certificate.own": "the certificates of this machine can be used",
    "certificate.node": "the certificate of the node is accepted",
    "certificate.time": "certificates do not expire soon",
    "certificate.off": "connections are encrypted, and both ends are verified",
    "version.fission": "client and node have versions of FISSION that work together",
    "version.python": "client and node have the same Python, as far as pickled jobs need it",
    "version.package": "packages that the jobs import are the same on client and node",
    "package.required": "packages that FISSION needs are installed, in new enough versions",
    "package.extra": "which extras of FISSION are installed on this machine",
    "clock.offset": "the clocks of client and node agree",
    "clock.sync": "the clock of the machine is synchronized",
    "disk.free": "there is free space where files of jobs go",
    "memory.free": "there is free memory",
    "files.limit": "a process may open enough files and connections",
    "groups.user": "the user may open the devices of the machine",
    "groups.jobs": "each job has a node that may run it",
    "mesh.batctl": "the quality of the links of a mesh can be read",
}
"""Ids of the findings, and what each one checks. Ids stay the same; new ones may be added."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check of `node`: its address in NODES, CLIENT for this machine, "" for the network as a whole.

    `source` is the machine from which it was tried, for findings about the way between two.
    """

    level: Level
    id: str
    node: str
    text: str
    hint: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if self.id not in RULES:
            raise ValueError(f"{self.id} is no id of a finding")

    def plain(self) -> dict[str, str]:
        """Return it as plain data, with the same keys for every finding."""
        return {
            "level": str(self.level),
            "id": self.id,
            "node": self.node,
            "source": self.source,
            "text": self.text,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Lines:
    """Findings of a node that differ in their sources only."""

    finding: Finding
    sources: tuple[str, ...]


_ORDER: Final = {Level.ERROR: 0, Level.WARNING: 1, Level.OK: 2}


class Report:
    """All findings, problems first: nodes with errors before those with warnings, and so the findings of each node."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        found = list(dict.fromkeys(findings))
        worst: dict[str, int] = {}
        for one in found:
            worst[one.node] = min(worst.get(one.node, 2), _ORDER[one.level])
        place = {node: index for index, node in enumerate(worst)}
        ids = {id: index for index, id in enumerate(RULES)}
        self.findings = sorted(
            found, key=lambda one: (worst[one.node], place[one.node], _ORDER[one.level], ids[one.id])
        )

    @property
    def ok(self) -> bool:
        """Whether no check has failed; warnings are allowed."""
        return not self.count(Level.ERROR)

    def count(self, level: Level) -> int:
        """Return the number of findings of a level."""
        return Counter(one.level for one in self.findings)[level]

    def nodes(self) -> list[str]:
        """Return the nodes with findings, problems first."""
        return list(dict.fromkeys(one.node for one in self.findings))

    def lines(self, node: str) -> list[Lines]:
        """Return the findings of a node, with those merged that differ in their sources only."""
        merged: dict[tuple[str, ...], list[Finding]] = {}
        for one in self.findings:
            if one.node == node:
                key = (one.level, one.id, one.text, one.hint, "" if one.source else "-")
                merged.setdefault(key, []).append(one)
        return [Lines(same[0], tuple(one.source for one in same if one.source)) for same in merged.values()]

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        counts = {str(level): self.count(level) for level in Level}
        return {"ok": self.ok, "counts": counts, "findings": [one.plain() for one in self.findings]}
