"""The notebooks of the examples, executed from the first cell to the last; the live view of a network."""

import json
import os
import subprocess
import sys
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


def written(folder: Path, *cells: str) -> Path:
    """Write a notebook with these cells."""
    notebook = folder / "written.ipynb"
    common = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    made = [{**common, "id": f"cell-{index}", "source": source} for index, source in enumerate(cells)]
    notebook.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return notebook


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    return tmp_path


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
    assert "image/svg+xml" in outputs[1]
    assert "[1, 4, 7, 10" in outputs[2]
    assert "image/svg+xml" in outputs[4]
    assert "[0, 5, 10" in outputs[-1]


def test_two_voices(folder: Path) -> None:
    outputs = execute(NOTEBOOKS / "two_voices.ipynb", folder)
    assert "48.0 dB after separation" in outputs[3]
    assert "audio" in outputs[-1]


def test_a_node_that_dies(folder: Path) -> None:
    outputs = execute(NOTEBOOKS / "a_node_that_dies.ipynb", folder)
    live = outputs[1]  # as the last update left it
    assert "<svg" in live
    assert "it has ended" in live
    assert "<td>Sum 2</td><td>" in live
    assert "none lost and none repeated" in outputs[-2]


def test_a_cell_that_is_run_again_with_another_class(folder: Path) -> None:
    cell = """
from fission import ArrayPipe, Network, PicklePipe, PythonJob, run, simulate
import numpy as np

class Source(PythonJob):
    def run(self):
        yield from (np.full(SIZE, n, "f8") for n in range(3))

class Scale(PythonJob):
    def run(self, block):
        return FACTOR * block

class Result:
    def __init__(self, value):
        self.value = value

class Wrap(PythonJob):
    def run(self, block):
        return Result(block.tolist())

network = Network("again", [
    Source(outputs=[ArrayPipe(1, "f8", (SIZE,))]),
    Scale(inputs=[ArrayPipe(1, "f8", (SIZE,))], outputs=[ArrayPipe(2, "f8", (SIZE,))]),
    Wrap(inputs=[ArrayPipe(2, "f8", (SIZE,))], outputs=[PicklePipe(3)]),
])
with WAY as handle:
    print([result.value for result in handle.pipe(3)])
"""
    first = cell.replace("SIZE", "1").replace("FACTOR", "10").replace("WAY", "simulate(network)")
    second = cell.replace("SIZE", "2").replace("FACTOR", "5").replace("WAY", "run(network, embedded=1)")
    outputs = execute(written(folder, first, second), folder)
    assert "[[0.0], [10.0], [20.0]]" in outputs[0]
    assert "[[0.0, 0.0], [5.0, 5.0], [10.0, 10.0]]" in outputs[1]


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
    [output] = execute(written(folder, source), folder)
    assert output.count("RunError network demo: it does not run. Start it: fission run demo") == 4
    assert output.count("ProjectError --project nowhere: there is no such folder") == 2
    assert output.count("UserError the interval must be positive; expected seconds, found ") == 2
