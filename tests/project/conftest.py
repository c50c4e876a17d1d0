"""A project on disk to load networks from."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fission.core import base
from fission.core.network import Network, Problem
from fission.project.load import load_network
from fission.project.scaffold import start_network, start_project

Load = Callable[..., tuple[Network, tuple[Problem, ...]]]


@pytest.fixture(autouse=True)
def _clean_process() -> Iterator[None]:
    """Whatever a test imports from its project is gone afterwards; the registries are empty."""
    path, modules, bytecode = list(sys.path), set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # a file that is written twice in a second must be read twice
    base.reset()
    yield
    sys.path[:], sys.dont_write_bytecode = path, bytecode
    for name in set(sys.modules) - modules:
        if not name.startswith(("fission", "tests")):
            del sys.modules[name]
    base.reset()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the network `demo`."""
    root = start_project(tmp_path, "greenhouse")
    start_network(root, "demo")
    return root


JOBS = """
from fission.core.jobs import PythonJob

class SourceJob(PythonJob):
    def run(self):
        yield 1

class SinkJob(PythonJob):
    def run(self, value):
        print(value)
"""

CONFIG = """
from fission.core.pipes import PicklePipe
from demo.jobs.jobs import SourceJob, SinkJob

JOBS = [SourceJob(outputs=[PicklePipe(101)]), SinkJob(inputs=[PicklePipe(101)])]
"""


@pytest.fixture
def load(root: Path) -> Load:
    """Write the files of `demo` and load it; `more` is added to a config.py that is sound."""

    def load(
        more: str = "", *, config: str = CONFIG, jobs: str = JOBS
    ) -> tuple[Network, tuple[Problem, ...]]:
        (root / "demo/config.py").write_text(config + more)
        (root / "demo/jobs/jobs.py").write_text(jobs)
        return load_network(root, "demo")

    return load
