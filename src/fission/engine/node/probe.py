"""Operations by which a client has a node look at its own machine, and at the ways to other nodes.

| operation     | arguments               | answer                                                              |
|---------------|-------------------------|---------------------------------------------------------------------|
| `examine`     |                         | `machine` (`MachineFacts`), `certificate` and `authority` in use, as PEM |
| `probe.open`  | `seconds`               | `port`, `token`: a port that shows the token for so long            |
| `probe.reach` | `targets`: [address, port, token] each | for each target [outcome, detail]                    |

Only authenticated clients get here. A node connects to what they name, so that is bounded: IP addresses of single machines, ports
from 1024 on, a few hundred targets at once and a few in a second, with nothing sent, and nothing told of what was read.
"""

import asyncio
import time
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

from fission.diagnosis.facts import Outcome, Reach
from fission.engine.files.provision import Operation
from fission.engine.node.machine import measure_machine
from fission.engine.protocol.interfaces import Plain
from fission.engine.transport.reach import ProbePort, reach
from fission.errors import RunError
from fission.security import IdentityFiles

__all__ = ["EXAMINE", "OPEN", "PROBES", "REACH", "TARGETS", "Allowance", "NodeProbe", "declined"]

EXAMINE: Final = "examine"
OPEN: Final = "probe.open"
REACH: Final = "probe.reach"
PROBES: Final = frozenset({EXAMINE, OPEN, REACH})
"""The operations; observers may use them."""
TARGETS: Final = 64
"""The most targets of one request."""

_PORTS_AT_ONCE: Final = 8
_LONGEST: Final = 30.0
_FRESH: Final = 2.0
"""Seconds for which a measurement of the machine serves further requests."""
_LOWEST_PORT: Final = 1024
_PEM_BYTES: Final = 16 << 10


class Allowance:
    """Bounds how many targets are tried: `burst` at once, then `rate` in a second. Pure."""

    def __init__(self, burst: float = 512.0, rate: float = 8.0) -> None:
        self._burst = burst
        self._rate = rate
        self._room = burst
        self._last: float | None = None

    def take(self, count: int, now: float) -> bool:
        """Take so many, if there are that many; `now` is in seconds and does not decrease."""
        if self._last is not None:
            self._room = min(self._burst, self._room + (now - self._last) * self._rate)
        self._last = now
        if count > self._room:
            return False
        self._room -= count
        return True


def declined(address: str, port: int, own: str) -> str:
    """Return why a node at `own` does not connect to a target, "" if it does."""
    try:
        target = ip_address(address)
    except ValueError:
        return "it is no IP address"
    if isinstance(target, IPv6Address) and target.ipv4_mapped is not None:
        return "it is an IPv4 address in the form of IPv6"
    here = ip_address(own)
    if target.is_loopback:
        reason = "" if here.is_loopback else "it is the loopback"
    elif target.is_link_local:
        reason = "" if here.is_link_local else "it is a link-local address"
    elif target.is_multicast or target.is_unspecified or target.is_reserved:
        reason = "it is not the address of one machine"
    else:
        reason = ""
    if reason:
        return reason
    if not _LOWEST_PORT <= port <= 0xFFFF:
        return f"ports below {_LOWEST_PORT} are not those of nodes or jobs"
    return ""


class NodeProbe:
    """The operations of one node, which serves at `address`; pass `operations()` to its service, and `close()` at last.

    The certificate is read now, since it is the one in use until the service ends.
    """

    def __init__(self, address: str, root: Path, identity: IdentityFiles | None) -> None:
        self._address = address
        self._root = root
        self._certificate = _pem(identity.cert) if identity else b""
        self._authority = _pem(identity.ca) if identity else b""
        self._allowance = Allowance()
        self._ports: list[ProbePort] = []
        self._measuring = asyncio.Lock()
        self._measured: tuple[float, Plain] = (-_FRESH, None)

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {EXAMINE: self._examine, OPEN: self._open, REACH: self._reach}

    def close(self) -> None:
        """Close the ports that are open."""
        for port in self._ports:
            port.close()

    async def _examine(self, _arguments: Mapping[str, Plain]) -> Plain:
        async with self._measuring:
            at, machine = self._measured
            if machine is None or time.monotonic() - at > _FRESH:
                facts = await asyncio.to_thread(measure_machine, self._root)
                machine = facts.plain()
                self._measured = time.monotonic(), machine
        return {"machine": machine, "certificate": self._certificate, "authority": self._authority}

    async def _open(self, arguments: Mapping[str, Plain]) -> Plain:
        seconds = arguments.get("seconds")
        if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST:
            raise RunError(
                "wrong time for a port", expected=f"up to {_LONGEST:g} s", found=repr(seconds)[:40]
            )
        self._ports = [port for port in self._ports if port.is_open]
        if len(self._ports) >= _PORTS_AT_ONCE:
            raise RunError(
                "too many ports are open for probes", where=self._address, hint="Try again in a minute"
            )
        port = ProbePort(self._address, float(seconds))
        self._ports.append(port)
        try:
            await port.open()
        except OSError as error:
            raise RunError(f"no port can be opened: {error.strerror}", where=self._address) from None
        return {"port": port.port, "token": port.token}

    async def _reach(self, arguments: Mapping[str, Plain]) -> Plain:
        targets = [_target(one) for one in _list(arguments.get("targets"))]
        if not self._allowance.take(len(targets), time.monotonic()):
            raise RunError("too many probes", where=self._address, hint="Try again in a minute")
        found = await asyncio.gather(*(self._reach_one(*target) for target in targets))
        return [[str(one.outcome), one.detail] for one in found]

    async def _reach_one(self, address: str, port: int, token: str) -> Reach:
        reason = declined(address, port, self._address)
        return Reach(Outcome.DECLINED, reason) if reason else await reach(address, port, token)


def _list(targets: Plain) -> list[Plain]:
    if isinstance(targets, list) and len(targets) <= TARGETS:
        return targets
    raise RunError("these are no targets", expected=f"a list of up to {TARGETS}")


def _target(target: Plain) -> tuple[str, int, str]:
    match target:
        case [str(address), int(port), str(token)] if len(token) <= 64 and token.isascii():
            return address, port, token
    raise RunError("this is no target", expected="address, port and token", found=ascii(target)[:80])


def _pem(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_PEM_BYTES)
