"""Messages over a socket pair, and the thread that gives signs of life."""

import asyncio
import socket
import threading
from contextlib import asynccontextmanager

import pytest

from fission.engine.transport.heartbeat import HeartbeatSender
from fission.engine.transport.stream import MessageStream, PlainChannel, StreamClosed
from fission.errors import RunError
from kits.waiting import steady, until


@asynccontextmanager
async def pair(*, trusted: bool = True):
    """Two ends, with little room between them."""
    socks = socket.socketpair()
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ends = [MessageStream(PlainChannel(sock), name, "here") for sock, name in zip(socks, "ab", strict=True)]
    if trusted:
        for end in ends:
            end.trust()
    try:
        async with asyncio.timeout(30):
            yield ends
    finally:
        for end in ends:
            end.abort("the test is over")


def test_what_was_sent_before_the_end_arrives():
    async def main():
        async with pair() as (a, b):
            sent = [*range(1000), bytes(1 << 20), "last"]
            for message in sent:
                a.send(message)
            closing = asyncio.ensure_future(a.close("enough", 20.0))
            assert [await b.receive() for _ in sent] == sent
            await closing
            with pytest.raises(StreamClosed, match="the connection was closed"):
                await b.receive()
            with pytest.raises(StreamClosed, match="enough"):
                await a.receive()
            with pytest.raises(StreamClosed, match="enough"):
                a.send("more")
            a.abort("again")
            assert a.reason == "enough", "the first reason counts"

    asyncio.run(main())


def test_who_does_not_read_does_not_hold_up_a_close(monkeypatch):
    monkeypatch.setattr("fission.engine.transport.stream._UNREAD", 1 << 16)

    async def main():
        async with pair() as (a, _):
            for _ in range(100):
                a.send(bytes(1 << 20))
            await a.close("enough", 0.05)
            assert a.closed

    asyncio.run(main())


def test_little_is_read_ahead(monkeypatch):
    monkeypatch.setattr("fission.engine.transport.stream._UNREAD", 1 << 20)

    async def main():
        async with pair() as (a, b):
            for n in range(200):
                a.send([n, bytes(64 << 10)])
            await until(steady(lambda: a.unsent, 0.05))
            assert a.unsent > 8 << 20
            assert [(await b.receive())[0] for _ in range(200)] == list(range(200))
            assert a.unsent == 0

    asyncio.run(main())


def test_who_does_not_keep_up_is_dropped(monkeypatch):
    monkeypatch.setattr("fission.engine.transport.stream._UNSENT", 1 << 20)

    async def main():
        async with pair() as (a, _):
            for _ in range(16):  # and the little that each is longer on the wire
                a.send(bytes(64 << 10))
            with pytest.raises(StreamClosed, match="does not keep up"):
                a.send(1)

    asyncio.run(main())


def test_large_messages_are_for_friends():
    async def main():
        async with pair(trusted=False) as (a, b):
            a.send(bytes(60 << 10))
            assert len(await b.receive()) == 60 << 10
            a.send(bytes(70 << 10))
            with pytest.raises(StreamClosed, match="too large"):
                await b.receive()

    asyncio.run(main())


def test_a_message_has_its_limits(monkeypatch):
    monkeypatch.setattr("fission.engine.transport.stream.LARGEST_MESSAGE", 1000)

    async def main():
        async with pair() as (a, _):
            with pytest.raises(RunError, match="too large"):
                a.send(bytes(1001))

    asyncio.run(main())


def test_signs_of_life_come_while_the_loop_stands_still():
    async def main():
        heart = HeartbeatSender()
        heart.start()
        async with pair() as (a, b):
            heart.add(a, 0.01)
            before = b.heard
            await until(lambda: b.heard > before)
            received = threading.Event()

            class Counter:
                beats = 0

                def beat(self):
                    self.beats += 1
                    if self.beats > 5:
                        received.set()

            heart.add(Counter(), 0.01)
            assert received.wait(10), "this blocks the loop"
            a.send("and messages are not disturbed")
            assert await b.receive() == "and messages are not disturbed"
            heart.remove(a)
        heart.close()

    asyncio.run(main())


def test_pulses_and_messages_at_once():
    async def main():
        heart = HeartbeatSender()
        heart.start()
        async with pair() as (a, b):
            heart.add(a, 0.0005)
            heart.add(b, 0.0005)
            for n in range(300):
                a.send([n, bytes(n * 100)])
                b.send([n, bytes(n * 100)])
            for end in (a, b):
                for n in range(300):
                    assert await end.receive() == [n, bytes(n * 100)]
            heart.remove(a)
            heart.remove(b)
        heart.close()

    asyncio.run(main())


def test_a_loop_that_never_turns_again_is_not_covered_up(monkeypatch):
    monkeypatch.setattr("fission.engine.transport.heartbeat.STUCK_SECONDS", 0.05)

    class Counter:
        def __init__(self) -> None:
            self.beats = 0

        def beat(self) -> None:
            self.beats += 1

    heart, one, other = HeartbeatSender(), Counter(), Counter()
    heart.start()
    try:
        heart.add(one, 0.01)

        async def main():
            heart.turned()
            await until(steady(lambda: one.beats, 0.2))
            assert one.beats > 0
            heart.add(other, 0.01)
            heart.turned()
            await until(lambda: other.beats)

        asyncio.run(main())
    finally:
        heart.close()


def test_a_heart_that_was_never_started_ends():
    HeartbeatSender().close()
