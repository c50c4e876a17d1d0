"""XML files become nodes and jobs; bad ones become one line."""

from pathlib import Path
from typing import Any

import pytest

from fission.core import base
from fission.core.pipes import BytesPipe
from fission.errors import ConfigError
from fission.loader import XMLLoader

from .conftest import Load

NETWORK = """<?xml version="1.0"?>
<network>
  <!-- the first one measures -->
  <node pi_id="192.168.4.2">
    <algorithm path="deps" executable="./measure">
      <parameter param="--rate 10"/>
      <parameter param="-v"/>
      <output pipe_id="1" block_size="10" block_count="5"/>
      <output pipe_id="2"/>
    </algorithm>
  </node>
  <node pi_id="192.168.4.3">
    <algorithm path="deps" executable="python3">
      <input pipe_id="1" block_size="10" block_count="5"/>
      <note>not for us</note>
    </algorithm>
    <algorithm executable="cat"><input pipe_id="2" block_count="3"/></algorithm>
  </node>
  <node pi_id="192.168.4.4"/>
</network>
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.xml"
    path.write_text(NETWORK)
    return path


def load(path: Path, text: str, **names: str) -> Any:
    path.write_text(text)
    return XMLLoader(**names).load(path)


def test_nodes_and_jobs(file: Path) -> None:
    nodes, jobs = XMLLoader().load(file)
    assert [node.ip for node in nodes] == ["192.168.4.2", "192.168.4.3", "192.168.4.4"]
    assert [[job.EXECUTABLE for job in node.jobs] for node in nodes] == [
        ["./measure"],
        ["python3", "cat"],
        [],
    ]
    assert [type(job).__name__ for job in jobs] == ["DynamicMARVELOJob"] * 3
    measure, average, cat = jobs
    assert measure.DEFAULT_NODE == "192.168.4.2"
    assert measure.GROUPS == "ALL"  # it moves when its node fails
    assert (measure.DEPENDENCIES, measure.EXECUTABLE) == ("deps", "./measure")
    assert measure.PARAMETERS == "--rate 10 -v"
    assert (average.PARAMETERS, average.HEAD) == ("", False)
    assert (average.INPUT_FLAG, average.OUTPUT_FLAG) == ("-i", "-o")
    assert cat.DEPENDENCIES is None
    assert cat.DEFAULT_NODE == "192.168.4.3"
    assert measure.outputs == [*average.inputs, *cat.inputs]
    assert [(p.BLOCK_SIZE, p.BLOCK_COUNT) for p in measure.outputs] == [(10, 5), (1, 3)]


def test_other_names(file: Path) -> None:
    text = """<n><pi address="10.0.0.1"><prog cmd="x" files="d"><opt value="1"/>
        <from id="4" bytes="2" blocks="3"/><to id="5"/></prog></pi></n>"""
    nodes, jobs = load(
        file,
        text,
        ip="address",
        executable="cmd",
        dependencies="files",
        input="from",
        output="to",
        pipe_id="id",
        parameter_tag="opt",
        parameter="value",
        block_size="bytes",
        block_count="blocks",
    )
    assert nodes[0].ip == "10.0.0.1"
    assert (jobs[0].EXECUTABLE, jobs[0].PARAMETERS, jobs[0].DEPENDENCIES) == ("x", "1", "d")
    assert [(p.id, p.BLOCK_SIZE, p.BLOCK_COUNT) for p in jobs[0].inputs + jobs[0].outputs] == [
        (4, 2, 3),
        (5, 1, 1),
    ]


def test_a_node_in_two_pieces(file: Path) -> None:
    nodes, jobs = load(
        file, '<n><a pi_id="h"><p executable="x"/></a><b pi_id="h"><p executable="y"/></b></n>'
    )
    assert [node.ip for node in nodes] == ["h"]
    assert nodes[0].jobs == jobs


def ends(*pipes: str) -> str:
    programs = "".join(f'<algorithm executable="x">{pipe}</algorithm>' for pipe in pipes)
    return f'<network><node pi_id="10.0.0.1">{programs}</node></network>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ends('<output pipe_id="1" block_size="2"/>', '<input pipe_id="1" block_size="3"/>'),
            "Multiple block sizes are set for pipe 1.",
        ),
        (
            ends('<output pipe_id="1" block_count="2"/>', '<input pipe_id="1" block_count="3"/>'),
            "Multiple block counts are set for pipe 1.",
        ),
        (
            ends('<output pipe_id="1"/>', '<output pipe_id="1"/>'),
            "Source of pipe 1 was defined multiple times.",
        ),
        (
            ends('<input pipe_id="1"/>', '<input pipe_id="1"/>'),
            "Destination of pipe 1 was defined multiple times.",
        ),
        (ends('<input pipe_id="one"/>'), "<input> has a wrong pipe_id; expected a whole number from 0 to"),
        (ends('<input pipe_id="9999999999999"/>'), "has a wrong pipe_id"),
        (
            ends('<input pipe_id="1" block_size="0"/>'),
            "<input> has a wrong block_size; expected a whole number from 1",
        ),
        (ends('<input pipe_id="1" block_count="-2"/>'), "found '-2'"),
        (ends('<input pipe_id="1" block_count=""/>'), "<input> has no block_count"),
        (ends('<input block_size="1"/>'), "x on node 10.0.0.1: <input> has no pipe_id; found block_size"),
        (ends("<parameter/>"), "<parameter> has no param; found no attribute"),
        (
            '<network><node ip="h"><a executable="x"/></node></network>',
            "<node> has no pi_id; found ip. XML_ARGS sets other names",
        ),
        (
            '<network><node pi_id="h"><a exe="x"/></node></network>',
            "node h: <a> has no executable; found exe",
        ),
        ("<network/>", "the file has no programs; expected <network><node><algorithm>"),
        ('<network><node pi_id="h"/></network>', "the file has no programs"),
        ("", "it is not valid XML: no element found"),
        ("<network>", "it is not valid XML: no element found: line 1"),
        ("\0", "it is not valid XML"),
        ('<?xml version="1.0" encoding="walrus"?><network/>', "it is not valid XML"),
    ],
)
def test_bad_files(file: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(file, text)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not base.JOBS
    assert not base.PIPES
    assert not base.NODES


LAUGHS = '<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "declared",
    [
        LAUGHS,
        '<!ENTITY i SYSTEM "SECRET">',
        '<!ENTITY % p SYSTEM "SECRET"> %p;',
        '<!ENTITY i PUBLIC "x" "http://127.0.0.1:9/">',
    ],
)
def test_entity_tricks_do_not_work(file: Path, tmp_path: Path, declared: str) -> None:
    (tmp_path / "secret").write_text("open sesame")
    declared = declared.replace("SECRET", f"file://{tmp_path}/secret")
    with pytest.raises(ConfigError, match="entities are not allowed") as caught:
        load(file, f'<!DOCTYPE network [{declared}]><network><node pi_id="h">&i;</node></network>')
    assert "sesame" not in str(caught.value)


def test_a_document_type_alone_is_fine_and_not_fetched(file: Path) -> None:
    text = NETWORK.replace("<network>", '<!DOCTYPE network SYSTEM "http://127.0.0.1:9/x.dtd"><network>')
    assert len(load(file, text)[1]) == 3


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.xml", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="there is no such file"):
            XMLLoader().load(path)


# -- from config.py ------------------------------------------------------------------------------------------


def test_a_network_of_xml_alone(load: Load, root: Path) -> None:
    (root / "demo/network.xml").write_text(NETWORK)
    network, problems = load(config="XML_FILE = 'network.xml'\nNODES = []\n")
    assert problems == ()
    assert [job.name for job in network.jobs] == [f"DynamicMARVELOJob {n}" for n in (1, 2, 3)]
    assert [node.ip for node in network.nodes] == ["192.168.4.2", "192.168.4.3", "192.168.4.4"]
    assert [(edge.source, edge.destination) for edge in network.edges] == [(1, 2), (1, 3)]


PART = """
from fission.core.nodes import BaseNode, MultiNode
from fission.core.pipes import BytesPipe
from demo.jobs.jobs import SinkJob
NODES = [BaseNode("10.0.0.1", "FAST"), MultiNode("10.0.1.*")]
XML_ARGS = {"ip": "at"}
XML_FILE = "part.xml"

