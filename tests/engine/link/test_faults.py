"""Nodes and clients that die, freeze or fall silent: every end of it in a process of its own."""

import asyncio
import signal
import sys
import time
from contextlib import asynccontextmanager, suppress

import pytest

from fission.engine.protocol.interfaces import LinkError
from kits.links import NODE, Bed, Cluster, NodeProcess, Story, bed_of
from kits.waiting import until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    return Cluster(tmp_path_factory.mktemp("certs"))


@asynccontextmanager
async def linked(cluster: Cluster, count: int = 1, **settings):
    """A client and nodes in their own processes, all joined."""
    async with bed_of(cluster) as bed:
        story = Story()
        addresses = [f"127.0.0.{n + 2}" for n in range(count)]
        nodes = {address: NodeProcess(cluster.node(address), address) for address in addresses}
        bed.ends += nodes.values()
        client = await bed.client(story, **settings)
        client.invite({address: node.port for address, node in nodes.items()})
        await until(lambda: story.count("up") == count)
        yield bed, client, story, nodes


def revive(bed: Bed, cluster: Cluster, address: str, port: int) -> NodeProcess:
    node = NodeProcess(cluster.node(address), address, port)
    bed.ends.append(node)
    return node


def test_a_node_is_killed_and_comes_back(cluster):
    async def main():
        async with linked(cluster, 2) as (bed, client, story, nodes):
            hanging = asyncio.ensure_future(client.request(NODE, "hang", timeout=600))
            assert await client.request(NODE, "echo", n=1) == {"n": 1}
            nodes[NODE].signal(signal.SIGKILL)
            with pytest.raises(LinkError, match="is gone"):
                await hanging
            await until(lambda: story.count("down"))
            assert story.of("down") == [(NODE, "the connection was closed")]
            with pytest.raises(LinkError, match="is not connected"):
                await client.request(NODE, "echo")
            assert await client.request("127.0.0.3", "echo", n=2) == {"n": 2}
            revive(bed, cluster, NODE, nodes[NODE].port)
            await until(lambda: story.count("up") == 3)
            assert await client.request(NODE, "echo", n=3) == {"n": 3}
            assert story.count("down") == 1
            assert story.count("refused") == 0

    asyncio.run(main())


def test_a_node_freezes_and_thaws(cluster):
    async def main():
        async with linked(cluster) as (_, client, story, nodes):
            nodes[NODE].signal(signal.SIGSTOP)
            hanging = asyncio.ensure_future(client.request(NODE, "echo", timeout=600))
            with pytest.raises(LinkError, match=r"nothing was heard of it for 0\.5 s"):
                await hanging
            assert story.count("down") == 1
            nodes[NODE].signal(signal.SIGCONT)
            await until(lambda: story.count("up") == 2)
            assert await client.request(NODE, "gone") == ["c1"], "the node had noticed, once"

    asyncio.run(main())


def test_a_client_that_freezes_loses_nobody(cluster):
    async def main():
        async with linked(cluster, 2) as (_, client, story, nodes):
            for _ in range(2):
                time.sleep(2)  # everything of this client stands still, as with SIGSTOP
                for address in nodes:
                    assert await client.request(address, "echo", n=1) == {"n": 1}
            assert story.count("down") == 0

    asyncio.run(main())


def test_a_node_whose_loop_stands_still_is_alive(cluster):
    async def main():
        async with linked(cluster) as (_, client, story, _):
            await client.request(NODE, "block", seconds=2.0, timeout=20)
            assert story.count("down") == 0

    asyncio.run(main())


def test_much_is_on_the_way_when_the_node_is_killed(cluster):
    async def main():
        async with linked(cluster) as (bed, client, story, nodes):
            asking = [asyncio.ensure_future(client.request(NODE, "post", count=20_000, timeout=60))]
            asking += [
                asyncio.ensure_future(client.request(NODE, "echo", data=bytes(2 << 20), timeout=60))
                for _ in range(20)
            ]
            await until(lambda: story.count("posted") > 100)
            nodes[NODE].signal(signal.SIGKILL)
            await asyncio.gather(*asking, return_exceptions=True)
            await until(lambda: story.count("down"))
            end = len(story.lines)
            revive(bed, cluster, NODE, nodes[NODE].port)
            await until(lambda: story.count("up") == 2)
            posted = [data for _, _, data in story.of("posted")]
            assert posted == list(range(len(posted))), "nothing is missing in the middle, nothing comes twice"
            assert [line[0] for line in story.lines[end:]] == ["up"], "nothing comes after its end"

    asyncio.run(main())


def test_commands_are_not_held_up_by_files(cluster):
    async def main():
        async with linked(cluster) as (_, client, _, _):
            files = [
                asyncio.ensure_future(client.request(NODE, "echo", data=bytes(16 << 20), timeout=60))
                for _ in range(8)
            ]
            await asyncio.sleep(0)
            assert await client.request(NODE, "echo", n=1) == {"n": 1}
            assert not any(one.done() for one in files)
            for one in files:
                assert len((await one)["data"]) == 16 << 20

    asyncio.run(main())


CLIENT = """
import asyncio, sys
from pathlib import Path
from fission.engine.client.link import StreamClientLink
from fission.security import find_identity

async def main(folder, node, port):
    up = asyncio.Event()
    link = StreamClientLink(
        identity=find_identity(Path(folder)), network="net", client="other", pulse_interval=0.05,
        up=lambda node: up.set(), down=print, refused=print, posted=print,
    )
    await link.start()
    link.invite({node: int(port)})
    await up.wait()
    print("up", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def other_client(cluster: Cluster, port: int):
    """A client in a process of its own, which has joined."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, cluster.client, NODE, str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await process.stdout.readline() == b"up\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_node_notices_that_its_client_is_gone(cluster, fault, monkeypatch):
    monkeypatch.setattr("fission.engine.node.link._SILENCE", 1.0)

    async def main():
        async with bed_of(cluster) as bed:
            node = await bed.node()
            async with other_client(cluster, node.link.port) as process:
                process.send_signal(fault)
                await until(lambda: node.gone == ["other"])
                node.link.post("other", "news", 1)
            assert [client for client, _ in node.admitted] == ["other"]

    asyncio.run(main())


def test_a_client_that_joins_again_takes_the_place_of_its_earlier_self(cluster):
    async def main():
        async with bed_of(cluster) as bed:
            story = Story()
            node = await bed.node()
            async with other_client(cluster, node.link.port) as process:
                process.send_signal(signal.SIGSTOP)
                client = await bed.client(story, name="other")
                client.invite({NODE: node.link.port})
                await until(lambda: story.count("up"))
                assert node.gone == ["other"]
                assert await client.request(NODE, "x") == {"client": "other", "operation": "x"}
            assert [client for client, _ in node.admitted] == ["other", "other"]

    asyncio.run(main())


def test_a_node_is_tried_again_whatever_went_wrong(cluster):
    async def main():
        async with bed_of(cluster) as bed:
            story, node = Story(), await bed.node()
            client = await bed.client(story)
            dial, failed = client._dialer.dial, []

            async def fail_once(*arguments):
                if not failed:
                    failed.append(arguments)
                    raise UnicodeError("label too long")
                return await dial(*arguments)

            client._dialer.dial = fail_once
            client.invite({NODE: node.link.port})
            await until(lambda: client.away().get(NODE) == "cannot be reached (label too long)")
            await until(lambda: story.count("up"))

    asyncio.run(main())
