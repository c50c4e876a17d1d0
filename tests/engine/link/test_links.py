"""The links between a client and its nodes: real sockets, real certificates, both ends in this process."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from fission.engine.protocol.interfaces import LinkError
from fission.errors import RunError
from kits.links import NODE, Cluster, Story, bed_of
from kits.waiting import until


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    authority = Cluster(tmp_path_factory.mktemp("certs"))
    return lambda: bed_of(authority)


def run(coroutine) -> None:
    asyncio.run(coroutine)


@pytest.mark.parametrize("tls", [True, False])
def test_a_client_and_a_node(bed, tls):
    async def main():
        async with bed() as it:
            story = Story()
            node = await it.node(tls=tls, about={"slots": 4})
            client = await it.client(story, tls=tls)
            client.invite({NODE: node.link.port})
            await until(lambda: story.count("up"))
            assert client.about(NODE) == {"slots": 4}
            assert client.own_address(NODE).startswith("127.")
            answer = await client.request(
                NODE, "hello", n=1, data=b"\0\xff", text="\udcff", deep=[{"a": [None]}]
            )
            assert answer == {
                "client": "c1",
                "operation": "hello",
                "n": 1,
                "data": b"\0\xff",
                "text": "\udcff",
                "deep": [{"a": [None]}],
            }
            node.link.post("c1", "news", [1, 2])
            node.link.post("nobody", "news", [3])
            await until(lambda: story.count("posted"))
            (_, about), *_ = node.admitted
            assert about["network"] == "net"
            assert about["host"].startswith("127.")
            assert about["name"] == ("client" if tls else "")
            await client.close()
            await until(lambda: node.gone == ["c1"])
            assert story.lines == [("up", NODE), ("posted", NODE, "news", [1, 2])]

    run(main())


def test_requests_are_started_in_order_and_do_not_wait_for_each_other(bed):
    async def main():
        begun, release = [], asyncio.Event()

        async def handler(client, operation, arguments):
            begun.append(arguments["n"])
            if arguments["n"] == 0:
                await release.wait()
            return arguments["n"]

        async with bed() as it:
            story = Story()
            node = await it.node(handler)
            client = await it.client(story)
            client.invite({NODE: node.link.port})
            await until(lambda: story.count("up"))
            slow = asyncio.ensure_future(client.request(NODE, "x", n=0))
            rest = await asyncio.gather(*(client.request(NODE, "x", n=n) for n in range(1, 200)))
            assert rest == list(range(1, 200))
            assert begun == list(range(200))
            release.set()
            assert await slow == 0

    run(main())


def test_what_goes_wrong_in_the_node_reaches_the_client(bed, caplog):
    async def main():
        async def handler(client, operation, arguments):
            match operation:
                case "refuse":
                    raise RunError("there is no room", where="node", hint="Free some")
                case "bug":
                    raise ZeroDivisionError("by\nnothing")
                case "object":
                    return object()
            return await asyncio.sleep(60)

        async with bed() as it:
            story = Story()
            node = await it.node(handler)
            client = await it.client(story)
            with pytest.raises(LinkError, match="is not connected"):
                await client.request(NODE, "x")
            client.invite({NODE: node.link.port})
            await until(lambda: story.count("up"))
            with pytest.raises(LinkError, match=r"^node: there is no room\. Free some$"):
                await client.request(NODE, "refuse")
            with pytest.raises(LinkError, match="a bug in the peer: ZeroDivisionError: by nothing"):
                await client.request(NODE, "bug")
            with pytest.raises(LinkError, match="cannot be sent"):
                await client.request(NODE, "object")
            with pytest.raises(LinkError, match="cannot be sent"):
                await client.request(NODE, "x", y=object())
            with pytest.raises(LinkError, match=r"no answer to 'hang' within 0\.05 s"):
                await client.request(NODE, "hang", timeout=0.05)
            hanging = asyncio.ensure_future(client.request(NODE, "hang", timeout=60))
            await asyncio.sleep(0)
            client.drop(NODE, "for the test")
            with pytest.raises(LinkError, match="is gone"):
                await hanging

    run(main())
    assert "ZeroDivisionError" in caplog.text


def test_posts_arrive_in_order_and_complete_and_before_down(bed):
    async def main():
        async with bed() as it:
            story = Story()
            node = await it.node()
            client = await it.client(story)
            client.invite({NODE: node.link.port})
            await until(lambda: story.count("up"))
            for n in range(20_000):
                node.link.post("c1", "n", n)
            node.link.post("c1", "big", bytes(5 << 20))
            assert node.link.backlog("c1") > 5 << 20
            await until(lambda: node.link.backlog("c1") == 0)
            node.link.post("c1", "n", 20_000)
            it.ends.remove(node.link)
            await asyncio.gather(node.link.close(), until(lambda: story.count("down")))
            posted = [data for _, topic, data in story.of("posted") if topic == "n"]
            assert posted == list(range(20_001))
            assert story.lines[-1][0] == "down"

    run(main())


def test_a_node_comes_back(bed):
    async def main():
        async with bed() as it:
            story = Story()
            node = await it.node()
            client = await it.client(story)
            client.invite({NODE: node.link.port})
            await until(lambda: story.count("up"))
            it.ends.remove(node.link)
            await node.link.close()
            await until(lambda: story.count("down"))
            assert node.gone == ["c1"]
            await until(lambda: NODE in client.away())
            await it.node(port=node.link.port)
            await until(lambda: story.count("up") == 2)
            assert [line[0] for line in story.lines] == ["up", "down", "up"]
            assert await client.request(NODE, "hello") == {"client": "c1", "operation": "hello"}
            client.drop(NODE, "for the test")
            assert story.lines[-1] == ("down", NODE, "for the test")
            await until(lambda: story.count("up") == 3)

    run(main())


def test_a_request_made_in_up_is_the_first(bed):
    async def main():
        async with bed() as it:
            story = Story()
            answers: list[Any] = []

            def up(node):
                answers.append(asyncio.ensure_future(client.request(node, "first")))

            node = await it.node()
            client = await it.client(story, up=up)
            client.invite({NODE: node.link.port})
            await until(lambda: answers)
            assert (await answers[0])["operation"] == "first"

    run(main())


def test_a_node_may_refuse_and_change_its_mind(bed):
    async def main():
        async with bed() as it:
            reasons = ["busy", "busy", ""]
            story = Story()
            node = await it.node(reason=lambda: reasons.pop(0))
            client = await it.client(story)
            client.invite({NODE: node.link.port})
            await until(lambda: story.count("up"))
            assert story.lines == [("refused", NODE, "busy"), ("up", NODE)]
            assert node.gone == []

    run(main())


def test_several_clients_at_once(bed):
    async def main():
        async with bed() as it:
            node = await it.node()
            stories = [Story() for _ in range(3)]
            clients = [
                await it.client(story, name=f"c{n}", network=f"net{n}") for n, story in enumerate(stories)
            ]
            for client in clients:
                client.invite({NODE: node.link.port})
            await until(lambda: all(story.count("up") for story in stories))
            for n, client in enumerate(clients):
                assert (await client.request(NODE, "x"))["client"] == f"c{n}"
                node.link.post(f"c{n}", "to", n)
            await until(lambda: all(story.count("posted") for story in stories))
            assert [story.of("posted") for story in stories] == [[(NODE, "to", n)] for n in range(3)]

    run(main())


def test_ipv6(bed):
    async def main():
        async with bed() as it:
            story = Story()
            node = await it.node(address="::1")
            client = await it.client(story)
            client.invite({"::1": node.link.port})
            await until(lambda: story.count("up"))
            assert client.own_address("::1") == "::1"
            assert node.admitted[0][1]["host"] == "::1"
            assert (await client.request("::1", "x"))["operation"] == "x"

    run(main())


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("localhost", "a port is opened at an IP address"),
        ("192.0.2.1", "The address must be one of this machine"),
        (NODE, "Does another fission-node run there already?"),
    ],
)
def test_where_no_node_can_listen(bed, address, line):
    async def main():
        async with bed() as it:
            node = await it.node()
            with pytest.raises(RunError, match=line):
                await it.node(address=address, port=node.link.port)

    run(main())


def test_a_callback_that_fails_breaks_nothing(bed, caplog):
    async def main():
        def fail(*_):
            raise KeyError("op")

        async with bed() as it:
            story = Story()
            node = await it.node()
            client = await it.client(story, posted=fail)
            client.invite({NODE: node.link.port})
            await until(lambda: story.count("up"))
            node.link.post("c1", "n", 1)
            await until(lambda: "a bug: a callback of the link has failed" in caplog.text)
            assert await client.request(NODE, "x")
            assert story.lines == [("up", NODE)]

    run(main())


def test_the_client_knows_how_far_the_clock_of_a_node_is_ahead(bed, monkeypatch):
    ahead = 90_000.0
    monkeypatch.setattr("fission.engine.client.link._CLOCK_SECONDS", 0.05)
    theirs = SimpleNamespace(time=lambda: time.time() + ahead, monotonic=lambda: time.monotonic() - 7.0)
    monkeypatch.setattr("fission.engine.node.link.time", theirs)

    async def main():
        nonlocal ahead
        async with bed() as it:
            story = Story()
            node = await it.node()
            client = await it.client(story)
            assert client.clocks() == {}
            client.invite({NODE: node.link.port})
            await until(client.clocks)
            found = client.clocks()[NODE]
            assert abs(found.wall.offset - ahead) <= found.wall.error + 1e-3
            assert abs(found.monotonic.offset + 7.0) <= found.monotonic.error + 1e-3
            ahead = -3.0  # the clock of the node is set
            wall = lambda: client.clocks()[NODE].wall  # noqa: E731
            await until(lambda: abs(wall().offset + 3.0) <= wall().error + 1e-3)
            client.drop(NODE, "for the test")
            assert client.clocks() == {}

    run(main())