class Number(BytesPipe):
    BLOCK_SIZE = 4
JOBS = [SinkJob(inputs=[Number(7)])]
"""


def test_a_part_of_a_network(load: Load, root: Path) -> None:
    (root / "part.xml").write_text(
        '<n><m at="10.0.0.1"><p executable="x"><output pipe_id="7" block_size="4"/></p></m>'
        '<m at="10.0.1.5"/><m at="10.0.2.1"/></n>'
    )
    network, problems = load(config=PART)
    assert problems == ()
    assert [job.name for job in network.jobs] == ["SinkJob 1", "DynamicMARVELOJob 2"]
    assert [type(edge.pipe).__name__ for edge in network.edges] == ["Number"]
    assert [node.ip for node in network.nodes] == ["10.0.0.1", "10.0.1.*", "10.0.2.1"]
    assert network.nodes[0].groups == ("ALL", "FAST")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ends('<output pipe_id="7" block_size="5"/>').replace("pi_id", "at"),
            "Multiple block sizes are set for pipe 7.",
        ),
        (None, "there is no file "),
        ("<", "part.xml: it is not valid XML"),
    ],
)
def test_problems_of_an_xml_file(load: Load, root: Path, text: str | None, message: str) -> None:
    if text is not None:
        (root / "demo/part.xml").write_text(text)
    _, problems = load(config=PART)
    problem = next(problem for problem in problems if problem.id == "E007")
    assert problem.where == "demo/config.py:7, XML_FILE"
    assert message in problem.message


def test_a_pipe_that_is_taken(load: Load, root: Path) -> None:
    (root / "part.xml").write_text(ends('<output pipe_id="8" block_size="5"/>').replace("pi_id", "at"))
    _, problems = load("JOBS = []\nNumber(8)", config=PART)
    assert [(p.id, "pipe 8: the id is taken" in p.message) for p in problems if p.id == "E007"] == [
        ("E007", True)
    ]


def test_no_jobs_at_all(load: Load) -> None:
    assert [p.id for p in load(config="XML_FILE = None")[1]] == ["E004"]
    assert [p.id for p in load(config="JOBS = 3\nXML_FILE = 'x.xml'")[1]] == ["E004", "E007"]


def test_pipes_that_are_known_are_used(file: Path) -> None:
    pipe = BytesPipe(1, 10, 5)
    _, jobs = XMLLoader().load(file, {1: pipe})
    assert jobs[0].outputs[0] is pipe
