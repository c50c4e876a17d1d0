"""graphviz, graph and show."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from fission.errors import RunError
from fission.management.commands.network import graph
from kits.command_line import CONFIG, Run

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
CHART = 'graph LR\n  subgraph network\n    1("SourceJob 1")\n    2("SinkJob 2")\n  end\n  1 -->|101| 2\n'


@needs_dot
@pytest.mark.parametrize("command", [("manage.py", "demo", "graphviz"), ("fission", "graph", "demo")])
def test_a_pdf_in_the_networks_folder(root: Path, run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Drew demo into {root}/demo/network.pdf\n"
    assert (root / "demo/network.pdf").read_bytes().startswith(b"%PDF")


@needs_dot
@pytest.mark.parametrize(("name", "magic"), [("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG"), ("a.pdf", b"%PDF")])
def test_a_picture_where_and_as_wanted(root: Path, run: Run, name: str, magic: bytes) -> None:
    assert run("fission", "graph", "demo", "-o", name).code == 0
    assert (root / name).read_bytes().startswith(magic)


@needs_dot
def test_a_format_of_ones_own_choice(root: Path, run: Run) -> None:
    assert run("fission", "graph", "demo", "--format", "svg").out.endswith("demo/network.svg\n")
    assert run("fission", "graph", "demo", "--format", "svg", "-o", "picture").code == 0
    assert (root / "picture").read_bytes().startswith(b"<?xml")


def test_text_needs_no_graphviz(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    result = run("fission", "graph", "demo", "--format", "mermaid")
    assert (result.code, result.out) == (0, CHART)
    assert run("fission", "graph", "demo", "-f", "dot").out.startswith('digraph "demo" {')


@pytest.mark.parametrize("name", ["chart.mmd", "chart.md", "chart.gv", "chart.dot"])
def test_text_into_a_file(root: Path, run: Run, name: str) -> None:
    assert run("fission", "graph", "demo", "-o", name).out == f"Drew demo into {name}\n"
    text = (root / name).read_text()
    fenced = {".md": f"```mermaid\n{CHART}```\n", ".mmd": CHART}.get(Path(name).suffix)
    assert text == fenced if fenced else text.startswith("digraph")


def test_an_incomplete_network_is_drawn_with_a_warning(root: Path, run: Run) -> None:
    (root / "demo/config.py").write_text(CONFIG + "JOBS[1].inputs.append(PicklePipe(7))")
    result = run("fission", "graph", "demo", "-f", "mermaid")
    assert (result.code, result.out) == (0, CHART)
    assert result.err == "warning: 2 errors: fission check demo\n"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("-f", "walrus"), "walrus: unknown format; expected one of pdf, svg, png, dot, mermaid"),
        (("-o", "a.bmp"), "bmp: unknown format"),
        (("-o", "picture"), "picture: unknown format"),
        (("-o", "no/where.mmd"), "no/where.mmd: the picture cannot be written: No such file or directory"),
        (("-o", "demo/jobs.mmd"), "demo/jobs.mmd: the picture cannot be written: Is a directory"),
    ],
)
def test_mistakes(root: Path, run: Run, options: tuple[str, ...], text: str) -> None:
    (root / "demo/jobs.mmd").mkdir()
    result = run("fission", "graph", "demo", *options)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {text}")


@pytest.mark.parametrize("verb", ["graph", "show"])
def test_without_graphviz(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setenv("PATH", "")
    result = run("fission", verb, "demo")
    assert result.code == 2
    assert "sudo apt install graphviz" in result.last
    assert not list((root / "demo").glob("network.*"))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing in it but what a test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "dot", "/bin/cat >/dev/null; printf picture")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return folder


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_show_without_a_display(root: Path, run: Run, programs: Path) -> None:
    result = run("manage.py", "demo", "show")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"There is no display. The picture is {root}/demo/network.png\n"
    assert (root / "demo/network.png").read_text() == "picture"


@pytest.mark.parametrize(
    ("platform", "opener", "display"),
    [("linux", "xdg-open", "DISPLAY"), ("linux", "xdg-open", "WAYLAND_DISPLAY"), ("darwin", "open", "")],
)
def test_show_with_a_display(
    root: Path,
    run: Run,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    opener: str,
    display: str,
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    if display:
        monkeypatch.setenv(display, ":0")
    program(programs / opener, f'echo "$1" > {root}/opened')
    result = run("fission", "show", "demo")
    assert (result.code, result.out) == (0, f"Opened {root}/demo/network.png\n")
    assert (root / "opened").read_text() == f"{root}/demo/network.png\n"


def test_show_where_no_window_opens(
    root: Path, run: Run, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    program(programs / "xdg-open", "exit 3")
    result = run("fission", "show", "demo")
    assert result.code == 0
    assert "could not open a window" in result.out
    assert os.access(root / "demo/network.png", os.R_OK)


# -- while it runs -------------------------------------------------------------------------------------------


def running(monkeypatch: pytest.MonkeyPatch, *nodes: str) -> None:
    """A client that runs the network answers: job n is on the n-th of these nodes."""
    view = {
        "nodes": [{"address": "10.0.0.1", "name": "kitchen"}, {"address": "10.0.0.2", "name": ""}],
        "jobs": [{"id": number, "node": node} for number, node in enumerate(nodes, start=1)],
    }
    monkeypatch.setattr(graph, "ask", lambda _root, _name, **_request: {"network": view})


def test_jobs_stand_in_their_nodes(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    running(monkeypatch, "10.0.0.1", "client")
    assert run("fission", "graph", "demo", "-f", "mermaid").out == (
        'graph LR\n  subgraph node_1["10.0.0.1 (kitchen)"]\n    1("SourceJob 1")\n  end\n'
        '  subgraph node_2["client"]\n    2("SinkJob 2")\n  end\n  1 -->|101| 2\n'
    )


def test_jobs_that_wait_for_a_node(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    running(monkeypatch, "10.0.0.2", "")
    text = run("fission", "graph", "demo", "-f", "dot").out
    assert 'label="10.0.0.2";' in text
    assert 'label="on no node";' in text
    if shutil.which("dot"):
        assert run("fission", "show", "demo").code == 0


def test_a_client_that_does_not_answer(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_args: object, **_request: object) -> None:
        raise RunError("the client does not answer")

    monkeypatch.setattr(graph, "ask", ask)
    assert run("fission", "graph", "demo", "-f", "mermaid").out == CHART
