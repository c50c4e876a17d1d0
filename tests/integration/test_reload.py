"""Hot reload of a running network: every block once, by the old code or the new one, and a broken version changes nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fission import load, run
from fission.core import base
from fission.errors import RunError
from fission.project.scaffold import start_network, start_project
from kits.waiting import DEADLINE, wait_for

JOBS = """
from fission.core.jobs import PythonJob
from net.tools.scale import scale

class Count(PythonJob):
    number = 0
    def run(self):
        self.pace(hz=200)
        self.number += 1
        return self.number
    def snapshot(self):
        return self.number
    def restore(self, number):
        self.number = number

class Work(PythonJob):
    total = 0
    def run(self, number):
        self.total += number
        return f"{number} {self.total} {scale(1)}"

class Other(PythonJob):
    def run(self, text):
        return text
"""
SCALE = "def scale(x):\n    return {factor} * x\n"
CONFIG = """
from fission.core.jobs import CSVSinkJob
from fission.core.pipes import PicklePipe
from net.jobs.source import Count, Work
from net.jobs.other import Other

JOBS = [
    Count(outputs=[PicklePipe(1)]),
    Work(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
    Other(inputs=[PicklePipe(2)], outputs=[PicklePipe(3)]),
    CSVSinkJob("out.csv", inputs=[PicklePipe(3)]),
]
"""


class Project:
    """A network that runs embedded in the background of this process, and its files."""

    def __init__(self, folder: Path) -> None:
        self.root = start_project(folder, "garden")
        self.network = start_network(self.root, "net")
        (self.network / "tools").mkdir()
        (self.network / "tools/__init__.py").touch()
        source, _, other = JOBS.partition("class Other")
        self.write("jobs/source.py", source)
        self.write("jobs/other.py", "from fission.core.jobs import PythonJob\n\nclass Other" + other)
        self.write("config.py", CONFIG)
        self.scale(1)

    def write(self, path: str, text: str) -> None:
        (self.network / path).write_text(text)

    def scale(self, factor: int) -> None:
        self.write("tools/scale.py", SCALE.format(factor=factor))

    def rows(self) -> list[list[int]]:
        """The rows of the sink: number, sum so far, factor of the version that has computed it."""
        lines = (self.network / "local/4/out.csv").read_text().splitlines()[1:]
        return [[int(word) for word in line.split()] for line in lines if line.count(" ") == 2]

    def await_factor(self, factor: int) -> None:
        wait_for(lambda: (rows := self.rows()) and rows[-1][2] == factor, f"rows with factor {factor}")

    def reload(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(Path(sys.executable).with_name("fission")), "reload", "net", *words],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    base.reset()
    before = list(sys.path)
    yield Project(tmp_path)
    sys.path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == "net"]:
        del sys.modules[name]
    base.reset()


def check(project: Project, versions: list[int]) -> None:
    """Every number once, every sum right, and each version took over for good."""
    rows = project.rows()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert [row[1] for row in rows] == [n * (n + 1) // 2 for n in range(1, len(rows) + 1)]
    factors = [row[2] for row in rows]
    assert list(dict.fromkeys(factors)) == versions
    assert factors == sorted(factors, key=versions.index)


def starts(handle: object) -> dict[str, int]:
    return {job.name: job.incarnation for job in handle.status().jobs}  # type: ignore[attr-defined]


def test_only_the_jobs_that_use_a_changed_file_are_restarted(project: Project) -> None:
    with run(project.network, embedded=2, quiet=True) as handle:
        project.await_factor(1)
        nothing = project.reload()
        assert (nothing.returncode, nothing.stdout) == (0, "nothing has changed\n"), nothing.stderr
        project.scale(2)
        other = project.reload("Other 3")
        assert other.stdout == "nothing that Other 3 uses has changed\n"
        done = project.reload()
        assert done.returncode == 0, done.stderr
        assert "Work 2: runs the new code on 127.0.0." in done.stdout
        assert starts(handle) == {"Count 1": 2, "Work 2": 2, "Other 3": 1, "CSVSinkJob 4": 1}
        project.await_factor(2)
        node = next(job.node for job in handle.status().jobs if job.name == "Work 2")
        os.kill(handle.processes()[node]["pid"], signal.SIGKILL)
        wait_for(lambda: starts(handle)["Work 2"] == 3, "the job has moved")
        size = len(project.rows())
        wait_for(lambda: len(project.rows()) > size + 50, "rows go on")
    check(project, [1, 2])  # the failover has used the new code


BROKEN: dict[str, tuple[Callable[[Project], None], int, str]] = {
    "syntax": (lambda project: project.write("tools/scale.py", "def scale(:\n"), 2, "net/tools/scale.py:1"),
    "graph": (
        lambda project: project.write("config.py", CONFIG.replace("PicklePipe(3)", "PicklePipe(4)")),
        2,
        "only code can be reloaded while the network runs",
    ),
    "first round": (
        lambda project: project.write("tools/scale.py", "def scale(x):\n    return x.nothing\n"),
        1,
        "the new code has failed, and the old one goes on: job Work 2 failed in round",
    ),
    "state": (
        lambda project: project.write(
            "jobs/source.py",
            JOBS.partition("class Other")[0].replace(
                "        self.total += number", "        self.total += number + self.other"
            ),
        ),
        1,
        "has no attribute 'other'",
    ),
}


@pytest.mark.parametrize(
    "kind",
    ["syntax", "first round", *(pytest.param(one, marks=pytest.mark.long) for one in ("graph", "state"))],
)
def test_a_broken_version_leaves_the_old_one_running(project: Project, kind: str) -> None:
    breaks, code, text = BROKEN[kind]
    with run(project.network, embedded=1, quiet=True) as handle:
        project.await_factor(1)
        breaks(project)
        failed = project.reload()
        assert failed.returncode == code, failed.stdout + failed.stderr
        assert text in failed.stderr
        size = len(project.rows())
        wait_for(lambda: len(project.rows()) > size + 50, "rows go on")
        assert handle.running
    check(project, [1])


@pytest.mark.long
def test_a_node_dies_in_the_middle_of_a_reload(project: Project) -> None:
    with run(project.network, embedded=3, quiet=True) as handle:
        project.await_factor(1)
        slow = "import time\ntime.sleep(1)\n" + SCALE.format(factor=3)
        project.write("tools/scale.py", slow)
        with subprocess.Popen(
            [str(Path(sys.executable).with_name("fission")), "reload", "net"],
            cwd=project.root,
            stdout=subprocess.PIPE,
            text=True,
        ) as reloading:
            wait_for(lambda: starts(handle)["Work 2"] == 2 or starts(handle)["Count 1"] == 2, "a restart")
            node = next(job.node for job in handle.status().jobs if job.name == "Work 2")
            if node:
                os.kill(handle.processes()[node]["pid"], signal.SIGKILL)
            out, _ = reloading.communicate(timeout=DEADLINE)
        assert reloading.returncode == 0, out
        project.await_factor(3)
    check(project, [1, 3])


@pytest.mark.long
def test_from_a_program(project: Project) -> None:
    with run(load(project.network), embedded=1, pipes=[2], quiet=True) as handle:
        blocks = handle.pipe(2)
        assert [text.split()[0] for text in blocks.take(50)] == [str(n) for n in range(1, 51)]
        project.scale(5)
        blocks.close()
        assert any("Work 2: runs the new code" in line for line in handle.reload())
        project.await_factor(5)
        project.write("tools/scale.py", "def scale(x):\n    return x.nothing\n")
        with pytest.raises(RunError, match="the old one goes on"):
            handle.reload()
    check(project, [1, 5])
