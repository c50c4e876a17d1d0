"""Many chains of jobs: a source and nine jobs that count on the nodes, a CSV sink at the client."""

import sys
from pathlib import Path
from typing import NamedTuple

from fission.project.scaffold import start_project
from lab import Lab

NAME = "chains"
LENGTH = 10
"""Jobs of a chain that run on nodes."""

_JOBS = """\
import os
import time

from fission.core.jobs import PythonJob


class Source(PythonJob):
    GROUPS = "ALL"

    def __init__(self, rest, outputs):
        super().__init__([], outputs)
        self.rest = rest
        self.count = 0

    def run(self):
        if not self.repeating:
            time.sleep(0.2)
        while os.path.exists(self.rest):
            time.sleep(0.1)
        self.count += 1
        return ((self.count, (os.getpid(),)),)

    def snapshot(self):
        return self.count

    def restore(self, state):
        self.count = state


class Count(PythonJob):
    GROUPS = "ALL"

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.count = 0

    def run(self, block):
        value, pids = block
        self.count += 1
        return ((value + self.count, (*pids, os.getpid())),)
"""

_CONFIG = """\
import time

from fission.core.jobs import CSVSinkJob
from fission.core.nodes import BaseNode
from fission.core.pipes import PicklePipe

from {name}.jobs.jobs import Count, Source


class Sink(CSVSinkJob):
    def run(self, block):
        value, pids = block
        super().run(" ".join(map(str, (value, time.monotonic(), *pids))))


def chain(first):
    pipes = [PicklePipe(first + number) for number in range({length})]
    return [
        Source({rest!r}, [pipes[0]]),
        *(Count([before], [after]) for before, after in zip(pipes, pipes[1:])),
        Sink("out.csv", [pipes[-1]]),
    ]


JOBS = [job for number in range({count}) for job in chain(1 + {length} * number)]
NODES = [BaseNode(address, max_jobs={slots}) for address in {addresses!r}]
CERTS = {certs!r}
"""


class Row(NamedTuple):
    """A row of a sink: a value, when it arrived, and the processes that made it."""

    value: int
    arrived: float
    pids: tuple[int, ...]


class Chains:
    """The network's project, for a lab."""

    def __init__(self, lab: Lab, count: int, slots: int) -> None:
        self.count = count
        self.root = start_project(lab.folder, "project")
        self.rest = lab.folder / "rest"
        """While this file exists, the sources make no blocks."""
        self._network = self.root / NAME
        jobs = self._network / "jobs"
        jobs.mkdir(parents=True)
        for package in (self._network, jobs):
            (package / "__init__.py").touch()
        (jobs / "jobs.py").write_text(_JOBS, encoding="utf-8")
        config = _CONFIG.format(
            name=NAME,
            length=LENGTH,
            rest=str(self.rest),
            count=count,
            slots=slots,
            addresses=[node.address for node in lab.nodes],
            certs=str(lab.certs),
        )
        (self._network / "config.py").write_text(config, encoding="utf-8")

    def command(self) -> list[str]:
        """The command that runs it."""
        fission = Path(sys.executable).with_name("fission")
        return [str(fission), "run", NAME, "--project", str(self.root)]

    def rows(self) -> list[list[Row]]:
        """What each sink has written so far."""
        files = (
            self._network / "local" / str((LENGTH + 1) * (number + 1)) / "out.csv"
            for number in range(self.count)
        )
        return [rows_of(file.read_text()) if file.exists() else [] for file in files]


def rows_of(text: str) -> list[Row]:
    """Read whole lines of a sink's file."""
    rows = []
    for line in text.splitlines(keepends=True)[1:]:
        if line.endswith("\n"):
            value, arrived, *pids = line.strip().strip('"').split()
            rows.append(Row(int(value), float(arrived), tuple(map(int, pids))))
    return rows


def mistakes(chains: list[list[Row]]) -> str:
    """Describe what was lost, doubled or mixed up; "" if nothing. The n-th row is n, and n of each job that counts."""
    for number, rows in enumerate(chains, 1):
        for place, row in enumerate(rows, 1):
            if row.value != place * LENGTH:
                return f"chain {number}, row {place}: expected {place * LENGTH}, found {row.value}"
    return ""


def back(chains: list[list[Row]], dead: set[int], struck: float) -> list[float]:
    """Seconds from `struck` to the first row that no dead process has touched, of each chain that had one.

    inf where there is none yet.
    """
    gaps = []
    for rows in chains:
        if any(dead.intersection(row.pids) for row in rows):
            after = [row.arrived for row in rows if row.arrived > struck and not dead.intersection(row.pids)]
            gaps.append(after[0] - struck if after else float("inf"))
    return gaps
