"""The disk of nodes is full while a network runs: the stream goes on, a lost job is continued, and checkpoints come again."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import psutil
import pytest

from kits.disks import fill, small_disk
from kits.waiting import wait_for

from .conftest import Project

FIRST, SECOND = "127.0.0.41", "127.0.0.42"
SIZE = 100 << 20
"""Bytes of the disk of both nodes: a node wants 64 MiB to spare for a network's files."""

_LISTENS = r"listens on \S+ port (\d+)"

JOBS = """
class Numbers(PythonJob):
    GROUPS = "FIRST"

    def __init__(self, **pipes):
        super().__init__(**pipes)
        self.count = 0

    def run(self):
        self.pace(hz=100)
        self.count += 1
        return self.count

    def snapshot(self):
        return self.count

    def restore(self, count):
        self.count = count


class Sum(PythonJob):
    GROUPS = "SECOND"

    def __init__(self, **pipes):
        super().__init__(**pipes)
        self.sum = 0

    def run(self, number):
        self.sum += number
        print("sum", self.sum)
        return self.sum
"""
CONFIG = """
SECURITY = "off"
NODE_PORT = {port}
NODES = [BaseNode("{first}", "FIRST"), BaseNode("{second}", "SECOND")]
JOBS = [
    Numbers(outputs=[PicklePipe(1)]),
    Sum(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
    CSVSinkJob("out.csv", inputs=[PicklePipe(2)]),
]
"""


@dataclass
class Node:
    """A node service; its output goes to `out`, on another disk."""

    process: "subprocess.Popen[bytes]"
    root: Path
    out: Path

    @property
    def lines(self) -> list[str]:
        return self.out.read_text().splitlines()

    def port(self) -> int:
        """Wait until it listens; return the port of clients."""
        wait_for(lambda: re.search(_LISTENS, self.out.read_text()), "the node listens")
        return int(re.findall(_LISTENS, self.out.read_text())[0])


def start_node(address: str, port: int, disk: Path, out: Path) -> Node:
    root = disk / address
    options = ["--address", address, "--port", str(port), "--root", str(root), "--security", "off"]
    with out.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "fission.node", *options],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    return Node(process, root, out)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", SIZE) as place:
        yield place


@pytest.fixture
def nodes(tmp_path: Path, disk: Path) -> Iterator[list[Node]]:
    """Two node services on one small disk."""
    started = [start_node(FIRST, 0, disk, tmp_path / "first.txt")]
    try:
        started.append(start_node(SECOND, started[0].port(), disk, tmp_path / "second.txt"))
        started[1].port()
        yield started
    finally:
        for node in started:
            for process in [*psutil.Process(node.process.pid).children(recursive=True), node.process]:
                process.kill()
            node.process.wait()


def sums(project: Project) -> list[int]:
    file = project.root / "net" / "local" / "3" / "out.csv"
    return [int(line) for line in file.read_text().split("\n")[1:-1]] if file.exists() else []


def start(project: Project, nodes: list[Node], out: Path) -> "subprocess.Popen[str]":
    project.write(JOBS, CONFIG.format(port=nodes[0].port(), first=FIRST, second=SECOND))
    with out.open("w") as file:
        run = subprocess.Popen(
            project.command("run"), stdout=file, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
    project.running.append(run)
    return run


def process_of(node: Node, job: str) -> psutil.Process:
    found: list[psutil.Process] = []

    def there() -> bool:
        children = psutil.Process(node.process.pid).children(recursive=True)
        found[:] = [one for one in children if f"fission: job {job}" in " ".join(one.cmdline())]
        return bool(found)

    wait_for(there, f"the process of job {job}")
    return found[0]


def complaints(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if "No space left" in line]


def newest_state(node: Node, job: int) -> int:
    """The time of the newest checkpoint of a job."""
    return max(
        (one.stat().st_mtime_ns for one in (node.root / "net" / ".state" / str(job)).glob("*.state")),
        default=0,
    )


def test_a_stream_outlives_the_full_disk_of_its_nodes(
    project: Project, disk: Path, nodes: list[Node], tmp_path: Path
) -> None:
    out = tmp_path / "client.txt"
    run = start(project, nodes, out)
    wait_for(lambda: len(sums(project)) > 200 and newest_state(nodes[1], 2), "rows and a checkpoint")
    filling = fill(disk)
    before = len(sums(project))
    wait_for(lambda: len(sums(project)) > before + 300, "the stream goes on")
    wait_for(lambda: complaints(out), "the client is told")
    process_of(nodes[1], "Sum").kill()
    before = len(sums(project))
    wait_for(lambda: len(sums(project)) > before + 100, "the job goes on from its last checkpoint")
    full = newest_state(nodes[1], 2)
    filling.unlink()
    wait_for(lambda: newest_state(nodes[1], 2) > full, "checkpoints are written again")
    process_of(nodes[1], "Sum").kill()
    before = len(sums(project))
    wait_for(lambda: len(sums(project)) > before + 100, "the job goes on from its new checkpoint")
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 0, out.read_text()[-2000:]
    found = sums(project)
    assert found == list(accumulate(range(1, len(found) + 1)))
    for path in (out, *(node.out for node in nodes)):
        assert len(complaints(path)) <= 10, complaints(path)
        assert all(len(line) < 500 for line in complaints(path))
        assert "Traceback" not in path.read_text()
        assert "a bug" not in path.read_text()


def test_a_network_does_not_start_on_a_full_disk(
    project: Project, disk: Path, nodes: list[Node], tmp_path: Path
) -> None:
    filling = fill(disk)
    out = tmp_path / "client.txt"
    run = start(project, nodes, out)
    assert run.wait(60) == 1
    last = out.read_text().strip().splitlines()[-1]
    assert last.startswith("error: job "), last
    assert "could not be started on 127.0.0.4" in last
    assert "the files of a network cannot be kept: No space left on device" in last
    for path in (out, *(node.out for node in nodes)):
        assert len(complaints(path)) <= 20, complaints(path)  # both jobs on their node, with all restarts
        assert "Traceback" not in path.read_text()
        assert "a bug" not in path.read_text()
    filling.unlink()
    run = start(project, nodes, out)
    wait_for(lambda: len(sums(project)) > 100, "the network runs when there is room")
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 0, out.read_text()[-2000:]
