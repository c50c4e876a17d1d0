"""`place`: what would happen, from NODES alone."""

from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from fission.core import base
from fission.core.jobs import LocalJob, PythonJob
from fission.core.network import Network
from fission.core.nodes import BaseNode, LocalNode, MultiNode, NodeInfo
from fission.management.commands.network.place import (
    ASSUMED_SLOTS,
    assumed_nodes,
    place_network,
    render_placement,
)
from fission.placement import Links, NodeState, propose


class Job(PythonJob):
    """Runs anywhere."""


class Local(LocalJob, PythonJob):
    """Runs on the client."""


class Picky(PythonJob):
    """Runs on one node only."""

    GROUPS = ()
    DEFAULT_NODE = "192.168.4.77"


class Impossible(PythonJob):
    """Runs nowhere."""

    GROUPS = "gpu[bold]"


@pytest.fixture(autouse=True)
def _empty_registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


Build = Callable[..., Network]


@pytest.fixture
def network() -> Build:
    def build(*kinds: type[PythonJob], nodes: tuple[BaseNode, ...] = ()) -> Network:
        return Network.build("net", [kind() for kind in kinds], nodes)[0]

    return build


def test_every_job_and_node_is_shown(network: Build, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = (BaseNode("10.0.0.2", "ears", name="left", max_jobs=3), BaseNode("10.0.0.3"), LocalNode())
    assert place_network(network(Job, Local, nodes=nodes)) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["10.0.0.2", "left", "ears", "3", "0"] in lines
    assert ["10.0.0.3", str(ASSUMED_SLOTS), "*", "1"] in lines
    assert ["client", "LOCAL", "-", "1"] in lines
    assert ["Job", "1", "10.0.0.3", "best", "score", "in", "ALL", "(400.0)"] in lines
    assert ["Local", "2", "client", "runs", "on", "the", "client"] in lines


def test_a_pattern_is_one_node_and_one_for_each_default_node_it_matches(network: Build) -> None:
    entries = (MultiNode("192.168.4.*", "pis"), MultiNode("192.168.5.*", max_jobs=1))
    nodes = {node.address: node for node in assumed_nodes(network(Picky, Job, nodes=entries))}
    assert list(nodes) == ["192.168.4.77", "192.168.4.*", "192.168.5.*"]
    assert nodes["192.168.4.77"].groups == nodes["192.168.4.*"].groups == {"pis"}
    assert nodes["192.168.5.*"].slots == 1


def test_a_pattern_says_that_it_is_one(network: Build, capsys: pytest.CaptureFixture[str]) -> None:
    assert place_network(network(Picky, nodes=(MultiNode("192.168.4.*"),))) == 0
    out = capsys.readouterr().out
    assert "192.168.4.* (one node *)" in out
    assert "default node" in out


def test_a_job_without_a_node_is_named_and_the_exit_code_is_2(
    network: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place_network(network(Job, Impossible, Picky, nodes=(BaseNode("10.0.0.2"),))) == 2
    out, err = capsys.readouterr()
    assert "no node: not in group: 10.0.0.2" in out
    assert "no node for 2 of 3 jobs: job 'Impossible 2' (GROUPS = 'gpu[bold]')" in err
    assert err.count("\n") == 1


def test_explain_shows_every_node_for_every_job(network: Build, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = (BaseNode("10.0.0.2", max_jobs=1), BaseNode("192.168.4.77", max_jobs=0))
    assert place_network(network(Job, Picky, nodes=nodes), explain=True) == 2
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["10.0.0.2", "chosen", "ALL", "100", "100", "100", "1", "of", "1", "100.0"] in lines
    assert ["192.168.4.77", "full", "ALL", "0", "of", "0"] in lines
    assert ["10.0.0.2", "not", "the", "default", "node", "0", "of", "1"] in lines


def test_a_placement_at_run_time_is_drawn_the_same_way(network: Build) -> None:
    info = NodeInfo(cpu=50.0, memory=0, disk=0, swap=0.0)
    nodes = [NodeState("10.0.0.2", info), NodeState("10.0.0.3", info)]
    placement = propose(network(Job, Job), nodes, Links(), fixed={2: "10.0.0.2"})
    console = Console(width=100)
    with console.capture() as captured:
        console.print(render_placement(placement, explain=True))
    text = captured.get()
    assert "stays where it is" in text
    assert "possible" not in text
    assert "full" in text


def test_nodes_of_a_running_network(network: Build, capsys: pytest.CaptureFixture[str]) -> None:
    node = {"cpu": 50.0, "memory": 1, "disk": 1, "swap": 0.0, "groups": [], "name": "", "slots": 3}
    view = {
        "jobs": [{"node": "10.0.0.2"}, {"node": "client"}],
        "nodes": [
            {**node, "address": "10.0.0.2", "taken": 3, "state": "up"},
            {**node, "address": "10.0.0.3", "taken": 0, "state": "lost"},
        ],
    }
    assert place_network(network(Job, nodes=(BaseNode("10.0.0.9"),)), live=view) == 0
    out = capsys.readouterr().out
    assert "Nodes as they are now" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["10.0.0.2", "3", "1"] in lines
    assert ["Job", "1", "10.0.0.2", "best", "score", "in", "ALL", "(83.3)"] in lines
