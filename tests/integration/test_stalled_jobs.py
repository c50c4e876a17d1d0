"""A job that is stopped, or does not return from `run`, is restarted after PROGRESS_TIMEOUT; a slow or idle one is not."""

import os
import signal
import subprocess

import psutil
import pytest

from kits.waiting import wait_for

from .conftest import Project
from .programs_kit import write

JOBS = """
class Source(PythonJob):
    def __init__(self, last, outputs, delay=0.01):
        super().__init__([], outputs)
        self.last, self.delay, self.count = last, delay, 0
    def run(self):
        if self.count == self.last:
            return None
        time.sleep(0 if self.repeating else self.delay)
        self.count += 1
        return self.count
    def snapshot(self):
        return self.count
    def restore(self, state):
        self.count = state

class Sum(PythonJob):
    PROGRESS_TIMEOUT = 3
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.total = 0
    def run(self, value):
        self.total += value
        BODY
        return value, self.total

class Sink(CSVSinkJob, LocalJob):
    def run(self, block):
        super().run(block)
"""
CONFIG = """
JOBS = [Source(LAST, [PicklePipe(1)]), Sum([PicklePipe(1)], [PicklePipe(2)]), Sink("out.csv", [PicklePipe(2)])]
"""


def written(project: Project, *, last: int, body: str = "pass", config: str = "") -> Project:
    jobs = JOBS.replace("BODY", body).replace("return value, self.total", "return ((value, self.total),)")
    return project.write(jobs, config=CONFIG.replace("LAST", str(last)) + config)


def rows(project: Project) -> list[list[int]]:
    """The complete rows of the sink."""
    file = project.root / project.name / "local" / "3" / "out.csv"
    if not file.exists():
        return []
    lines = file.read_text().splitlines(keepends=True)[1:]
    return [[*map(int, line.strip('"()\n').split(","))] for line in lines if line.endswith("\n")]


def expected(last: int) -> list[list[int]]:
    return [[number, number * (number + 1) // 2] for number in range(1, last + 1)]


def run(project: Project) -> "subprocess.Popen[str]":
    return project.run("--embedded", "2", "--until-finished")


def job_process(project: Project, client: int, name: str) -> int:
    """The process of a job, by its title."""

    def found() -> list[int]:
        children = psutil.Process(client).children(recursive=True)
        return [one.pid for one in children if " ".join(one.cmdline()).startswith(f"fission: job {name}")]

    wait_for(found, f"a process of {name}")
    return found()[0]


def test_a_stopped_process_is_replaced(project: Project) -> None:
    written(project, last=800)
    client = run(project)
    wait_for(lambda: len(rows(project)) > 100, "rows")
    os.kill(job_process(project, client.pid, "Sum"), signal.SIGSTOP)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 0, out
    assert rows(project) == expected(800)
    assert "no progress for 3 s (PROGRESS_TIMEOUT): the process reports nothing" in out


def test_a_run_that_does_not_return_is_repeated(project: Project) -> None:
    body = """
        if value == 50 and not os.path.exists("once"):
            open("once", "w").close()
            time.sleep(1000)
    """
    written(project, last=300, body=body.strip())
    client = run(project)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 0, out
    assert rows(project) == expected(300)
    assert "failed in round 50" in out
    assert "no progress for 3 s (PROGRESS_TIMEOUT): the round has begun and is not complete" in out
    (place,) = (line for line in out.splitlines() if ", in run" in line)
    assert 'File "net/jobs/jobs.py", line ' in place
    assert "time.sleep(1000)" in out


def test_a_run_that_never_returns_ends_the_network_after_max_restarts(project: Project) -> None:
    body = "while value == 5: time.sleep(1)"
    written(project, last=30, body=body, config="MAX_RESTARTS = 1\n")
    client = run(project)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 1, out
    assert "given up after 1 restarts at round 5" in out
    assert rows(project) == expected(4)


@pytest.mark.parametrize("slow", ["source", "sink"])
def test_a_job_that_waits_is_left_alone(project: Project, slow: str) -> None:
    """Neither for blocks nor for room in its output: a wait that is longer than the timeout, between other rounds."""
    written(project, last=6)
    jobs = project.root / project.name / "jobs" / "jobs.py"
    text = jobs.read_text()
    if slow == "source":
        text = text.replace(
            "self.count += 1\n", "self.count += 1\n        time.sleep(5 * (self.count == 3))\n"
        )
    else:
        text = text.replace(
            "super().run(block)\n", "super().run(block)\n        time.sleep(5 * (block[0] == 3))\n"
        )
        text = text.replace("return ((value, self.total),)", "return ((value, self.total, bytes(8 << 20)),)")
        text = text.replace("super().run(block)", "super().run(block[:2])")
    jobs.write_text(text)
    client = run(project)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 0, out
    assert "no progress" not in out
    assert rows(project) == expected(6)


def test_a_source_whose_device_hangs_is_restarted_if_its_class_says_so(project: Project) -> None:
    """The setting of config.py is for jobs with inputs: how long a source waits is known to its class only."""
    written(project, last=200, config="PROGRESS_TIMEOUT = 1\n")
    jobs = project.root / project.name / "jobs" / "jobs.py"
    hang = """
        if self.count == 100 and not os.path.exists("once"):
            open("once", "w").close()
            time.sleep(1000)
        if self.count == 50:
            time.sleep(3)
"""
    before = "        self.count += 1\n"
    text = jobs.read_text().replace(
        "    def __init__(self, last", "    PROGRESS_TIMEOUT = 5\n    def __init__(self, last"
    )
    jobs.write_text(text.replace(before, hang + before))
    client = run(project)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 0, out
    assert rows(project) == expected(200)
    assert out.count("no progress for") == 1
    assert "Source 1: failed in round 101" in out
    assert "no progress for 5 s" in out


def test_a_program_that_stops_is_restarted(project: Project) -> None:
    write(
        project,
        """
        JOBS = [
            Source(600, [IntPipe(1)]),
            program("double.py", PROGRESS_TIMEOUT=3)(inputs=[IntPipe(1)], outputs=[IntPipe(2)]),
            Sink("out.csv", [IntPipe(2)]),
        ]
        """,
        jobs=JOBS.replace("BODY", "pass"),
        double="""
        (file,), (out,) = open_all()
        while data := exactly(file, 4):
            out.write((2 * int.from_bytes(data, "little")).to_bytes(4, "little"))
        """,
    )
    client = run(project)
    sink = project.root / project.name / "local" / "3" / "out.csv"
    wait_for(lambda: sink.exists() and len(sink.read_text().splitlines()) > 100, "rows")
    (victim,) = (
        one.pid for one in psutil.Process(client.pid).children(recursive=True) if "double.py" in one.cmdline()
    )
    os.kill(victim, signal.SIGSTOP)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 0, out
    assert sink.read_text().split()[1:] == [str(2 * number) for number in range(1, 601)]
    assert out.count("no progress for 3 s") == 1
    wait_for(lambda: not psutil.pid_exists(victim), "the stopped program has ended", 10)
