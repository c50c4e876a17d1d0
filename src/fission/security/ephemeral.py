"""Short-lived certificates for an embedded cluster, created in milliseconds."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from fission.security.authority import Authority, certificate_address
from fission.security.files import PRIVATE, PUBLIC, make_folder, write_file
from fission.security.roles import Role

__all__ = ["EphemeralAuthority", "ephemeral_authority"]

_DAYS = 365


class EphemeralAuthority:
    """An authority whose key exists only in memory and ends with the process.

    `client` is the folder of the client's certificate, `node(address)` creates or returns that of a node. The
    folders have the layout of `fission certs`. The caller removes `folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._now = dt.datetime.now(dt.UTC)
        self._authority = Authority.create(self._now, _DAYS)
        self._nodes = folder / "nodes"
        self.client = folder / Role.CLIENT
        for path in (folder, self._nodes):
            make_folder(path)
        self._issue(self.client, Role.CLIENT, ())

    def node(self, address: str) -> Path:
        """Return the folder of the node at this IP address or host name; create it if it is new."""
        address = certificate_address(address)
        folder = self._nodes / address
        if not folder.is_dir():
            self._issue(folder, Role.NODE, (address,))
        return folder

    def _issue(self, folder: Path, role: Role, addresses: tuple[str, ...]) -> None:
        pair = self._authority.issue(role, (*addresses, role.value)[0], addresses, now=self._now, days=_DAYS)
        make_folder(folder)
        write_file(folder / "ca.pem", self._authority.pem, PUBLIC, sync=False)
        write_file(folder / "cert.pem", pair.certificate, PUBLIC, sync=False)
        write_file(folder / "key.pem", pair.key, PRIVATE, sync=False)


def ephemeral_authority(folder: Path, nodes: Iterable[str] = ()) -> EphemeralAuthority:
    """Create an authority, the client's certificate and those of the nodes, in an empty or new folder."""
    authority = EphemeralAuthority(folder)
    for address in nodes:
        authority.node(address)
    return authority
