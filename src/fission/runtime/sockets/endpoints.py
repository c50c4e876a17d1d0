"""The addresses of job processes, as text and as values.

An endpoint is `unix:/path/of/socket`, `tcp:host:port` (clear text) or `tls:host:port`; an IPv6 host stands in brackets.
An address is one endpoint or several, separated by a space: the same listener seen from here and from elsewhere.
"""

import re
from typing import NamedTuple

from fission.errors import RunError

_SEPARATOR = re.compile(" (?=(?:unix|tcp|tls):)")
_EXPECTED = "unix:/path, tcp:host:port or tls:host:port"


class Endpoint(NamedTuple):
    """One address to listen at or connect to; `path` belongs to unix, `host` and `port` to the other kinds."""

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def local(self) -> bool:
        """Whether only processes of the same machine can connect."""
        return self.kind == "unix"

    def __str__(self) -> str:
        if self.local:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}:{host}:{self.port}"


def parse(address: str) -> tuple[Endpoint, ...]:
    """Read an address. Raises RunError."""
    return tuple(map(_endpoint, _SEPARATOR.split(address)))


def choose(address: str, machine: str) -> Endpoint:
    """Which endpoint of an address a process on `machine` connects to. Raises RunError.

    The Unix socket if the others have the address of our own machine or there are no others; else the first of them.
    """
    endpoints = parse(address)
    remote = [one for one in endpoints if not one.local]
    if len(remote) == len(endpoints) or (remote and remote[0].host != machine.strip("[]")):
        return remote[0]
    return next(one for one in endpoints if one.local)


def _endpoint(text: str) -> Endpoint:
    kind, _, place = text.partition(":")
    if kind == "unix" and place:
        return Endpoint(kind, path=place)
    host, _, port = place.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if kind not in ("tcp", "tls") or not host.strip("[]") or (":" in host and not bracketed):
        raise RunError(f"{text!r} is no address of a transport", expected=_EXPECTED)
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise RunError(
            f"{text!r} is no address of a transport", expected="a port from 0 to 65535", found=port
        )
    return Endpoint(kind, host.strip("[]"), int(port))
