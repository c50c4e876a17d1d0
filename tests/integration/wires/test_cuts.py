"""Connections that break, and receivers that move: nothing is lost, nothing comes twice."""

import asyncio
import contextlib
import socket
import struct
from pathlib import Path

import pytest
from wired import Wired, machine
from wired_jobs import chain

from fission.runtime.sockets.endpoints import parse
from fission.security.ephemeral import EphemeralAuthority


class Relay:
    """Stands before a job, at its address; what it carries can be cut off at any byte."""

    def __init__(self) -> None:
        self.carried = 0
        self.connections = 0
        self._target = ("", 0)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self, host: str) -> None:
        """Listen, before the job's address is known."""
        self._server = await asyncio.start_server(self._serve, host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def before(self, address: str) -> str:
        """The address to tell others instead of the job's own."""
        (endpoint,) = parse(address)
        self._target = (endpoint.host, endpoint.port)
        return str(endpoint._replace(port=self.port))

    def cut(self) -> None:
        """Break all connections, with what is under way."""
        for writer in self._writers:
            if not writer.is_closing():
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        """Accept nothing any more, and cut."""
        assert self._server is not None
        self._server.close()
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection(*self._target)
            self.connections += 1
            self._writers |= {writer, there_writer}
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(self._carry(reader, there_writer), self._carry(there_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                self.carried += len(data)
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.mark.parametrize("size", [64, 1 << 20])
@pytest.mark.parametrize("kind", ["tls", "tcp"])
def test_cut_connections_lose_nothing(
    tmp_path: Path, authority: EphemeralAuthority, kind: str, size: int
) -> None:
    async def story() -> None:
        relays = {1: Relay(), 2: Relay()}
        for pipe, relay in relays.items():
            await relay.open(machine(pipe + 1))
        async with Wired(
            tmp_path,
            chain(size, delay=0.002),
            kind,
            authority if kind == "tls" else None,
            via=lambda pipe, address: relays[pipe].before(address),
        ) as wired:
            for number in range(6):
                relay = relays[1 + number % 2]
                there = relay.carried + 2 * size + 17 * number
                before = relay.connections
                await wired.until(lambda: relay.carried > there, "bytes to cut off")  # noqa: B023
                relay.cut()
                await wired.until(lambda: relay.connections > before, "a new connection")  # noqa: B023
            wired.stop_source()
            await wired.finished()
            assert wired.result() == {"received": wired.sent, "wrong": []}
        for relay in relays.values():
            await relay.close()

    asyncio.run(story())


def test_a_new_route_is_taken_at_once(tmp_path: Path, authority: EphemeralAuthority) -> None:
    """The connection to the old place looks healthy: nobody there has said that it is over."""

    async def story() -> None:
        relay = Relay()
        await relay.open(machine(3))
        async with Wired(
            tmp_path,
            chain(4096, delay=0.001),
            "tls",
            authority,
            via=lambda pipe, address: relay.before(address) if pipe == 2 else address,
        ) as wired:
            await wired.progress()
            wired.route(2, wired.addresses[3])
            carried = -1
            while carried != relay.carried:
                carried = relay.carried
                await wired.progress()
            await relay.close()
            wired.stop_source()
            await wired.finished()
            assert wired.result() == {"received": wired.sent, "wrong": []}

    asyncio.run(story())
