"""The watchers of a pipe share one tap: what is ordered, who gets what, and when it ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.core.pipes import PicklePipe
from fission.engine.client.control_socket import ControlServer, WatchRequest
from fission.engine.protocol import pipe_taps
from fission.engine.protocol.pipe_taps import MOST_QUEUED, MOST_WATCHERS, PipeTaps
from fission.runtime.messages import Tap, TapBlock

WANTED: dict[str, Any] = {"rate": 10.0, "size_rate": 1e6, "text": 10, "raw": False}


class Source(PythonJob):
    def run(self) -> int:
        return 1


class Sink(PythonJob):
    def run(self, _value: int) -> None:
        pass


def network() -> Network:
    jobs = [Source(outputs=[PicklePipe(7)]), Sink(inputs=[PicklePipe(7)])]
    return Network("net", jobs, [])


class World:
    """Taps whose orders are recorded; `there` says whether more blocks will come."""

    def __init__(self) -> None:
        self.orders: list[Tap] = []
        self.there = True
        self.network = network()
        self.source = self.network.jobs[0].id
        self.taps = PipeTaps(self.network, self.order)

    def order(self, job: int, tap: Tap) -> bool:
        assert job == self.source
        self.orders.append(tap)
        return self.there

    def show(self, number: int, text: str = "1") -> None:
        self.taps.receive(self.source, 1, TapBlock(7, 1, number, 8, 0.0, text))


async def begun(items: AsyncGenerator[Any]) -> "asyncio.Task[Any]":
    task = asyncio.ensure_future(anext(items))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


def test_watchers_share_a_tap_that_ends_with_the_last_one(monkeypatch: Any) -> None:
    monkeypatch.setattr(pipe_taps, "REPEAT_SECONDS", 0.01)

    async def story() -> None:
        world = World()
        first = world.taps.watch(7, **WANTED)
        one = await begun(first)
        second = world.taps.watch(7, **{**WANTED, "rate": 1.0, "raw": True, "text": 3})
        two = await begun(second)
        assert (world.orders[0].rate, world.orders[0].raw) == (10.0, False)
        assert (world.orders[1].rate, world.orders[1].raw, world.orders[1].text) == (10.0, True, 10)
        world.show(5, "abcdef")
        got = [await one, await two]
        assert [item["text"] for item in got] == ["abcdef", "..."]
        assert (got[0]["number"], got[0]["pipe"], got[0]["job"]) == (5, 7, "Source 1")
        await second.aclose()
        async with asyncio.timeout(20):
            while world.orders[-1].raw:
                await asyncio.sleep(0)
        await first.aclose()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}  # nothing repeats the order any more

    asyncio.run(story())


def test_the_stream_ends_with_its_sender_and_after_what_has_come(monkeypatch: Any) -> None:
    monkeypatch.setattr(pipe_taps, "REPEAT_SECONDS", 0.01)

    async def story() -> list[Any]:
        world = World()
        items = world.taps.watch(7, **WANTED)
        first = await begun(items)
        world.show(1)
        world.there = False
        async with asyncio.timeout(20):
            return [await first] + [item async for item in items]

    first, last = asyncio.run(story())
    assert (first["number"], last) == (1, {"end": "Source 1 has ended"})


def test_a_slow_watcher_loses_blocks_and_foreign_ones_are_ignored(monkeypatch: Any) -> None:
    monkeypatch.setattr(pipe_taps, "REPEAT_SECONDS", 0.01)

    async def story() -> None:
        world = World()
        items = world.taps.watch(7, **{**WANTED, "rate": 1000.0})
        first = await begun(items)
        for number in range(10 * MOST_QUEUED):
            world.show(number)
        world.taps.receive(2, 1, TapBlock(7, 1, 99999, 8, 0.0, "1"))
        got = [await first]
        world.there = False
        got += [item async for item in items]
        assert len(got) <= MOST_QUEUED + 1
        assert 99999 not in [item.get("number") for item in got]

    asyncio.run(story())


def test_refusals() -> None:
    async def first(**more: Any) -> Any:
        world = World()
        items = world.taps.watch(**{"pipe": 7, **WANTED, **more})
        item = await anext(items)
        await items.aclose()
        assert not world.orders
        return item

    async def crowd() -> Any:
        world = World()
        for _ in range(MOST_WATCHERS):
            (await begun(world.taps.watch(7, **WANTED))).get_name()
        return await anext(world.taps.watch(7, **WANTED))

    assert asyncio.run(first(pipe=8)) == {"errors": ["there is no pipe 8; expected one of 7"]}
    assert asyncio.run(first(rate=-1.0)) == {"errors": ["the rates of a tap must be positive numbers"]}
    assert asyncio.run(first(size_rate=float("nan"))) == {
        "errors": ["the rates of a tap must be positive numbers"]
    }
    assert "errors" in asyncio.run(crowd())


def test_who_closes_the_connection_ends_the_tap(tmp_path: Path) -> None:
    async def answer(_request: object) -> dict[str, Any]:
        return {}

    async def story() -> None:
        world, ended = World(), asyncio.Event()

        async def watch(request: WatchRequest) -> AsyncGenerator[Any]:
            async with contextlib.aclosing(world.taps.watch(request.pipe, **WANTED)) as items:
                try:
                    async for item in items:
                        yield item
                finally:
                    ended.set()

        server = ControlServer(tmp_path, answer, watch)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "control.sock")
        writer.write(json.dumps({"do": "watch", "pipe": 7, **WANTED}).encode() + b"\n")
        async with asyncio.timeout(20):
            while not world.orders:
                await asyncio.sleep(0)
            world.show(3)
            assert json.loads(await reader.readline())["number"] == 3
            writer.close()
            await ended.wait()
        await server.close()

    asyncio.run(story())
