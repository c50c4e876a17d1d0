"""A project whose network counts slowly on nodes, and writes what it has counted on the client."""

from pathlib import Path

from fission.project.scaffold import start_network, start_project

COUNTING = 1500
_JOBS = """
from time import sleep

from fission.core.jobs import PythonJob


class Count(PythonJob):
    def __init__(self, **pipes):
        super().__init__(**pipes)
        self.number = 0

    def run(self):
        while self.number < {last}:
            self.number += 1
            if not self.repeating:
                sleep(0.02)
            yield self.number

    def snapshot(self):
        return self.number

    def restore(self, state):
        self.number = state


class Double(PythonJob):
    def run(self, number):
        return 2 * number
"""
_CONFIG = """
from fission.core.jobs import CSVSinkJob
from fission.core.nodes import BaseNode
from fission.core.pipes import PicklePipe

from counting.jobs.jobs import Count, Double

CERTS = {certs!r}
NODES = [BaseNode(address) for address in {addresses!r}]
JOBS = [
    Count(outputs=[PicklePipe(1)]),
    Double(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
    CSVSinkJob("rows.csv", inputs=[PicklePipe(2)]),
]
"""


def counting_project(folder: Path, addresses: list[str], certs: Path, last: int = COUNTING) -> Path:
    """Make the project; return its folder. The network is `counting`, and counts to `last`."""
    root = start_project(folder, "garden")
    network = start_network(root, "counting")
    (network / "jobs/jobs.py").write_text(_JOBS.format(last=last), encoding="utf-8")
    (network / "config.py").write_text(
        _CONFIG.format(certs=str(certs), addresses=addresses), encoding="utf-8"
    )
    return root
