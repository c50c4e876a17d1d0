"""Lags between hosts whose clocks have nothing in common, and while a wall clock is wrong."""

import json
import subprocess

import pytest

from lab import Host, Lab, Stream, wait_for

pytestmark = pytest.mark.long

AHEAD = 90_000


def has_time_namespaces() -> bool:
    """Whether a process may have a monotonic clock of its own."""
    probe = ["unshare", "--time", "--monotonic", "1", "--fork", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def start_node(host: Host, seconds: int) -> None:
    """Start the node service of a host whose monotonic clock is ahead by some seconds."""
    host.launch_node(slots=2, clock=seconds)
    host.await_node()


def test_lags_between_machines_are_short_whatever_their_clocks_show(lab: Lab) -> None:
    if not has_time_namespaces():
        pytest.skip("this kernel has no time namespaces")
    places = [(lab.nodes[0].address, ("head",)), (lab.nodes[1].address, ("work",))]
    stream = Stream(lab.folder, places, blocks=1_000_000, rate=100, settings=f'CERTS = "{lab.certs}"')
    start_node(lab.nodes[0], AHEAD)
    start_node(lab.nodes[1], -100)
    client = stream.start(lab.client)
    stream.await_rows(50, client)

    def lags() -> list[float]:
        view = json.loads(lab.client.run(stream.command("status", "--json")).out.read_text())
        return [pipe["lag"] for pipe in view["pipes"]]

    wait_for(lambda: all(lag > 0 for lag in lags()), "the clocks are compared", 30)
    assert max(lags()) < 60
    stream.finish()
    assert client.wait(60) == 0, client.tail()
