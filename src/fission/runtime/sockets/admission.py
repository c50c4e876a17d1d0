"""Admission of connections that have not authenticated yet: how many there may be, and for how long.

Every listening port of FISSION applies this policy: the control port and the checkpoint port of a machine, the data port of
a job and the port of its console. No socket, no clock: a connection is any hashable value, and time is an argument.

Rules
-----
1. At most `pending` unauthenticated connections are open at a port, and at most `per_address` from one address.
2. A new connection displaces the oldest one that is in its way. A member of the cluster authenticates within milliseconds,
   so it is never the oldest for long; to refuse the new one instead would let silent connections close the port.
3. A connection has `seconds` to authenticate, however slowly it sends.
4. Where the descriptors of the process run short, only `_LEAST` unauthenticated connections stay open. The system always
   gives the lowest free descriptor, so the number of a new one shows how many are in use.
"""

import ipaddress
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

__all__ = [
    "AUTHENTICATION_SECONDS",
    "Admission",
    "AdmissionLimits",
    "Rejection",
    "address_group",
    "limits_for",
]

AUTHENTICATION_SECONDS = 5.0
"""Time from the accept to the first valid message. Slow devices need some 100 ms for the TLS handshake."""

_MOST = 128
_LEAST = 4
_SHARE = 8
"""One eighth of the descriptors may belong to unauthenticated connections of one port."""
_RESERVED = 4
"""The last quarter of the descriptors is reserved for jobs, checkpoints and files."""

Connection = TypeVar("Connection", bound=Hashable)


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """The limits of one port; `limits_for` derives them from the descriptors of the process."""

    pending: int
    per_address: int
    ceiling: int
    """The first descriptor that is reserved."""
    seconds: float = AUTHENTICATION_SECONDS


def limits_for(descriptors: int, *, expected: int = 0) -> AdmissionLimits:
    """Return the limits of a port in a process that may open so many `descriptors` (its soft RLIMIT_NOFILE).

    `expected` connections of members may arrive at the same time, perhaps all from one address.
    """
    pending = max(_LEAST, min(_MOST, descriptors // _SHARE))
    return AdmissionLimits(
        pending=pending + expected,
        per_address=max(1, pending // 2) + expected,
        ceiling=descriptors - descriptors // _RESERVED,
    )


class Rejection(NamedTuple, Generic[Connection]):
    """A connection to close now, and the reason for the log."""

    connection: Connection
    reason: str


class _Pending(NamedTuple):
    group: str
    deadline: float


class Admission(Generic[Connection]):
    """The unauthenticated connections of one port.

    Call `arrive` for each accepted connection and close what it returns; `leave` when a connection has authenticated or
    was closed otherwise; `expire` when `deadline()` has come, and close what it returns. A rejected connection is
    forgotten already.
    """

    def __init__(self, limits: AdmissionLimits) -> None:
        self.limits = limits
        self._pending: dict[Connection, _Pending] = {}  # the oldest first
        self._groups: dict[str, dict[Connection, None]] = {}  # the same by address

    def __len__(self) -> int:
        """Return the number of unauthenticated connections."""
        return len(self._pending)

    def arrive(
        self, connection: Connection, address: str, descriptor: int, now: float
    ) -> list[Rejection[Connection]]:
        """Admit a connection for a while; return the connections that it displaces, oldest first.

        `address` is the other side's host, "" for a local process.
        """
        limits, group = self.limits, address_group(address)
        self._pending[connection] = _Pending(group, now + limits.seconds)
        same = self._groups.setdefault(group, {})
        same[connection] = None
        rejected: list[Rejection[Connection]] = []
        if len(same) > limits.per_address:
            reason = f"its address has {limits.per_address} newer connections that have not authenticated"
            rejected.append(self._displace(next(iter(same)), reason))
        if descriptor >= limits.ceiling:
            reason = "it has not authenticated, and the process has few descriptors left"
            while len(self._pending) > min(_LEAST, limits.pending):
                rejected.append(self._displace(next(iter(self._pending)), reason))
        elif len(self._pending) > limits.pending:
            reason = f"{limits.pending} newer connections have not authenticated"
            rejected.append(self._displace(next(iter(self._pending)), reason))
        return rejected

    def leave(self, connection: Connection) -> None:
        """Forget a connection; one that was rejected is forgotten already."""
        pending = self._pending.pop(connection, None)
        if pending is not None:
            group = self._groups[pending.group]
            del group[connection]
            if not group:
                del self._groups[pending.group]

    def expire(self, now: float) -> list[Rejection[Connection]]:
        """Return the connections whose time is over, oldest first."""
        reason = f"it has not authenticated within {self.limits.seconds:g} s"
        late: list[Rejection[Connection]] = []
        while (deadline := self.deadline()) is not None and now >= deadline:
            late.append(self._displace(next(iter(self._pending)), reason))
        return late

    def deadline(self) -> float | None:
        """Return when `expire` has something to do at the latest; None when no connection is pending."""
        oldest = next(iter(self._pending.values()), None)
        return None if oldest is None else oldest.deadline

    def _displace(self, connection: Connection, reason: str) -> Rejection[Connection]:
        self.leave(connection)
        return Rejection(connection, reason)


def address_group(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 network that an IPv6 host may choose from."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip) >> 64 << 64, 64)))
