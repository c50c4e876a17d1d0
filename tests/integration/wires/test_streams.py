"""A chain of three jobs over every transport: what comes out is what went in."""

import asyncio
import statistics
from pathlib import Path

import pytest
from wired import Wired, machine
from wired_jobs import Clock, LivePipe, Slow, chain

from fission.security.ephemeral import EphemeralAuthority


@pytest.mark.parametrize(("size", "count"), [(16, 20_000), (4096, 5_000), (1 << 20, 200), (16 << 20, 6)])
@pytest.mark.parametrize("kind", ["tls", "tcp"])
def test_every_block_arrives(
    tmp_path: Path, authority: EphemeralAuthority, kind: str, size: int, count: int
) -> None:
    async def story() -> None:
        async with Wired(
            tmp_path, chain(size, count=count), kind, authority if kind == "tls" else None
        ) as wired:
            await wired.finished()
            assert wired.result() == {"received": count, "wrong": []}

    asyncio.run(story())


def test_jobs_of_one_machine_use_its_unix_sockets(tmp_path: Path, authority: EphemeralAuthority) -> None:
    def seat(job: int) -> str:
        return machine(1 if job == 2 else job)

    async def story() -> None:
        async with Wired(tmp_path, chain(4096), "tls+unix", authority, machines=seat) as wired:
            await wired.progress()
            remote, local = wired.addresses[2].split(" ")
            assert local == f"unix:{tmp_path}/2.s"
            assert remote.startswith("tls:127.0.0.2:")
            wired.stop_source()
            await wired.finished()
            assert wired.result() == {"received": wired.sent, "wrong": []}

    asyncio.run(story())


def test_no_certificate_no_start(tmp_path: Path) -> None:
    class Nothing:
        def node(self, _address: str) -> Path:
            return tmp_path / "nothing"

    async def story() -> None:
        async with Wired(tmp_path, chain(16), "tls", Nothing()) as wired:
            await wired.until(wired.failures, "failures", expected=True)
            assert "nothing: there are no certificates" in wired.failures()[0]
            assert "fission certs" in wired.failures()[0]

    asyncio.run(story())


def test_clear_text_is_no_way_out_for_who_has_a_certificate(
    tmp_path: Path, authority: EphemeralAuthority
) -> None:
    async def story() -> None:
        async with Wired(tmp_path, chain(16), "tcp", authority) as wired:
            await wired.until(wired.failures, "failures", expected=True)
            assert "expected tls:host:port, found tcp:127.0.0." in wired.failures()[0]

    asyncio.run(story())


def test_a_sender_that_is_told_to_use_clear_text_refuses(
    tmp_path: Path, authority: EphemeralAuthority
) -> None:
    async def story() -> None:
        async with Wired(
            tmp_path, chain(16), "tls", authority, via=lambda _, address: address.replace("tls:", "tcp:")
        ) as wired:
            await wired.until(wired.failures, "failures", expected=True)
            assert "one of the two machines has a certificate" in wired.failures()[0]

    asyncio.run(story())


@pytest.mark.parametrize("size", [16, 100_000])
@pytest.mark.parametrize("kind", ["unix", "tls"])
def test_blocks_of_a_live_pipe_do_not_grow_old_on_their_way(
    tmp_path: Path, authority: EphemeralAuthority, kind: str, size: int
) -> None:
    """The reader is ten times slower than the source: five blocks may wait at the source and five before the reader."""
    pipe = LivePipe(1)
    jobs = [Clock(size, 0.001, outputs=[pipe]), Slow(0.01, queue=5, inputs=[pipe])]

    async def story() -> list[int]:
        async with Wired(tmp_path, jobs, kind, authority if kind == "tls" else None) as wired:
            await wired.until(lambda: wired.rounds(2) >= 1500, "some rounds")
            wired.stop_source()
            await wired.finished()
            ages: list[int] = wired.result()["ages"]
            return ages

    ages = asyncio.run(story())
    # Each of the five before the reader waits for ten blocks of the source; the rest is for a machine that is busy.
    assert statistics.median(ages) < 150, ages
