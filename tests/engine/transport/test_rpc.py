"""Requests, answers and posts over a socket pair."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from fission.engine.protocol.interfaces import LinkError
from fission.engine.transport.rpc import RpcConnection
from fission.engine.transport.stream import MessageStream, PlainChannel
from fission.errors import RunError
from kits.waiting import until


@asynccontextmanager
async def joined(left: dict | None = None, right: dict | None = None):
    """Two ends, both served; `left` and `right` are what each end does with requests and posts."""
    streams = [MessageStream(PlainChannel(sock), "peer:1", "here") for sock in socket.socketpair()]
    ends = [
        RpcConnection(stream, "peer", **(does or {}))
        for stream, does in zip(streams, (left, right), strict=True)
    ]
    serving = [asyncio.ensure_future(end.serve()) for end in ends]
    try:
        async with asyncio.timeout(30):
            yield ends
    finally:
        for end in ends:
            end.abort("the test is over")
            for task in end.running:
                task.cancel()
        await asyncio.gather(*serving)


async def echo(operation, arguments):
    return [operation, dict(arguments)]


def test_both_ends_ask_and_answer():
    async def main():
        async with joined({"handler": echo}, {"handler": echo}) as (left, right):
            answers = await asyncio.gather(
                *(end.request("x", {"n": n}, 20) for n in range(300) for end in (left, right))
            )
            assert answers == [["x", {"n": n}] for n in range(300) for _ in (left, right)]

    asyncio.run(main())


def test_large_answers_do_not_delay_small_ones():
    async def main():
        async def handler(operation, arguments):
            return bytes(arguments["size"])

        async with joined(right={"handler": handler}) as (left, _):
            large = [asyncio.ensure_future(left.request("get", {"size": 32 << 20}, 30)) for _ in range(2)]
            assert await left.request("get", {"size": 1}, 30) == b"\0"
            assert not any(one.done() for one in large)
            assert [len(await one) for one in large] == [32 << 20] * 2

    asyncio.run(main())


def test_posts_arrive_in_order_until_the_connection_is_aborted():
    async def main():
        posted: list[int] = []

        def receive(topic, data):
            posted.append(data)
            if data == 500:
                left.abort("enough")

        async with joined({"posted": receive}) as (left, right):
            for n in range(1000):
                right.post("n", n)
            await until(lambda: right.stream.closed)
            assert posted == list(range(501))
            right.post("n", 0)
            with pytest.raises(RunError, match="cannot be sent"):
                right.post("n", object())

    asyncio.run(main())


def test_a_request_fails_when_the_connection_ends():
    async def main():
        async def hang(operation, arguments):
            await asyncio.sleep(3600)

        running: set[asyncio.Task[None]] = set()
        async with joined(right={"handler": hang, "running": running}) as (left, right):
            with pytest.raises(LinkError, match=r"^peer: no answer to 'x' within 0\.01 s$"):
                await left.request("x", {}, 0.01)
            waiting = asyncio.ensure_future(left.request("x", {}, 30))
            await until(lambda: len(running) == 2)
            right.abort("for the test")
            with pytest.raises(LinkError, match=r"^peer: is gone \(the connection was closed\)$"):
                await waiting
            with pytest.raises(LinkError, match="is gone"):
                await left.request("x", {}, 30)
            assert len(running) == 2, "requests outlive their connection"

    asyncio.run(main())


def test_the_text_of_an_error_is_bounded(caplog):
    async def main():
        async def fail(operation, arguments):
            raise {"refuse": RunError, "bug": ValueError}[operation]("x" * 10_000_000)

        async with joined(right={"handler": fail}) as (left, _):
            for operation in ("refuse", "bug"):
                with pytest.raises(LinkError) as caught:
                    await left.request(operation, {}, 20)
                assert 10_000 < len(str(caught.value)) < 20_000

    asyncio.run(main())


@pytest.mark.parametrize(
    "message",
    [
        {"op": "request", "number": 1, "operation": "x", "arguments": {}},
        {"op": "post", "topic": "x", "data": 1},
        {"op": "x" * 1000},
        "text",
    ],
)
def test_an_end_that_expects_no_requests_and_posts_closes_the_connection(message):
    async def main():
        async with joined() as (left, right):
            right.stream.send(message)
            await until(lambda: left.stream.closed)
            assert "the peer sends a message that this side does not understand" in left.stream.reason
            assert len(left.stream.reason) < 200

    asyncio.run(main())


def test_a_handler_that_fails_does_not_end_the_connection(caplog):
    async def main():
        async def handler(operation, arguments):
            return 1 // arguments["n"]

        async with joined(right={"handler": handler}) as (left, _):
            with pytest.raises(LinkError, match="a bug in the peer: ZeroDivisionError"):
                await left.request("x", {"n": 0}, 20)
            assert await left.request("x", {"n": 1}, 20) == 1

    asyncio.run(main())
    assert "a bug: request 'x' of peer has failed" in caplog.text
