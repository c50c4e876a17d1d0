"""`nodes`: the nodes of a running network, with origin and jobs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from api.networks import sums

from fission import run
from fission.management.commands.cluster import status
from fission.management.commands.cluster.nodes import nodes_command, with_jobs
from fission.monitor import JobView, NetworkView, NodeView

UP = NodeView("10.0.0.2:40123", "lab1", "up", "", ("ALL", "MICS"), 4, 2, 90.0, 1 << 30, 0, origin="dask")
LOST = NodeView("10.0.0.3:41000", "", "lost", "the connection was closed", (), 0, 0, 0.0, 0, 0, origin="dask")


def job(name: str, node: str, state: str = "running") -> JobView:
    return JobView(1, name, state, node, 1, 5, 0.1)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> "Answer":
    return Answer(monkeypatch, capsys, tmp_path)


class Answer:
    """What the command prints when the client of the network answers with these nodes and jobs."""

    def __init__(self, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str], folder: Path) -> None:
        self._patch, self._captured, self._folder = patch, captured, folder

    def __call__(self, nodes: Sequence[NodeView], jobs: Sequence[JobView], *, as_json: bool = False) -> str:
        view = NetworkView("demo", "r1", "running", 5.0, 1, tuple(nodes), tuple(jobs), ())
        self._patch.setattr(status, "ask", lambda *_arguments, **_request: {"network": asdict(view)})
        assert nodes_command(self._folder, "demo", as_json=as_json) == 0
        return self._captured.readouterr().out


def test_the_table(answer: Answer) -> None:
    jobs = [job("a 1", UP.address), job("b 2", "", "waits for a node"), job("c 3", UP.address)]
    jobs += [job("d 4", "client"), job("e 5", "", "finished")]
    lines = [line.rstrip() for line in answer([UP, LOST], jobs).splitlines()]
    assert lines[0] == "demo: running, 5 s, epoch 1"
    table = [line.split() for line in lines[3:6]]
    assert table[0] == ["node", "from", "state", "taken", "cpu", "memory", "groups", "jobs"]
    first = "10.0.0.2:40123 (lab1) dask up 2 of 4 90 % 1.0 GB MICS a 1, c 3"
    assert " ".join(table[1]) == first
    assert table[2] == ["10.0.0.3:41000", "dask", "lost", "-"]
    assert lines[6:] == ["", "10.0.0.3:41000: the connection was closed", "without a node: b 2"]


def test_a_network_without_nodes(answer: Answer) -> None:
    text = answer([], [job("b 2", "", "waits for a node")])
    assert text.splitlines()[2:] == ["It has no nodes.", "", "without a node: b 2"]


def test_json(answer: Answer) -> None:
    plain = json.loads(answer([UP, LOST], [job("a 1", UP.address)], as_json=True))
    assert plain["network"] == "demo"
    assert [(node["address"], node["origin"], node["jobs"]) for node in plain["nodes"]] == [
        (UP.address, "dask", ["a 1"]),
        (LOST.address, "dask", []),
    ]


def test_jobs_of_a_node() -> None:
    network = {"jobs": [{"name": "a", "node": "1"}, {"name": "b", "node": "2"}, {"name": "c", "node": "1"}]}
    assert with_jobs({"address": "1"}, network) == {"address": "1", "jobs": ["a", "c"]}
    assert with_jobs({"address": "3"}, network)["jobs"] == []


def test_the_origin_is_told() -> None:
    with run(sums(10**9), embedded=1, quiet=True) as handle:
        view = json.loads(json.dumps(handle.status().plain()))
    assert [node["origin"] for node in view["nodes"]] == ["embedded"]
