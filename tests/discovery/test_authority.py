"""Whether a node is ours is said by its handshake, never by its announcement."""

import asyncio
import hashlib
import socket
import ssl
from pathlib import Path

import pytest

from fission.discovery.announcement import Announcement
from fission.discovery.authority import Found, Trust, check_nodes
from fission.security import IdentityFiles, server_context
from fission.security.ephemeral import ephemeral_authority

HOST = "127.0.0.1"


def fingerprint(folder: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert((folder / "cert.pem").read_text())).hexdigest()


async def judge(served: Path | None, announced: str, client: Path, port: int = 0) -> Found:
    """Serve with a certificate, announce a fingerprint, and check."""
    context = None if served is None else server_context(IdentityFiles(served))
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), HOST, 0, ssl=context)
    async with server:
        node = Announcement("n", (HOST,), port or server.sockets[0].getsockname()[1], "0.1.0", announced)
        (found,) = await check_nodes([node], client)
    return found


def test_a_node_of_our_authority(tmp_path: Path) -> None:
    ours = ephemeral_authority(tmp_path / "ours")
    found = asyncio.run(judge(ours.node(HOST), fingerprint(ours.node(HOST)), ours.client))
    assert (found.trust, found.reason) == (Trust.OURS, "")


def test_a_stranger_that_announces_our_fingerprint(tmp_path: Path) -> None:
    ours, theirs = ephemeral_authority(tmp_path / "ours"), ephemeral_authority(tmp_path / "theirs")
    found = asyncio.run(judge(theirs.node(HOST), fingerprint(ours.node(HOST)), ours.client))
    assert found.trust is Trust.FOREIGN
    assert "not signed by our authority" in found.reason


def test_a_node_that_announces_another_fingerprint_than_it_has(tmp_path: Path) -> None:
    ours = ephemeral_authority(tmp_path / "ours")
    found = asyncio.run(judge(ours.node(HOST), "ab" * 32, ours.client))
    assert found.trust is Trust.FOREIGN
    assert "fingerprint" in found.reason


def test_a_client_certificate_is_no_node(tmp_path: Path) -> None:
    ours = ephemeral_authority(tmp_path / "ours")
    found = asyncio.run(judge(ours.client, fingerprint(ours.client), ours.client))
    assert found.trust is Trust.FOREIGN


def test_a_node_without_tls(tmp_path: Path) -> None:
    ours = ephemeral_authority(tmp_path / "ours")
    found = asyncio.run(judge(None, "", ours.client))
    assert found.trust in (Trust.FOREIGN, Trust.UNREACHABLE)


def test_nobody_there(tmp_path: Path, free_port: int) -> None:
    ours = ephemeral_authority(tmp_path / "ours")
    found = asyncio.run(judge(ours.node(HOST), "", ours.client, free_port))
    assert found.trust is Trust.UNREACHABLE


def test_without_certificates_nothing_is_known(tmp_path: Path) -> None:
    ours = ephemeral_authority(tmp_path / "ours")
    found = asyncio.run(judge(ours.node(HOST), "", tmp_path / "none"))
    assert found.trust is Trust.UNKNOWN
    assert "there are no certificates" in found.reason


@pytest.fixture
def free_port() -> int:
    """A port at which nothing listens."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])
