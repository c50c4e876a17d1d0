"""A disk that is full: what does not need it goes on and says so once; what needs it ends with one clear line."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fission.project.scaffold import start_project
from kits.disks import fill, small_disk
from kits.waiting import wait_for

from .conftest import Project

SIZE = 96 << 20  # nodes want some room to spare before they take files

JOBS = """
class Ticks(PythonJob):
    def __init__(self, **pipes):
        super().__init__(**pipes)
        self.count = 0

    def run(self):
        self.pace(hz=100)
        self.count += 1
        return self.count


class Talk(PythonJob):
    def run(self, number):
        print("said", number)
"""
CONFIG = """
JOBS = [Ticks(outputs=[PicklePipe(1)]), Talk(inputs=[PicklePipe(1)])]
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    with small_disk(tmp_path / "disk", SIZE) as place:
        yield place


@pytest.fixture
def small(disk: Path) -> Iterator[Project]:
    """A project on the small disk."""
    project = Project(start_project(disk, "project"))
    project.write(JOBS, CONFIG)
    yield project
    for process in project.running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start(project: Project, out: Path, *command: str, **env: str) -> "subprocess.Popen[str]":
    with out.open("w") as file:
        process = subprocess.Popen(
            project.command(*command),
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=os.environ | env,
        )
    project.running.append(process)
    return process


def said(out: Path) -> int:
    numbers = [line.rsplit(" ", 1)[1] for line in out.read_text().splitlines() if "| said " in line]
    return max(map(int, numbers), default=0)


@pytest.mark.parametrize("command", [("simulate",), ("run", "--embedded", "2")])
def test_a_stream_that_needs_no_disk_goes_on(
    small: Project, disk: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    out = tmp_path / "out.txt"
    process = start(small, out, *command)
    wait_for(lambda: said(out) > 50, "the stream runs")
    filling = fill(disk)
    before = said(out)
    wait_for(lambda: said(out) > before + 300, "the stream goes on")
    text = out.read_text()
    complaints = [line for line in text.splitlines() if "No space left" in line]
    assert 1 <= len(complaints) <= 2, complaints  # one for each of the two logs
    assert all(len(line) < 300 for line in complaints)
    assert "Traceback" not in text
    assert "bug in fission" not in text
    filling.unlink()
    logs = [*small.root.rglob("*.log"), *small.root.rglob("log.jsonl")]
    sizes = [log.stat().st_size for log in logs]
    assert len(logs) == 2, logs
    wait_for(
        lambda: all(log.stat().st_size > old for log, old in zip(logs, sizes, strict=True)), "the logs go on"
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, out.read_text()[-2000:]


def test_nodes_go_on_with_a_full_disk(project: Project, disk: Path, tmp_path: Path) -> None:
    """The disk of the nodes is full, not that of the client: states cannot be stored there, and are stored at the client."""
    project.write(JOBS, CONFIG)
    out = tmp_path / "out.txt"
    process = start(project, out, "run", "--embedded", "2", TMPDIR=str(disk))
    wait_for(lambda: said(out) > 50, "the stream runs")
    assert any(disk.iterdir()), "the nodes have their files there"
    fill(disk)
    before = said(out)
    wait_for(lambda: said(out) > before + 300, "the stream goes on")
    text = out.read_text()
    assert len([line for line in text.splitlines() if "No space left" in line]) < 10, [
        line for line in text.splitlines() if "No space left" in line
    ][:12]
    assert "bug in fission" not in text
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, out.read_text()[-2000:]
    assert sorted(one.name for one in disk.iterdir()) == ["filling"]


@pytest.mark.parametrize("command", [("simulate",), ("run", "--embedded", "2")])
def test_a_sink_that_needs_the_disk_ends_the_network(
    small: Project, disk: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    small.write(JOBS, CONFIG.replace("Talk(inputs", 'CSVSinkJob("out.csv", inputs') + "\nMAX_RESTARTS = 1\n")
    out = tmp_path / "out.txt"
    process = start(small, out, *command)
    wait_for(lambda: any(one.stat().st_size > 100 for one in small.root.rglob("out.csv")), "rows")
    fill(disk)
    assert process.wait(60) == 1
    text = out.read_text()
    assert "bug in fission" not in text
    last = text.strip().splitlines()[-1]
    assert "out.csv" in text
    assert "No space left on device" in last, text[-2000:]
    (rows,) = small.root.rglob("out.csv")
    assert rows.read_text().splitlines()[1:] == [str(n) for n in range(1, rows.read_text().count("\n"))]
    assert len(text) < 20_000


def test_commands_write_completely_or_not_at_all(small: Project, disk: Path) -> None:
    commands = {"net.json": ("export", "-o"), "net.dot": ("graph", "-o")}
    for name, (verb, option) in commands.items():
        done = subprocess.run(
            small.command(verb, option, str(disk / name)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    before = {name: (disk / name).read_bytes() for name in commands}
    fill(disk)
    for name, (verb, option) in commands.items():
        done = subprocess.run(
            small.command(verb, option, str(disk / name)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "cannot be written: No space left on device" in done.stderr
        assert (disk / name).read_bytes() == before[name]
    left = {one.name for one in disk.iterdir()}
    assert left == {"project", "filling", *commands}
    fission = small.command("certs")[:1]
    for words in (
        ["new", "project", "another"],
        ["new", "network", "another"],
        ["certs", "--node", "10.0.0.1"],
    ):
        done = subprocess.run(
            [*fission, *words], cwd=small.root, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (1, 2), done
        assert done.stderr.count("\n") == 1, done.stderr
        assert "No space left on device" in done.stderr
    assert not (small.root / "another").exists()


@pytest.mark.parametrize("command", [("simulate",), ("run", "--embedded", "2")])
def test_a_stream_outlives_the_full_disk_of_its_output(
    project: Project, disk: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """As with `nohup fission run net > out.txt`; warnings go elsewhere."""
    project.write(JOBS, CONFIG)
    out, err = disk / "out.txt", tmp_path / "err.txt"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            project.command(*command), stdout=stdout, stderr=stderr, text=True, start_new_session=True
        )
    project.running.append(process)
    wait_for(lambda: said(out) > 50, "the stream runs")
    filling = fill(disk)
    wait_for(lambda: "output cannot be written: No space left on device" in err.read_text(), "the warning")
    before = out.stat().st_size
    filling.unlink()
    wait_for(lambda: out.stat().st_size > before + 1000, "the output goes on")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, err.read_text()[-2000:]
    assert err.read_text().count("No space left") == 1
    numbers = [int(line.rsplit(" ", 1)[1]) for line in out.read_text().splitlines() if "| said " in line][:-1]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > len(numbers), "some were dropped meanwhile"


def test_a_replay_without_room_for_a_copy_is_explained(project: Project, disk: Path) -> None:
    setup = '    def setup(self):\n        open("large", "wb").write(bytes(1 << 20))\n'
    project.write(JOBS.replace("hz=100", "hz=1000").rstrip() + f"\n\n{setup}", CONFIG)
    filling = fill(disk)
    os.truncate(filling, filling.stat().st_size - (1 << 19))
    done = subprocess.run(
        project.command("check", "--replay"),
        env=os.environ | {"TMPDIR": str(disk)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done
    assert "the folder of a job cannot be copied; found " in done.stderr
    assert "No space left on device" in done.stderr
    assert "bug in fission" not in done.stderr
