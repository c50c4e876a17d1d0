"""Networks as text for other programs."""

import io
import json
from pathlib import Path
from typing import Any

import networkx
import pytest

from fission.core import base
from fission.core.jobs import DynamicExecutableJob, DynamicMARVELOJob, ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.nodes import BaseNode, MultiNode
from fission.core.pipes import BytesPipe, OptionalPicklePipe, PicklePipe
from fission.errors import ProjectError
from fission.project.formats.export import to_graphml, to_json, to_xml
from fission.project.formats.xml import XMLLoader

from .test_xml import NETWORK


class Five(PicklePipe):
    BLOCK_COUNT = 5


@pytest.fixture
def network() -> Network:
    first, back = Five(101), OptionalPicklePipe(102)
    jobs = [
        SourceJob(outputs=[first], name='a "quoted" <name> & ünïcode'),
        ForwardingJob(inputs=[first], outputs=[back]),
        DynamicExecutableJob("source", "./x", ["-a", 1], groups=["FAST", "ALL"], inputs=[back]),
    ]
    nodes = [BaseNode("10.0.0.1", "FAST", name="kitchen", max_jobs=2), MultiNode("10.0.1.*")]
    network, problems = Network.build("demo", jobs, nodes)
    assert not problems
    return network


def test_json(network: Network) -> None:
    told = json.loads(to_json(network))
    assert told["network"] == "demo"
    assert told["jobs"][0] == {
        "id": 1,
        "name": 'a "quoted" <name> & ünïcode',
        "class": "fission.core.jobs.library.SourceJob",
        "groups": ["ALL"],
        "default_node": None,
        "head": False,
        "inputs": [],
        "outputs": [101],
    }
    assert told["jobs"][2]["executable"] == "./x"
    assert told["jobs"][2]["parameters"] == ["-a", "1"]
    assert told["jobs"][2]["dependencies"] == ["source"]
    assert told["jobs"][2]["groups"] == ["FAST", "ALL"]
    first, back = told["pipes"]
    assert (first["source"], first["destination"], first["block_count"]) == (1, 2, 5)
    assert (first["block_size"], first["asynchronous"], back["asynchronous"]) == ("pickle", False, True)
    assert [node["address"] for node in told["nodes"]] == ["10.0.0.1", "10.0.1.*"]
    assert told["nodes"][0]["groups"] == ["ALL", "FAST"]
    assert told["nodes"][0]["max_jobs"] == 2


def test_graphml_is_what_networkx_reads(network: Network) -> None:
    graph = networkx.read_graphml(io.BytesIO(to_graphml(network).encode()), force_multigraph=True)
    assert graph.is_directed()
    assert sorted(graph.nodes) == ["1", "2", "3"]
    assert graph.nodes["1"]["name"] == 'a "quoted" <name> & ünïcode'
    assert graph.nodes["3"]["groups"] == "FAST ALL"
    assert [(a, b, data["id"], data["asynchronous"]) for a, b, data in graph.edges(data=True)] == [
        ("1", "2", 101, False),
        ("2", "3", 102, True),
    ]


def test_two_pipes_between_the_same_jobs_are_two_edges() -> None:
    pipes = [PicklePipe(1), PicklePipe(2)]
    network, _ = Network.build("demo", [SourceJob(outputs=pipes), ForwardingJob(inputs=pipes)])
    graph = networkx.read_graphml(io.BytesIO(to_graphml(network).encode()), force_multigraph=True)
    assert graph.number_of_edges("1", "2") == 2


def image(network: Network) -> list[Any]:
    """What is in a network of programs, without the jobs' ids."""
    return [
        [node.ip for node in network.nodes],
        [
            (
                job.DEFAULT_NODE,
                job.EXECUTABLE,  # type: ignore[attr-defined]
                job.PARAMETERS,  # type: ignore[attr-defined]
                job.DEPENDENCIES,
                [(p.id, p.BLOCK_SIZE, p.BLOCK_COUNT) for p in job.inputs],
                [(p.id, p.BLOCK_SIZE, p.BLOCK_COUNT) for p in job.outputs],
            )
            for job in network.jobs
        ],
    ]


def load(path: Path) -> Network:
    base.reset()
    nodes, jobs = XMLLoader().load(path)
    network, problems = Network.build("demo", jobs, nodes)
    assert not problems
    return network


def test_xml_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "first.xml").write_text(NETWORK)
    first = load(tmp_path / "first.xml")
    (tmp_path / "second.xml").write_text(to_xml(first))
    second = load(tmp_path / "second.xml")
    assert image(second) == image(first)
    assert to_xml(second) == (tmp_path / "second.xml").read_text()


def test_parameters_that_need_quotes_and_signs_that_xml_uses(tmp_path: Path) -> None:
    job = DynamicMARVELOJob(None, "a<b", ["x y", '"&'], outputs=[BytesPipe(1, 4)])
    sink = DynamicMARVELOJob(["dep"], "cat", inputs=[BytesPipe(1, 4)])
    job.DEFAULT_NODE = sink.DEFAULT_NODE = "h"
    network, _ = Network.build("demo", [job, sink])
    (tmp_path / "n.xml").write_text(to_xml(network))
    first, second = load(tmp_path / "n.xml").jobs
    assert (first.EXECUTABLE, first.PARAMETERS) == ("a<b", "'x y' '\"&'")  # type: ignore[attr-defined]
    assert second.DEPENDENCIES == "dep"


def test_what_xml_cannot_say_is_named(network: Network) -> None:
    program = DynamicMARVELOJob(None, "x", inputs=[BytesPipe(7, 1)])
    headed = DynamicMARVELOJob([json, "d"], "x", head=True, outputs=[BytesPipe(7, 1)])
    flagged = DynamicMARVELOJob(None, "x", input_flag="--in")
    many = DynamicMARVELOJob([json, "d"], "x")
    for job in (headed, flagged, many):
        job.DEFAULT_NODE = "h"
    mixed, _ = Network.build("demo", [*network.jobs, program, headed, flagged, many])
    with pytest.raises(ProjectError) as caught:
        to_xml(mixed)
    text = str(caught.value)
    for part in (
        "ForwardingJob 2 is not a MARVELO job",
        "DynamicExecutableJob 3 is not a MARVELO job",
        "DynamicMARVELOJob 4 has no DEFAULT_NODE",
        "DynamicMARVELOJob 5 has heads",
        "DynamicMARVELOJob 6 has other flags",
        "DynamicMARVELOJob 7 depends on more than a folder",
        "pipe 101 has blocks of variable length",
        "--format json",
    ):
        assert part in text
