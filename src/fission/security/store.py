"""The folder in which a cluster's certificates are made, listed and renewed.

```
certs/authority/{ca.pem,ca.key}                     ca.key makes certificates: keep it off the nodes
certs/client/{ca.pem,cert.pem,key.pem}
certs/nodes/<address>/{ca.pem,cert.pem,key.pem}     one folder for each node, to be copied to it whole
```
"""

import contextlib
import datetime as dt
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from cryptography import x509

from fission.security.authority import AUTHORITY_DAYS, Authority, certificate_address
from fission.security.errors import CertificateError
from fission.security.files import (
    PRIVATE,
    PUBLIC,
    locked,
    make_folder,
    place_folder,
    replace_file,
    write_file,
)
from fission.security.identity import WARNING_DAYS, read_identity
from fission.security.roles import Role

__all__ = ["CertificateStore", "Entry", "NodeNames", "State"]

AUTHORITY = "authority"
MAX_DAYS = 3650


class State(StrEnum):
    """The state of a certificate."""

    VALID = "valid"
    EXPIRING = "expires soon"
    EXPIRED = "expired"
    EARLY = "not valid yet"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class NodeNames:
    """The addresses and host names of one node; its folder has the name of the first."""

    addresses: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ADDRESS[,ADDRESS ...]`; at least one is an IP address, at which the node serves. Raises CertificateError."""
        addresses = tuple(dict.fromkeys(certificate_address(part) for part in text.split(",")))
        if not any(map(_is_ip_address, addresses)):
            raise CertificateError(
                "a node needs an IP address; a host name may only stand beside it",
                where=f"--node {text}",
                hint=f"As in --node 192.168.4.2,{addresses[0]}",
            )
        return cls(addresses)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate of the store. `what`: authority, client or node; `problem`: why it is broken."""

    what: str
    name: str
    folder: Path
    addresses: tuple[str, ...] = ()
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    problem: str = ""

    def days_left(self, now: dt.datetime) -> int:
        """Return the whole days until it expires; negative afterwards, 0 when it is broken."""
        return (self.not_after - now).days if self.not_after else 0

    def state(self, now: dt.datetime) -> State:
        """The state at this time."""
        if self.not_before is None or self.not_after is None:
            return State.BROKEN
        if now < self.not_before:
            return State.EARLY
        if now >= self.not_after:
            return State.EXPIRED
        return State.EXPIRING if self.days_left(now) < WARNING_DAYS else State.VALID


class CertificateStore:
    """A cluster's certificates in one folder. `update` makes and renews them, `entries` lists them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = folder / AUTHORITY
        self.client = folder / Role.CLIENT
        self.nodes = folder / "nodes"

    def node(self, address: str) -> Path:
        """Return the folder of a node, whether it is there or not."""
        return self.nodes / certificate_address(address)

    def entries(self) -> list[Entry]:
        """List the authority, the client and the nodes, those of which there is anything. Writes nothing."""
        entries = [self._authority_entry()] if self.authority.is_dir() else []
        if self.client.is_dir():
            entries.append(_entry(self.client, Role.CLIENT))
        return entries + [_entry(self.nodes / name, Role.NODE) for name in self._node_names()]

    def update(self, nodes: Sequence[NodeNames], *, days: int, renew: bool, now: dt.datetime) -> list[Path]:
        """Make what is missing: authority, client, and the nodes that are named; return the folders written.

        What is there stays as it is, unless `renew`: then the named nodes, or without names the client and
        all nodes, get new keys and certificates, and the authority's certificate is prolonged when it ends
        within `days`. Raises CertificateError; what was written until then is whole.
        """
        if not 1 <= days <= MAX_DAYS:
            raise CertificateError(
                "no such time is possible", where="--days", expected=f"1 to {MAX_DAYS}", found=str(days)
            )
        with self._writable(), locked(self.folder):
            wanted = self._wanted(nodes, renew=renew)
            renewed = self._prolong(days, now) if renew and self.authority.is_dir() else []
            if not wanted:
                return renewed
            new = not self.authority.is_dir()
            authority = self._create_authority(now) if new else self._load_authority(now)
            for folder, role, addresses in wanted:
                name = Role.CLIENT.value if role is Role.CLIENT else addresses[0]
                pair = authority.issue(role, name, addresses, now=now, days=days)
                place_folder(
                    folder,
                    {
                        "ca.pem": (authority.pem, PUBLIC),
                        "cert.pem": (pair.certificate, PUBLIC),
                        "key.pem": (pair.key, PRIVATE),
                    },
                )
            made = [folder for folder, _, _ in wanted]
            return [self.authority] * new + renewed + made

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            make_folder(self.folder)
            with contextlib.suppress(FileExistsError):
                write_file(self.folder / ".gitignore", b"# keys are not for version control\n*\n", PUBLIC)
            make_folder(self.nodes)
            yield
        except OSError as error:
            raise CertificateError(
                f"cannot be written ({error.strerror})", where=str(error.filename or self.folder)
            ) from None

    def _wanted(self, nodes: Sequence[NodeNames], *, renew: bool) -> list[tuple[Path, Role, tuple[str, ...]]]:
        """Return the folders to write, with role and addresses."""
        there = {name: self._addresses(name) for name in self._node_names()}
        asked = {one.addresses[0]: one.addresses for one in nodes}
        _no_name_twice({**there, **asked}, [one.addresses[0] for one in nodes])
        wanted: list[tuple[Path, Role, tuple[str, ...]]] = []
        if not self.client.is_dir() or (renew and not nodes):
            wanted.append((self.client, Role.CLIENT, ()))
        if renew and not nodes:
            asked = there
        for name, addresses in asked.items():
            if name not in there or renew:
                # a node that is only named again keeps its other names
                names = addresses if len(addresses) > 1 else there.get(name, addresses)
                wanted.append((self.nodes / name, Role.NODE, names))
            elif missing := set(addresses) - set(there[name]):
                raise CertificateError(
                    f"the certificate does not name {', '.join(sorted(missing))}",
                    where=str(self.nodes / name),
                    hint="Add --renew to make it anew",
                )
        return wanted

    def _create_authority(self, now: dt.datetime) -> Authority:
        if self.client.is_dir() or self._node_names():
            raise CertificateError(
                "the authority is missing that has signed the certificates here",
                where=str(self.authority),
                hint="Put it back, or remove the whole folder to begin anew",
            )
        authority = Authority.create(now)
        place_folder(
            self.authority, {"ca.pem": (authority.pem, PUBLIC), "ca.key": (authority.key_pem, PRIVATE)}
        )
        return authority

    def _load_authority(self, now: dt.datetime) -> Authority:
        authority = self._read_authority()
        if now >= authority.certificate.not_valid_after_utc:
            raise CertificateError(
                "the authority's certificate has expired",
                where=str(self.authority),
                hint="--renew prolongs it and makes all certificates anew",
            )
        return authority

    def _read_authority(self) -> Authority:
        key = self.authority / "ca.key"
        try:
            return Authority.load((self.authority / "ca.pem").read_bytes(), key.read_bytes())
        except FileNotFoundError as error:
            raise CertificateError(
                "the file is missing that new certificates need",
                where=str(error.filename),
                hint="Put it back from the place where you keep it",
            ) from None
        except (ValueError, TypeError) as error:
            raise CertificateError(f"cannot be used ({error})", where=str(key)) from None

    def _prolong(self, days: int, now: dt.datetime) -> list[Path]:
        """Give the authority a new certificate if it ends too soon, and each member a copy of it."""
        authority = self._read_authority()
        if authority.certificate.not_valid_after_utc - now >= dt.timedelta(days=days):
            return []
        authority = authority.prolonged(now, max(days, AUTHORITY_DAYS))
        folders = [self.authority, self.client, *(self.nodes / name for name in self._node_names())]
        for folder in folders:
            if folder.is_dir():
                replace_file(folder / "ca.pem", authority.pem, PUBLIC)
        return [self.authority]

    def _node_names(self) -> list[str]:
        if not self.nodes.is_dir():
            return []
        return sorted(
            path.name for path in self.nodes.iterdir() if path.is_dir() and not path.name.startswith(".")
        )

    def _addresses(self, name: str) -> tuple[str, ...]:
        entry = _entry(self.nodes / name, Role.NODE)
        return entry.addresses or (name,)

    def _authority_entry(self) -> Entry:
        path = self.authority / "ca.pem"
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as error:
            return Entry(AUTHORITY, AUTHORITY, self.authority, problem=f"{path}: cannot be read ({error})")
        name = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        return Entry(
            AUTHORITY,
            str(name),
            self.authority,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )


def _entry(folder: Path, role: Role) -> Entry:
    try:
        identity = read_identity(folder)
    except CertificateError as error:
        return Entry(role, folder.name, folder, problem=str(error))
    if identity.role is not role:
        return Entry(role, folder.name, folder, problem=f"{folder}: the certificate is for a {identity.role}")
    return Entry(role, identity.name, folder, identity.addresses, identity.not_before, identity.not_after)


def _no_name_twice(nodes: dict[str, tuple[str, ...]], asked: list[str]) -> None:
    """Raise CertificateError for a name that two nodes share: either could impersonate the other."""
    owner: dict[str, str] = {}
    pairs = [(address, name) for name, addresses in nodes.items() for address in addresses]
    for address, name in pairs:
        if owner.setdefault(address, name) != name:
            raise CertificateError(f"{address} is named for two nodes, {owner[address]} and {name}")
    if len(asked) != len(set(asked)):
        raise CertificateError(f"a node is named twice: {', '.join(asked)}")
