"""The link between a client and nodes on hosts of their own: cables are pulled, packets are lost, the line is slow."""

import sys
from pathlib import Path

import pytest

from lab import Lab, Running, wait_for

pytestmark = pytest.mark.long

NODE = Path(__file__).parents[2] / "kits" / "link_node.py"
PORT = 8785

CLIENT = f"""
import asyncio, sys
from pathlib import Path
from fission.engine.protocol.interfaces import LinkError
from fission.engine.client.link import StreamClientLink
from fission.security import find_identity

def say(*what):
    print(*what, flush=True)

async def main(folder, *nodes):
    link = StreamClientLink(
        identity=find_identity(Path(folder)), network="net", client="c1", pulse_interval=0.1,
        up=lambda node: say("up", node),
        down=lambda node, reason: say("down", node, reason),
        refused=lambda node, reason: say("refused", node, reason),
        posted=lambda *_: None,
    )
    await link.start()
    link.invite({{node: {PORT} for node in nodes}})
    while True:
        await asyncio.sleep(0.2)
        try:
            sent = bytes(300_000)
            answers = await asyncio.gather(
                link.request(nodes[0], "sink", d=sent, timeout=20), link.request(nodes[0], "echo", timeout=20)
            )
            say("answers", *answers)
        except LinkError as error:
            say("no answer:", error)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def client(lab: Lab) -> Running:
    """A client that has joined two nodes and talks to the first."""
    hosts = lab.nodes[:2]
    for host in hosts:
        # its standard input has to stay open, or the program ends
        command = f"tail -f /dev/null | {sys.executable} {NODE} {host.address} {PORT} {host.certs}"
        host.popen(["sh", "-c", command]).says(str(PORT))
    addresses = [host.address for host in hosts]
    client = lab.client.popen([sys.executable, "-c", CLIENT, str(lab.client.certs), *addresses])
    for address in addresses:
        client.says(f"up {address}")
    client.says("answers 300000 {}")
    return client


def goes_on(client: Running, more: int = 5) -> None:
    """Wait for further answers."""
    before = client.text().count("answers 300000 {}")
    wait_for(lambda: client.text().count("answers 300000 {}") >= before + more, "answers of the node")


def test_a_cable_is_pulled_and_put_back(lab: Lab, client: Running) -> None:
    node, other = lab.nodes[:2]
    for times in (1, 2):
        node.link_down()
        lost = f"down {node.address} nothing was heard of it for 0.5 s"
        wait_for(lambda: client.text().count(lost) == times, "the loss of the node")  # noqa: B023 - at once
        client.says("no answer: ")
        node.link_up()
        wait_for(lambda: client.text().count(f"up {node.address}") == times + 1, "the node")  # noqa: B023
        goes_on(client)
    assert f"down {other.address}" not in client.text()


def test_a_short_break_and_a_slow_line_lose_nobody(lab: Lab, client: Running) -> None:
    node = lab.nodes[0]
    node.drop(3)
    goes_on(client)
    node.undrop()
    node.slow("5mbit")
    goes_on(client)
    assert "down" not in client.text()
    assert "refused" not in client.text()
