"""The identity of a peer: role, name and addresses, as its certificate states them (ADR 4)."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from fission.core.groups import LOCAL
from fission.core.node_names import host_of
from fission.security.errors import PeerError

__all__ = ["Peer", "Role", "normal_address", "peer_role", "require_address", "require_role"]

_ROLE_URI = "fission:role:"


class Role(StrEnum):
    """What a certificate may be used for."""

    CLIENT = "client"
    """Starts and stops networks. There is one, and it has no fixed address."""

    NODE = "node"
    """Runs jobs, and can be reached only at the addresses in its certificate."""

    @property
    def uri(self) -> str:
        """The role as a URI among a certificate's alternative names."""
        return _ROLE_URI + self.value


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a verified connection. `addresses` are IP addresses and host names."""

    role: Role
    name: str
    addresses: tuple[str, ...]


class Connected(Protocol):
    """An `ssl.SSLSocket` or `ssl.SSLObject` after its handshake."""

    def getpeercert(self) -> Mapping[str, object] | None:
        """Return the parts of the other side's certificate."""


def peer_role(source: Connected | Mapping[str, object] | None) -> Peer:
    """Return the peer of a TLS connection, or of what its `getpeercert()` returned.

    Call `require_role` next. Raises PeerError for a certificate without exactly one role that we know, and
    when there is no verified certificate at all.
    """
    certificate = source if source is None or isinstance(source, Mapping) else source.getpeercert()
    if not certificate:
        raise PeerError("the other side has shown no certificate that was verified")
    subject = [pair for group in _tuple(certificate, "subject") for pair in group]
    name = next((value for kind, value in subject if kind == "commonName"), "")
    names = _tuple(certificate, "subjectAltName")
    roles = [value for kind, value in names if kind == "URI" and value.startswith(_ROLE_URI)]
    addresses = tuple(normal_address(value) for kind, value in names if kind in ("DNS", "IP Address"))
    try:
        (uri,) = roles
        role = Role(uri.removeprefix(_ROLE_URI))
    except ValueError:
        raise PeerError(
            "the certificate has no role that we know",
            where=name,
            expected=" or ".join(role.uri for role in Role),
            found=", ".join(roles) or "none",
            hint="Was it made with `fission certs`?",
        ) from None
    return Peer(role, name, addresses)


def require_role(peer: Peer, *roles: Role) -> None:
    """Raise PeerError unless the peer has one of the roles."""
    if peer.role not in roles:
        raise PeerError(
            "the certificate is for another role",
            where=peer.name,
            expected=" or ".join(roles),
            found=peer.role,
        )


def require_address(peer: Peer, address: str) -> None:
    """Raise PeerError unless the certificate names the address or host name that was dialled."""
    wanted = normal_address(address)
    if wanted not in peer.addresses:
        raise PeerError(
            f"the certificate does not name {wanted}",
            where=peer.name,
            found=", ".join(peer.addresses) or "no address",
            hint=f"Either something else answers there, or `fission certs --renew --node "
            f"{','.join((*peer.addresses, wanted))}` is needed",
        )


def is_at(peer: Peer, node: str) -> bool:
    """Whether a certificate belongs to the machine of the node with this name, or to the client where `node` is `LOCAL`."""
    if node == LOCAL:
        return peer.role is Role.CLIENT
    return peer.role is Role.NODE and normal_address(host_of(node)) in peer.addresses


def normal_address(text: str) -> str:
    """Bring an IP address or host name into the form for comparing: short, lower case, no scope."""
    text = text.strip().strip("[]")
    try:
        return ipaddress.ip_address(text.partition("%")[0]).compressed
    except ValueError:
        return text.lower().rstrip(".")


def _tuple(certificate: Mapping[str, object], field: str) -> tuple[Any, ...]:
    value = certificate.get(field, ())
    return value if isinstance(value, tuple) else ()
