"""The same handshake, driven by asyncio."""

import asyncio
import contextlib
import socket
import ssl

import pytest

from fission.security import (
    Peer,
    PeerError,
    Role,
    accept_tls,
    client_context,
    dial_tls,
    peer_role,
    server_context,
)
from fission.security.aio import complete


async def members_body(sockets, node, client) -> None:
    loop = asyncio.get_running_loop()
    dialled, accepted = sockets()
    server, dialling = await asyncio.gather(
        complete(accept_tls(accepted, server_context(node), loop.time() + 5)),
        complete(dial_tls(dialled, client_context(client), loop.time() + 5, host="127.0.0.1")),
    )
    assert (server.peer.role, dialling.peer.role) == (Role.CLIENT, Role.NODE)
    server.close()
    dialling.close()


async def refused_body(sockets, node) -> None:
    loop = asyncio.get_running_loop()
    dialled, accepted = sockets()
    dialled.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(PeerError, match="it speaks HTTP, not TLS"):
        await complete(accept_tls(accepted, server_context(node), loop.time() + 5))
    assert accepted.fileno() == -1


async def silent_body(sockets, node) -> None:
    loop = asyncio.get_running_loop()
    _, accepted = sockets()
    with pytest.raises(PeerError, match="in time"):
        await complete(accept_tls(accepted, server_context(node), loop.time() + 0.05))
    assert accepted.fileno() == -1


async def cancelled_body(sockets, node) -> None:
    loop = asyncio.get_running_loop()
    _, accepted = sockets()
    task = asyncio.create_task(complete(accept_tls(accepted, server_context(node), loop.time() + 5)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert accepted.fileno() == -1


async def full_body(client) -> None:
    """Who takes no bytes makes us wait for writing, until the deadline."""
    left, right = socket.socketpair()
    with left, right:
        right.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                right.send(bytes(100))
        deadline = asyncio.get_running_loop().time() + 0.05
        with pytest.raises(PeerError, match="in time"):
            await complete(dial_tls(right, client_context(client), deadline, host="127.0.0.1"))


def test_members(sockets, node, client) -> None:
    asyncio.run(members_body(sockets, node, client))


def test_refused(sockets, node) -> None:
    asyncio.run(refused_body(sockets, node))


def test_silent(sockets, node) -> None:
    asyncio.run(silent_body(sockets, node))


def test_cancelled(sockets, node) -> None:
    asyncio.run(cancelled_body(sockets, node))


def test_full(client) -> None:
    asyncio.run(full_body(client))


async def streams_body(node, client) -> None:
    """The contexts also serve asyncio's own streams, and `peer_role` reads what these tell."""
    seen: list[Peer] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(peer_role(writer.get_extra_info("ssl_object")))
        seen.append(peer_role(writer.get_extra_info("peercert")))
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(node))
    async with server:
        address = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address, ssl=client_context(client))
        writer.write(b"hello\n")
        assert await reader.read() == b"hello\n"
        writer.close()
        await writer.wait_closed()
        with pytest.raises(
            ssl.SSLCertVerificationError, match=r"doesn't match|not valid for|IP address mismatch"
        ):
            await asyncio.open_connection(*address, ssl=client_context(client), server_hostname="127.0.0.2")
    assert [peer.role for peer in seen] == [Role.CLIENT, Role.CLIENT]


def test_streams(node, client) -> None:
    asyncio.run(streams_body(node, client))
