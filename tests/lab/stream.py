"""A small network for fault tests: a source that can be replayed, a job with state, and a sink at the client.

Block n of the source is n; the work job adds up all numbers so far; the sink writes a row per block, with the
time of its arrival. The rows of an undisturbed run are known, so every lost, duplicated or reordered block shows.
"""

import itertools
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fission.project.scaffold import start_project
from lab.bed import Lab
from lab.host import Host, Running
from lab.shell import LabError, wait_for

NAME = "stream"
SOURCE, WORK, SINK = 1, 2, 3

_JOBS = """\
import os
import time

from fission.core.jobs import CSVSinkJob, PythonJob

FINISH = {finish}


class Source(PythonJob):
    GROUPS = "head"

    def __init__(self, blocks, rate, outputs):
        super().__init__([], outputs)
        self.blocks, self.interval = blocks, 1 / rate if rate else 0
        self.count = 0

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.due = time.monotonic()

    def run(self):
        if self.count == self.blocks or self.stopped:
            with open(FINISH + "ed", "w") as file:
                file.write(str(self.count))
            return None
        if self.interval and not self.repeating:
            self.due = max(self.due + self.interval, time.monotonic() - 1)
            time.sleep(max(0, self.due - time.monotonic()))
        self.count += 1
        return ((self.count, os.getpid()),)  # one block, not one per output

    @property
    def stopped(self):
        return self.interval and not self.repeating and os.path.exists(FINISH)

    def snapshot(self):
        return self.count

    def restore(self, state):
        self.count = state


class Work(PythonJob):
    GROUPS = "work"

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.total = 0

    def run(self, block):
        number, source = block
        self.total += number
        return f"{number} {self.total} {source} {os.getpid()}"


class Sink(CSVSinkJob):
    def run(self, block):
        super().run(f"{block} {os.getpid()} {time.monotonic():.6f}")
"""

_CONFIG = """\
from fission.core.nodes import BaseNode
from fission.core.pipes import PicklePipe

from {name}.jobs.jobs import Sink, Source, Work


JOBS = [
    Source({blocks}, {rate}, [PicklePipe(1)]),
    Work([PicklePipe(1)], [PicklePipe(2)]),
    Sink("out.csv", [PicklePipe(2)]),
]
NODES = [
{nodes}
]
{settings}
"""


@dataclass(frozen=True)
class Row:
    """A row of the sink: a number of the source, the sum up to it, and when it arrived (CLOCK_MONOTONIC).

    `pids` are the processes of source, work and sink that produced this row.
    """

    number: int
    total: int
    pids: tuple[int, int, int]
    arrived: float

    def pid_of(self, job: int) -> int:
        """The process of SOURCE, WORK or SINK that produced this row."""
        return self.pids[job - 1]


class Stream:
    """The project of the network. The groups `head` (source) and `work` select the nodes."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[tuple[str, tuple[str, ...]]],
        *,
        blocks: int,
        rate: float,
        settings: str = "",
    ) -> None:
        self.blocks = blocks
        self.root = start_project(folder, "project")
        self.network = self.root / NAME
        (self.network / "jobs").mkdir(parents=True)
        for package in (self.network, self.network / "jobs"):
            (package / "__init__.py").touch()
        self._finish = folder / "finish"
        jobs = _JOBS.replace("{finish}", repr(os.fspath(self._finish.absolute())))
        (self.network / "jobs" / "jobs.py").write_text(jobs, encoding="utf-8")
        lines = "\n".join(
            f"    BaseNode({', '.join(map(repr, (address, *groups)))})," for address, groups in nodes
        )
        config = _CONFIG.format(name=NAME, blocks=blocks, rate=rate, nodes=lines, settings=settings)
        (self.network / "config.py").write_text(config, encoding="utf-8")

    @classmethod
    def in_lab(cls, lab: Lab, *, blocks: int, rate: float, settings: str = "") -> "Stream":
        """A stream for four nodes: n1 and n4 may run the source, n2, n3 and n4 the work."""
        groups = (("head",), ("work",), ("work",), ("head", "work"))
        nodes = [(node.address, which) for node, which in zip(lab.nodes, groups, strict=True)]
        settings = f'CERTS = "{lab.certs}"\n{settings}'
        return cls(lab.folder, nodes, blocks=blocks, rate=rate, settings=settings)

    def command(self, verb: str, *options: str) -> list[str]:
        """The command line of a verb for this network."""
        fission = Path(sys.executable).with_name("fission")
        return [str(fission), verb, NAME, "--project", str(self.root), *options]

    def start(self, host: Host, *options: str) -> Running:
        """Start `run` on a host."""
        return host.popen(self.command("run", *options))

    def finish(self) -> None:
        """End a paced source after its current block, whatever it has left."""
        self._finish.touch()

    @property
    def sent(self) -> int:
        """The number of blocks that the source has made; it is known when the source has ended."""
        return int(self._finish.with_name("finished").read_text(encoding="utf-8"))

    def rows(self) -> list[Row]:
        """The complete rows that the sink has written so far."""
        try:
            text = (self.network / "local" / str(SINK) / "out.csv").read_text()
        except FileNotFoundError:
            return []
        rows = []
        for line in text.splitlines()[1:]:
            with suppress(ValueError):  # half of a line
                *counts, arrived = line.strip('"').split()
                number, total, source, work, sink = map(int, counts)
                rows.append(Row(number, total, (source, work, sink), float(arrived)))
        return rows

    def await_rows(self, count: int, client: Running, deadline: float = 60) -> None:
        """Wait until the sink has written `count` rows."""

        def there() -> bool:
            if len(self.rows()) >= count:
                return True
            if not client.running:
                raise AssertionError(
                    f"run ended with code {client.code} before row {count}:\n{client.tail()}"
                )
            return False

        try:
            wait_for(there, f"row {count} of the sink", deadline)
        except LabError as error:
            raise LabError(f"{error}; it has {len(self.rows())}\n{client.tail()}") from None

    def await_more(self, client: Running, count: int = 20, deadline: float = 30) -> None:
        """Wait until the sink has written `count` more rows."""
        self.await_rows(min(len(self.rows()) + count, self.blocks), client, deadline)

    def mistakes(self) -> str:
        """Describe the first lost, duplicated, reordered or wrong row; "" if there is none."""
        expected = zip(itertools.count(1), itertools.accumulate(itertools.count(1)), strict=False)
        for place, (row, (number, total)) in enumerate(zip(self.rows(), expected, strict=False), 1):
            if (row.number, row.total) != (number, total):
                return f"row {place}: expected {number} {total}, found {row.number} {row.total}"
        return ""


def job_processes(host: Host, network: str = NAME) -> dict[int, int]:
    """Map the id of each job of a network on a host to the id of its youngest process."""
    return jobs_among(host.pids(), network)


def jobs_among(pids: Iterable[int], network: str = NAME) -> dict[int, int]:
    """Do the same among any processes. The working directory identifies a job."""
    found: dict[int, tuple[int, int]] = {}
    for pid in pids:
        with suppress(OSError, ValueError):
            folder = Path(os.readlink(f"/proc/{pid}/cwd"))
            if folder.parent.name in (network, "local") and folder.name.isdigit():
                age = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
                found[int(folder.name)] = max(found.get(int(folder.name), (0, 0)), (age, pid))
    return {job: pid for job, (_, pid) in found.items()}
