"""A cluster's certificates, strangers of every kind, and connected sockets on the loopback."""

import contextlib
import datetime as dt
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fission.security import IdentityFiles, Role, Step, TlsChannel, TlsHandshake, accept_tls, dial_tls
from fission.security.authority import Authority, Pair
from fission.security.contexts import client_context, server_context
from fission.security.ephemeral import EphemeralAuthority, ephemeral_authority

LIMIT = 10.0


def write_identity(folder: Path, ca: bytes, pair: Pair) -> IdentityFiles:
    """Put an identity into a new folder."""
    folder.mkdir(mode=0o700, parents=True)
    (folder / "ca.pem").write_bytes(ca)
    (folder / "cert.pem").write_bytes(pair.certificate)
    (folder / "key.pem").touch(0o600)
    (folder / "key.pem").write_bytes(pair.key)
    return IdentityFiles(folder)


@dataclass
class Certificates:
    """Makes identities of one authority with wishes that `fission certs` would not fulfil."""

    folder: Path
    authority: Authority
    count: int = 0

    def make(
        self,
        role: Role = Role.NODE,
        addresses: tuple[str, ...] = ("127.0.0.1",),
        *,
        begin: float = 0,
        days: int = 10,
        pair: Callable[[Authority], Pair] | None = None,
    ) -> IdentityFiles:
        """Make an identity; `begin` is in days from now, the certificate counts from a day before."""
        now = dt.datetime.now(dt.UTC) + dt.timedelta(days=begin)
        self.count += 1
        name = addresses[0] if addresses else role.value
        made = (
            pair(self.authority) if pair else self.authority.issue(role, name, addresses, now=now, days=days)
        )
        return write_identity(self.folder / str(self.count), self.authority.pem, made)


@dataclass
class Handshakes:
    """Both ends of one connection in the making; `finish` drives those that are there."""

    accepted: socket.socket
    dialled: socket.socket
    server: TlsHandshake | None = None
    client: TlsHandshake | None = None

    def accept(self, identity: IdentityFiles, roles: tuple[Role, ...] = tuple(Role)) -> TlsHandshake:
        """Begin the handshake of the side that was dialled."""
        deadline = time.monotonic() + LIMIT
        self.server = accept_tls(self.accepted, server_context(identity), deadline, roles=roles)
        return self.server

    def dial(
        self,
        identity: IdentityFiles,
        host: str = "127.0.0.1",
        roles: tuple[Role, ...] = tuple(Role),
        *,
        check_host: bool = True,
        context: ssl.SSLContext | None = None,
    ) -> TlsHandshake:
        """Begin the handshake of the side that dials."""
        context = context or client_context(identity, check_host=check_host)
        self.client = dial_tls(self.dialled, context, time.monotonic() + LIMIT, host=host, roles=roles)
        return self.client

    def finish(self) -> None:
        """Step what was begun until it is done or has failed; what has failed is closed."""
        active = [one for one in (self.server, self.client) if one is not None]
        poll = select.poll()
        while active:
            for one in list(active):
                step = one.step(time.monotonic())
                if step in (Step.DONE, Step.FAILED):
                    active.remove(one)
                    with contextlib.suppress(KeyError):
                        poll.unregister(one)
                    if step is Step.FAILED:
                        one.close()
                else:
                    poll.register(one, select.POLLOUT if step is Step.WANTS_WRITE else select.POLLIN)
            if active:
                poll.poll(100)

    def channels(self) -> tuple[TlsChannel, TlsChannel]:
        """Finish, and return the channels of the dialling side and of the other."""
        self.finish()
        assert self.client is not None
        assert self.server is not None
        return self.client.channel(), self.server.channel()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> EphemeralAuthority:
    """The certificates of a client and of nodes at 127.0.0.1 and 127.0.0.2."""
    return ephemeral_authority(tmp_path_factory.mktemp("cluster"), ["127.0.0.1", "127.0.0.2"])


@pytest.fixture(scope="session")
def node(cluster: EphemeralAuthority) -> IdentityFiles:
    """The identity of the node at 127.0.0.1."""
    return IdentityFiles(cluster.node("127.0.0.1"))


@pytest.fixture(scope="session")
def client(cluster: EphemeralAuthority) -> IdentityFiles:
    """The identity of the client."""
    return IdentityFiles(cluster.client)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Another authority, whose certificates can be as wrong as a test needs them."""
    return Certificates(tmp_path / "made", Authority.create(dt.datetime.now(dt.UTC)))


@pytest.fixture
def sockets() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Make connected TCP sockets on the loopback: (who dials, who was dialled); all are closed at the end."""
    made: list[socket.socket] = []

    def connect() -> tuple[socket.socket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            dialled = socket.create_connection(listener.getsockname(), LIMIT)
            accepted, _ = listener.accept()
        accepted.settimeout(LIMIT)
        made.extend((dialled, accepted))
        return dialled, accepted

    yield connect
    for sock in made:
        sock.close()


@pytest.fixture
def handshakes(sockets: Callable[[], tuple[socket.socket, socket.socket]]) -> Handshakes:
    """One connection, whose handshakes a test begins."""
    dialled, accepted = sockets()
    return Handshakes(accepted, dialled)
