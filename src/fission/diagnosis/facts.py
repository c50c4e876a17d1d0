"""What is measured of machines and of the ways between them, as values.

A fact that could not be measured has the default of its field: -1, "" or (). The facts of a node come from that node and are
read with `MachineFacts.read`, which ignores what it does not know, since versions with the same first two numbers may have
other fields.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, Self

__all__ = [
    "CLIENT",
    "AbsentNode",
    "CertificateFacts",
    "ClockFacts",
    "MachineFacts",
    "NodeFacts",
    "Outcome",
    "PathFacts",
    "Reach",
    "excerpt",
]

CLIENT: Final = "client"
"""Stands for this machine where a node has its address."""

_LONGEST: Final = 200
_MOST_NAMES: Final = 64


class Outcome(StrEnum):
    """What became of an attempt to connect to a TCP port."""

    REACHED = "reached"
    REFUSED = "refused"
    """Answered by a reset or by ICMP "port unreachable": nothing listens, or a firewall rejects."""
    SILENT = "silent"
    """No answer within the time: a firewall drops, or the machine is off."""
    UNREACHABLE = "unreachable"
    """There is no way to the machine, or a firewall on the way says so."""
    UNRESOLVED = "unresolved"
    """The name has no address."""
    STRANGER = "stranger"
    """Something answers that is not what was opened for this attempt."""
    DECLINED = "declined"
    """The machine that was asked does not connect to such an address."""
    FAILED = "failed"
    """Any other error; the detail has its text."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The outcome of an attempt, with the text of the system's error if there was one."""

    outcome: Outcome
    detail: str = ""

    @classmethod
    def read(cls, data: object) -> Self:
        """Read the report of a node: [outcome, detail]. What is not understood is a failed attempt."""
        match data:
            case [str(outcome), str(detail)] if outcome in Outcome.__members__.values():
                return cls(Outcome(outcome), excerpt(detail))
        return cls(Outcome.FAILED, "the node's report cannot be understood")


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """A machine: memory and disk in bytes, of the folder of the node service or the project.

    `clock` is "synchronized" or "not synchronized". `files` is the number of files that a process may open. `first_port` and
    `last_port` bound the ports that the system gives to jobs. `groups` are the groups of the user, `other_groups` those for
    devices that are on the machine and that the user is not in. `mesh` is "none", "ok", or why `batctl` cannot be used.
    """

    memory_total: int = -1
    memory_free: int = -1
    disk_total: int = -1
    disk_free: int = -1
    files: int = -1
    clock: str = ""
    first_port: int = -1
    last_port: int = -1
    user: str = ""
    groups: tuple[str, ...] = ()
    other_groups: tuple[str, ...] = ()
    mesh: str = ""

    def plain(self) -> dict[str, Any]:
        """Return them as plain data."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def read(cls, data: object) -> Self:
        """Read what a node has reported; what cannot be understood counts as not measured."""
        given = data if isinstance(data, Mapping) else {}
        return cls(**{one.name: _value(given.get(one.name), one.default) for one in fields(cls)})


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A certificate and the time in which it is valid (UTC). `problem`: why it cannot be used at all."""

    what: str
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """How far a clock is ahead of this machine's, in seconds; the true offset is within `error` of it."""

    offset: float
    error: float


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node that answers. `node` is its address in NODES, `address` the one where it serves.

    `service` names the process of the service. `differences` are the versions that do not fit, by package. `probes` says
    whether it can examine its machine and its ways to others; `unmeasured` why that failed all the same.
    """

    node: str
    name: str = ""
    address: str = ""
    service: str = ""
    version: str = ""
    differences: Mapping[str, str] | None = None
    clock: ClockFacts | None = None
    certificate: CertificateFacts | None = None
    machine: MachineFacts | None = None
    probes: bool = True
    unmeasured: str = ""


@dataclass(frozen=True, slots=True)
class AbsentNode:
    """A node that cannot be used: what its port answers, what is wrong with its certificate, or why it refuses."""

    node: str
    port: int
    reach: Reach
    certificate: str = ""
    hint: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class PathFacts:
    """The way from one machine to another, by their addresses in NODES, or CLIENT.

    `data` is the attempt at a port that the target had opened among those of jobs, `service` the one at the port of its
    node service, made when the first one failed. `needed`: some job or checkpoint may have to go this way.
    """

    source: str
    target: str
    data: Reach
    service: Reach | None = None
    needed: bool = True
    first_port: int = -1
    last_port: int = -1


def excerpt(text: str) -> str:
    """Bound a text from elsewhere: one line of printable characters."""
    line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "?" for sign in line[:_LONGEST])


def _value(found: object, default: Any) -> Any:
    if isinstance(default, tuple):
        names = found if isinstance(found, list | tuple) else ()
        return tuple(excerpt(name) for name in names[:_MOST_NAMES] if isinstance(name, str))
    if isinstance(default, str):
        return excerpt(found) if isinstance(found, str) else default
    return found if type(found) is int and found >= 0 else default
