"""Attempts to connect: each way in which a port may answer, or not, has its name."""

import asyncio
import socket

import pytest

from fission.diagnosis.facts import Outcome
from fission.engine.transport.reach import ProbePort, reach
from kits.waiting import until

HERE = "127.0.0.1"


def closed_port() -> int:
    with socket.create_server((HERE, 0)) as sock:
        return int(sock.getsockname()[1])


def test_a_port_that_shows_its_token_is_reached() -> None:
    async def scenario() -> None:
        port = ProbePort(HERE, 30.0)
        await port.open()
        try:
            assert (await reach(HERE, port.port, port.token)).outcome is Outcome.REACHED
            assert (await reach(HERE, port.port)).outcome is Outcome.REACHED
            assert (await reach(HERE, port.port, "x" * 32)).outcome is Outcome.STRANGER
            assert (await reach(HERE, port.port, port.token + "x")).outcome is Outcome.STRANGER
        finally:
            port.close()
        assert not port.is_open
        assert (await reach(HERE, port.port, port.token)).outcome is Outcome.REFUSED

    asyncio.run(scenario())


def test_a_port_closes_when_its_time_is_over() -> None:
    async def scenario() -> None:
        port = ProbePort(HERE, 0.01)
        await port.open()
        await until(lambda: not port.is_open, "the port is closed")

    asyncio.run(scenario())


def test_a_port_bounds_its_connections() -> None:
    async def scenario() -> None:
        port = ProbePort(HERE, 30.0)
        await port.open()
        while port.is_open:
            await asyncio.gather(*(reach(HERE, port.port) for _ in range(32)))
        assert (await reach(HERE, port.port)).outcome is Outcome.REFUSED

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_a_port_that_is_closed_refuses() -> None:
    assert asyncio.run(reach(HERE, closed_port())).outcome is Outcome.REFUSED


def test_what_shows_no_token_is_silent() -> None:
    with socket.create_server((HERE, 0)) as sock:
        port = sock.getsockname()[1]
        assert asyncio.run(reach(HERE, port, "token", seconds=0.1)).outcome is Outcome.SILENT
        assert asyncio.run(reach(HERE, port)).outcome is Outcome.REACHED


def test_what_hangs_up_is_a_stranger() -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), HERE, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            assert (await reach(HERE, port, "token")).outcome is Outcome.STRANGER

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a" * 80 + ".invalid", "two..dots", "\udc00"])
def test_names_without_an_address(name: str) -> None:
    found = asyncio.run(reach(name, 8785))
    assert found.outcome in (Outcome.UNRESOLVED, Outcome.SILENT)  # a slow resolver


def test_an_address_that_no_way_leads_to() -> None:
    found = asyncio.run(reach("255.255.255.255", 8785, seconds=1))
    assert found.outcome in (Outcome.UNREACHABLE, Outcome.FAILED)
    assert found.detail
