"""Networks as DOT, as Mermaid, and drawn."""

import shutil
import subprocess
from typing import Any
from xml.etree import ElementTree

import pytest

from fission.core.jobs import CSVSinkJob, ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.pipes import OptionalPicklePipe, PicklePipe
from fission.errors import ProjectError
from fission.project.formats.picture import Activity, render, to_dot, to_mermaid
from fission.project.loaded import LoadedNetwork

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


class FivePipe(PicklePipe):
    BLOCK_COUNT = 5


@pytest.fixture
def network() -> Network:
    first, back, out = FivePipe(101), OptionalPicklePipe(102), PicklePipe(103)
    jobs = [
        SourceJob(outputs=[first], name='a "quoted" <name> & \\ more'),
        ForwardingJob(inputs=[first, back], outputs=[out, back]),
        CSVSinkJob("out.csv", inputs=[out]),
    ]
    jobs[1].outputs = [out]
    jobs.append(SourceJob(outputs=[back]))
    network, problems = Network.build("demo", jobs)
    assert not problems
    return network


def test_mermaid(network: Network) -> None:
    assert to_mermaid(network) == (
        "graph LR\n"
        "  subgraph network\n"
        '    1("a &quot;quoted&quot; &lt;name&gt; &amp; \\ more")\n'
        '    2("ForwardingJob 2")\n'
        '    4("SourceJob 4")\n'
        "  end\n"
        "  subgraph locals\n"
        '    3("CSVSinkJob 3")\n'
        "  end\n"
        "  1 -->|101 x5| 2\n"
        "  4 -.->|102| 2\n"
        "  2 -->|103| 3\n"
    )


def test_dot(network: Network) -> None:
    text = to_dot(network)
    assert r'1 [label="a \"quoted\" <name> & \\ more"];' in text
    assert '1 -> 2 [label="101 x5"];' in text
    assert '4 -> 2 [label="102", style=dashed];' in text
    assert text.index("cluster_locals") < text.index("3 [label") < text.index("1 -> 2")


def test_a_network_without_local_jobs_has_no_such_cluster() -> None:
    network, _ = Network.build("demo", [SourceJob()])
    assert "locals" not in to_dot(network)
    assert "locals" not in to_mermaid(network)
    assert to_mermaid(Network.build("demo", [])[0]) == "graph LR\n"


@needs_dot
@pytest.mark.parametrize(("form", "magic"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_drawn(network: Network, form: str, magic: bytes) -> None:
    assert render(network, form).startswith(magic)


@needs_dot
def test_dot_says_what_it_cannot_do(network: Network) -> None:
    with pytest.raises(ProjectError, match="network demo: dot cannot draw it; found Format"):
        render(network, "walrus")


def test_without_graphviz(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProjectError, match=r"dot of Graphviz.*is not installed.*--format mermaid"):
        render(network, "pdf")


def test_when_dot_fails_without_a_word(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_more: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 1, b"", b"")

    monkeypatch.setattr("shutil.which", lambda _name: "dot")
    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(ProjectError, match=r"dot cannot draw it$"):
        render(network, "pdf")


def test_a_broken_block_count_is_drawn_as_it_is() -> None:
    class Odd(PicklePipe):
        BLOCK_COUNT = "many"  # type: ignore[assignment]

    pipe = Odd(1)
    network, _ = Network.build("demo", [SourceJob(outputs=[pipe]), ForwardingJob(inputs=[pipe])])
    assert "|1 xmany|" in to_mermaid(network)


# -- in notebooks --------------------------------------------------------------------------------------------


@needs_dot
def test_a_notebook_shows_a_picture() -> None:
    network, _ = LoadedNetwork.build("demo", [SourceJob(outputs=[PicklePipe(1)])])
    picture = network._repr_svg_()  # type: ignore[attr-defined]
    assert picture is not None
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert "SourceJob 1" in picture


def test_a_notebook_shows_text_without_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    network, _ = LoadedNetwork.build("demo", [SourceJob(outputs=[PicklePipe(1)])])
    assert network._repr_svg_() is None  # type: ignore[attr-defined]


def test_a_running_network_has_colors_and_rates(network: Network) -> None:
    text = to_dot(network, {1: "10.0.0.2"}, Activity({1: "running", 2: "failed", 3: "placed"}, {101: 1234.4}))
    assert r'1 [label="a \"quoted\" <name> & \\ more", fillcolor="#d5f0d8"];' in text
    assert '2 [label="ForwardingJob 2", fillcolor="#f6c6c6"];' in text
    assert '3 [label="CSVSinkJob 3", fillcolor="#fdf0c4"];' in text
    assert r'1 -> 2 [label="101 x5\n1,234/s"];' in text
    assert '4 -> 2 [label="102", style=dashed];' in text


@needs_dot
def test_a_running_network_is_drawn(network: Network) -> None:
    picture = ElementTree.fromstring(render(network, "svg", {}, Activity({1: "running"}, {101: 7.0})))
    assert "7/s" in [element.text for element in picture.iter() if element.text]
