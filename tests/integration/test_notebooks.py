"""The notebooks of the examples, executed from the first cell to the last; the live view of a network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kits.waiting import DEADLINE

NOTEBOOKS = Path(__file__).parents[2] / "examples/notebooks"
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
_ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

# a process of its own: pytest makes errors of the warnings that the libraries of notebooks emit
_EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=100, resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[3])
"""


def execute(notebook: Path, folder: Path) -> list[str]:
    """Execute a notebook in a folder; return the outputs of each cell of code, as JSON."""
    done = folder / "done.ipynb"
    result = subprocess.run(
        [sys.executable, "-c", _EXECUTE, str(notebook), str(folder), str(done)],
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    cells = json.loads(done.read_text())["cells"]
    return [json.dumps(cell["outputs"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; no network of a project `lab` in it runs when the test is over."""
    yield tmp_path
    subprocess.run(
        ["fission", "stop", "counter", "--project", "lab"],
        cwd=tmp_path,
        env=_ENVIRONMENT,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )


def test_the_notebooks_are_these() -> None:
    assert NAMES == ["a_node_that_dies.ipynb", "first_network.ipynb", "two_voices.ipynb"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_in_git_has_no_outputs(name: str) -> None:
    for cell in json.loads((NOTEBOOKS / name).read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_first_network(folder: Path) -> None:
    outputs = execute(NOTEBOOKS / "first_network.ipynb", folder)
    assert "[[0], [3], [6], [9], [12]]" in outputs[0]
    assert "image/svg+xml" in outputs[2]
    assert "[0, 5, 10" in outputs[-1]


def test_two_voices(folder: Path) -> None:
    outputs = execute(NOTEBOOKS / "two_voices.ipynb", folder)
    assert "48.0 dB after separation" in outputs[3]
    assert "audio" in outputs[-1]


def test_a_node_that_dies(folder: Path) -> None:
    outputs = execute(NOTEBOOKS / "a_node_that_dies.ipynb", folder)
    live = outputs[2]  # as the last update left it
    assert "<svg" in live
    assert "it has ended" in live
    assert "<td>SourceJob 1</td><td>" in live
    assert "none lost and none repeated" in outputs[-1]


def test_a_view_without_a_network(folder: Path) -> None:
    source = """
from pathlib import Path
from fission.notebook import watch, status
from fission.project.scaffold import start_network, start_project
start_network(start_project(Path(), "lab"), "demo")
for call in (watch, status):
    for project in ("lab", Path("lab"), "nowhere"):
        try:
            call("demo", project=project)
        except Exception as error:
            print(type(error).__name__, error)
for interval in (0, float("nan")):
    try:
        watch("demo", project="lab", interval=interval)
    except Exception as error:
        print(type(error).__name__, error)
"""
    notebook = folder / "errors.ipynb"
    cell = {
        "cell_type": "code",
        "id": "one",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source,
    }
    notebook.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    [output] = execute(notebook, folder)
    assert output.count("RunError network demo: it does not run. Start it: fission run demo") == 4
    assert output.count("ProjectError --project nowhere: there is no such folder") == 2
    assert output.count("UserError the interval must be positive; expected seconds, found ") == 2
