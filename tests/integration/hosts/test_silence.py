"""A TCP connection to a machine that is gone is given up in time; one to a receiver that does not read is not."""

import sys

import pytest

from lab import Lab

pytestmark = pytest.mark.long

PEER = """
import selectors, socket
connections = []
with socket.create_server(("0.0.0.0", 5000)) as server:
    print("listening", flush=True)
    for reads in (True, True, False):
        peer, _ = server.accept()
        if reads:
            connections.append(peer)
        else:
            keep = peer
    with selectors.DefaultSelector() as ready:
        for peer in connections:
            ready.register(peer, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                key.fileobj.recv(1 << 16)
"""

SENDER = """
import select, socket, sys, time
from fission.runtime.sockets.endpoints import Endpoint
from fission.runtime.sockets.transport import connect, unheard

def dial():
    sock = connect(Endpoint("tcp", "{address}", 5000))
    assert select.select([], [sock], [], 10)[1]
    return sock

busy, idle, full = dial(), dial(), dial()

def waits(sock):
    try:
        while True:
            sock.send(bytes(1 << 16))
    except BlockingIOError:
        pass

begin = time.monotonic()
while time.monotonic() < begin + 7:  # longer than a silence may last
    waits(full)
    busy.send(b"x")
    assert not any(map(unheard, (busy, idle, full)))
    time.sleep(0.1)
print("cut", flush=True)
poll = select.poll()
poll.register(idle, select.POLLIN)
lost = set()
begin = time.monotonic()
while len(lost) < 2:
    if "busy" not in lost:
        try:
            busy.send(b"x")
        except OSError:
            lost.add("busy")
        if unheard(busy):
            lost.add("busy")
            print("busy", flush=True)
    if "idle" not in lost and poll.poll(0):
        try:
            idle.recv(1)
        except OSError as error:
            lost.add("idle")
            print("idle", flush=True)
    time.sleep(0.05)
print("lost", time.monotonic() - begin, flush=True)
"""


def test_a_machine_that_is_gone_and_one_that_is_busy(lab: Lab) -> None:
    node, client = lab.nodes[0], lab.client
    node.popen([sys.executable, "-c", PEER]).says("listening")
    sender = client.popen([sys.executable, "-c", SENDER.replace("{address}", node.address)])
    sender.says("cut")
    node.link_down()
    sender.says("busy", 30)
    sender.says("idle", 30)
    assert sender.wait(30) == 0
