"""A device on a real socket: one guess per code, three codes, and strangers who cannot hold it up."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest

from fission.errors import RunError
from fission.pairing import codes
from fission.pairing.client import pair
from fission.pairing.device import DeviceServer
from fission.pairing.errors import PairingError, WrongCodeError
from fission.pairing.frames import Kind, encode
from kits.pairing import ABOUT_CLIENT, ABOUT_DEVICE
from kits.waiting import until

FILES = {"ca.pem": "a", "cert.pem": "b", "key.pem": "c" * 10_000}


@dataclass
class Device:
    """A device that is being paired."""

    port: int = 0
    shown: list[str] = field(default_factory=list)
    installed: list[Mapping[str, str]] = field(default_factory=list)
    problem: RunError | None = None

    def show(self, code: str, number: int) -> None:
        assert number == len(self.shown) + 1
        self.shown.append(code)

    def install(self, files: Mapping[str, str]) -> dict[str, object]:
        if self.problem is not None:
            raise self.problem
        self.installed.append(files)
        return {"serves": True}

    async def pair(self, code: str | None = None) -> tuple[dict[str, str], dict[str, object]]:
        """Pair with the current code, or this one."""
        return await asyncio.to_thread(
            pair, "127.0.0.1", self.port, code or self.shown[-1], ABOUT_CLIENT, lambda _peer: FILES
        )

    def wrong(self) -> str:
        """A code that is not the current one."""
        return f"{(int(self.shown[-1]) + 1) % 10**codes.DIGITS:0{codes.DIGITS}d}"


def during(check: Callable[[Device], Awaitable[None]], device: Device | None = None) -> Device:
    """Run a device and a check beside it; the result or error of the device is that of this call."""
    device = device or Device()

    async def both() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        device.port = listener.getsockname()[1]
        server = asyncio.create_task(DeviceServer(ABOUT_DEVICE, device.install, device.show).serve(listener))
        await until(lambda: device.shown, "the code")
        try:
            async with asyncio.timeout(60):
                await check(device)
                assert await server == "127.0.0.1"
        finally:
            server.cancel()
            with contextlib.suppress(asyncio.CancelledError, RunError):
                await server
        with pytest.raises(PairingError, match="nothing listens"):
            await device.pair()

    asyncio.run(both())
    return device


def test_the_right_code_installs_the_files_and_closes_the_port() -> None:
    async def check(device: Device) -> None:
        peer, result = await device.pair()
        assert peer["name"] == "roof"
        assert result == {"serves": True}

    assert during(check).installed == [FILES]


def test_after_a_wrong_code_another_one_is_shown() -> None:
    async def check(device: Device) -> None:
        with pytest.raises(WrongCodeError, match="the code is wrong"):
            await device.pair(device.wrong())
        await until(lambda: len(device.shown) == 2, "the second code")
        with pytest.raises(WrongCodeError):
            await device.pair(device.shown[0])
        await until(lambda: len(device.shown) == 3, "the third code")
        await device.pair()

    device = during(check)
    assert len(set(device.shown)) == 3
    assert device.installed == [FILES]


def test_three_wrong_codes_end_it() -> None:
    device = Device()

    async def check(device: Device) -> None:
        for number in range(codes.TRIES):
            await until(lambda number=number: len(device.shown) == number + 1, "the next code")
            with pytest.raises(WrongCodeError):
                await device.pair(device.wrong())

    with pytest.raises(PairingError, match="3 codes were used in vain"):
        during(check, device)
    assert device.installed == []


def test_guesses_side_by_side_get_one_answer_per_code() -> None:
    async def check(device: Device) -> None:
        wrong = device.wrong()
        guesses = await asyncio.gather(*(device.pair(wrong) for _ in range(6)), return_exceptions=True)
        assert all(isinstance(one, PairingError) for one in guesses)
        compared = sum(isinstance(one, WrongCodeError) for one in guesses)
        assert compared <= len(device.shown)
        await device.pair()

    with contextlib.suppress(PairingError):  # the six may have used all three codes
        during(check)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 5000,
        encode(Kind.HELLO, b"[]"),
        encode(Kind.HELLO, b"[" * 500),
        encode(Kind.CONFIRM, b"x" * 32),
        encode(Kind.SEALED, b"x" * 32),
        encode(Kind.HELLO, b'{"pairing": 1}') + encode(Kind.SHARE, b"A" + bytes(32)),
        encode(Kind.HELLO, b'{"pairing": 1}')[:-3],
    ],
)
def test_a_stranger_costs_no_code(sent: bytes) -> None:
    async def check(device: Device) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", device.port)
        writer.write(sent)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            assert len(await reader.read()) < 1024
        writer.close()
        assert len(device.shown) == 1
        await device.pair()

    during(check)


def test_many_silent_connections_do_not_hold_it_up() -> None:
    async def check(device: Device) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", device.port) for _ in range(20)]
        await device.pair()
        for _, writer in silent:
            writer.close()

    during(check)


def test_a_client_that_goes_after_the_code_has_used_it_up() -> None:
    def nothing(_peer: Mapping[str, str]) -> dict[str, str]:
        raise RunError("changed its mind")

    async def check(device: Device) -> None:
        with pytest.raises(RunError, match="changed its mind"):
            await asyncio.to_thread(pair, "127.0.0.1", device.port, device.shown[0], ABOUT_CLIENT, nothing)
        await until(lambda: len(device.shown) == 2, "the second code")
        await device.pair()

    during(check)


def test_what_cannot_be_installed_is_told_to_both() -> None:
    async def check(device: Device) -> None:
        _, result = await device.pair()
        assert result == {"error": "the disk is full"}

    with pytest.raises(RunError, match="the disk is full"):
        during(check, Device(problem=RunError("the disk is full")))


def test_a_code_that_nobody_uses_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "SECONDS", 0.05)

    async def check(device: Device) -> None:
        pass

    with pytest.raises(PairingError, match="no client has used the code in time"):
        during(check)
