"""One problem in every format, and files that are wrong."""

import json
from pathlib import Path

import networkx
import pytest

from fission.plan import EmbeddingError, Problem, check, from_networkx, load, load_all, solve
from kits.planning import INSTANCES

GRAPH = networkx.DiGraph(name="roof", noise=2e-6)
GRAPH.add_node("A", kind="node", x=0.0, y=0.0, capacity=10.0)
GRAPH.add_node("B", kind="node", x=150.0, y=0.0, capacity=30.0, power=2.0)
GRAPH.add_node("microphone", kind="block", node="A")
GRAPH.add_node("filter", kind="block", demand=12.5)
GRAPH.add_node("speaker", kind="block", node="A", rate=3.0)
GRAPH.add_edge("microphone", "filter")
GRAPH.add_edge("filter", "speaker")

XML = """<network noise="2e-6">
  <node pi_id="A" x="0" y="0" capacity="10">
    <algorithm executable="./measure" name="microphone"><output pipe_id="1"/></algorithm>
    <algorithm executable="filter" demand="12.5" free="true"><input pipe_id="1"/><output pipe_id="2"/></algorithm>
    <algorithm executable="speaker" rate="3"><input pipe_id="2"/></algorithm>
  </node>
  <node pi_id="B" x="150" y="0" capacity="30" power="2"/>
</network>"""

WANTED = from_networkx(GRAPH)


def without_name(problem: Problem) -> tuple[object, ...]:
    return problem.nodes, problem.blocks, problem.links, problem.radio


def test_a_graph() -> None:
    assert (WANTED.name, WANTED.radio.noise) == ("roof", 2e-6)
    assert [node.name for node in WANTED.nodes] == ["A", "B"]
    assert WANTED.nodes[1].power == 2.0
    assert WANTED.blocks[0].node == "A"
    assert WANTED.links == (("microphone", "filter"), ("filter", "speaker"))
    plan = solve(WANTED)
    assert check(WANTED, plan) == []
    assert plan.placement["filter"] == "B"


@pytest.mark.parametrize("edges", ["links", "edges"])
def test_node_link(tmp_path: Path, edges: str) -> None:
    path = tmp_path / "roof.json"
    path.write_text(json.dumps(networkx.node_link_data(GRAPH, edges=edges)), encoding="utf-8")
    assert load(path) == WANTED


def test_graphml(tmp_path: Path) -> None:
    path = tmp_path / "roof.graphml"
    networkx.write_graphml(GRAPH, path)
    assert without_name(load(path)) == without_name(WANTED)


def test_xml(tmp_path: Path) -> None:
    path = tmp_path / "roof.xml"
    path.write_text(XML, encoding="utf-8")
    assert without_name(load(path)) == without_name(WANTED)


def write_marvelo(folder: Path) -> None:
    (folder / "param").mkdir()
    (folder / "sink_source_mapping.csv").write_text(
        "seed,nodes,sink_idx,source_idx\n10, 4, 2, 1\n11, 4, 2, 2\n"
    )
    (folder / "param" / "n410.csv").write_text(",Node,capacity\n0,A,30\n1,B,57\n2,C,36\n3,D,21\n")
    (folder / "param" / "pos410.csv").write_text(
        ";A;B;C;D\n"
        "0;19.2830160817;0.518798733985;15.8412058732;18.7200970635\n"
        "1;12.4626753076;5.61991613827;4.95157161899;19.013267805\n"
    )
    (folder / "param" / "b310.csv").write_text(
        ",srcapp,port,demand\n0,1,1,0.0\n1,2,1,0.415038987188\n2,3,1,0.0\n"
    )


def test_marvelos_files(tmp_path: Path) -> None:
    write_marvelo(tmp_path)
    (read,) = load_all(tmp_path)
    listed = load(INSTANCES, "n4b3s10")
    assert read == load(tmp_path, "n4b3s10")
    assert (read.blocks, read.links, read.name) == (listed.blocks, listed.links, listed.name)
    assert sorted(read.nodes, key=lambda node: node.name) == sorted(listed.nodes, key=lambda node: node.name)


def test_a_plan_as_a_graph() -> None:
    plan = solve(WANTED)
    graph = plan.to_networkx()
    assert graph.nodes["B"] == {"x": 150.0, "y": 0.0, "capacity": 30.0, "blocks": "filter"}
    assert sorted(data["block"] for _, _, data in graph.edges(data=True)) == ["filter", "microphone"]
    assert {data["slot"] for _, _, data in graph.edges(data=True)} == {1, 2}
    assert graph.graph == {"name": "roof", "slots": 2, "bound": 2}


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("x.xml", "<network", "x.xml: it is not valid XML"),
        ("x.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "x.xml: entities are not allowed"),
        ("x.xml", "<network><node/></network>", "x.xml, node, pi_id: it is missing; expected an attribute"),
        (
            "x.xml",
            XML.replace('x="150"', 'x="far"'),
            "x.xml, node B, x: it is wrong; expected a number, found 'far'",
        ),
        ("x.xml", XML.replace('<input pipe_id="2"/>', ""), "x.xml, pipe 2: it has one end only"),
        ("x.xml", XML.replace(' x="150"', ""), "x.xml, nodes[1].x: it is missing"),
        ("x.graphml", "<graphml", "x.graphml: it is no GraphML"),
        ("x.graphml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "x.graphml: entities are not allowed"),
        ("x.json", '{"directed": false, "nodes": [], "links": []}', "x.json, directed: the graph is not directed"),
        ("x.json", '{"directed": true, "nodes": [1], "links": []}', "x.json, nodes[0]: it is wrong; expected an object"),
        ("x.json", '{"directed": true, "nodes": [], "links": [{}]}', "x.json, links[0]: it is wrong"),
        ("x.json", '{"directed": true, "nodes": {}, "links": []}', "x.json, nodes: it is wrong; expected a list"),
        (
            "x.json",
            '{"directed": true, "nodes": [{"id": "a", "kind": "car"}], "links": []}',
            "x.json, vertex a, kind: it is wrong; expected node or block, found 'car'",
        ),
    ],
)  # fmt: skip
def test_wrong_files(tmp_path: Path, name: str, text: str, error: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EmbeddingError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{tmp_path}/{error}")


@pytest.mark.parametrize(
    ("file", "old", "new", "error"),
    [
        ("param/n410.csv", "57", "many", "n410.csv: it is wrong; expected a number, found 'many'"),
        ("param/n410.csv", "Node,", "", "n410.csv:1: it is wrong; expected the columns ,Node,capacity"),
        (
            "param/pos410.csv",
            "19.2830160817;",
            "",
            "pos410.csv: it is wrong; expected a header, and x and y of 4",
        ),
        ("param/b310.csv", "2,3,1,0.0\n", "", "b310.csv: it is wrong; expected 3 blocks, found 2"),
        (
            "sink_source_mapping.csv",
            "10, 4",
            "10, x",
            "mapping.csv: it is wrong; expected a whole number, found 'x'",
        ),
    ],
)
def test_wrong_files_of_marvelo(tmp_path: Path, file: str, old: str, new: str, error: str) -> None:
    write_marvelo(tmp_path)
    path = tmp_path / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(EmbeddingError) as caught:
        load(tmp_path, "n4b3s10")
    assert error in str(caught.value)


def test_a_folder_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"mapping\.csv: it cannot be read"):
        load(tmp_path)
