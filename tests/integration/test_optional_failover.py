"""A typed value stays when the node that used it dies: with the node service, its job, or the job's whole machine."""

import os
import signal
import subprocess

import psutil
import pytest

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Band(OptionalPicklePipe):
    OPTIONAL_DEFAULT = "default"


class Numbers(PythonJob):
    def __init__(self, **pipes):
        super().__init__(**pipes)
        self.count = 0

    def run(self):
        self.pace(hz=50)
        self.count += 1
        return self.count

    def snapshot(self):
        return self.count

    def restore(self, count):
        self.count = count


class Filter(PythonJob):
    def run(self, number, band):
        return [number, band]
"""
CONFIG = """
JOBS = [
    InteractiveJob(outputs=[Band(1), Band(2)], name="Knob"),
    Numbers(outputs=[PicklePipe(3), PicklePipe(4)]),
    Filter(inputs=[PicklePipe(3), Band(1)], outputs=[PicklePipe(5)], name="Left"),
    Filter(inputs=[PicklePipe(4), Band(2)], outputs=[PicklePipe(6)], name="Right"),
    CSVSinkJob("out.csv", inputs=[PicklePipe(5), PicklePipe(6)]),
]
"""
LEFT = 3


def rows(project: Project) -> list[str]:
    file = project.root / "net" / "local" / "5" / "out.csv"
    return file.read_text().splitlines()[1:] if file.exists() else []


def job_process(run: "subprocess.Popen[str]", name: str) -> psutil.Process:
    found: list[psutil.Process] = []

    def there() -> bool:
        children = psutil.Process(run.pid).children(recursive=True)
        found[:] = [one for one in children if f"fission: job {name}" in " ".join(one.cmdline())]
        return bool(found)

    wait_for(there, f"the process of job {name}")
    return found[0]


@pytest.mark.parametrize("victim", ["job", "node"])
def test_a_typed_value_survives(project: Project, victim: str) -> None:
    project.write(JOBS, CONFIG)
    run = project.run("--embedded", "3", told=False)
    wait_for(lambda: len(rows(project)) > 20, "rows")
    typed = subprocess.run(
        project.command("interact", "Knob"),
        input="narrow\n",
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert typed.returncode == 0, typed.stderr
    wait_for(lambda: "narrow" in (rows(project) or [""])[-1], "the value is used")
    left = job_process(run, "Left")
    if victim == "node":
        service = next(parent for parent in left.parents() if parent.name() == "fission-node")
        os.kill(service.pid, signal.SIGKILL)
    os.kill(left.pid, signal.SIGKILL)
    before = len(rows(project))
    wait_for(lambda: len(rows(project)) > before + 100, "more rows")
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 0
    last = ("default", "default")
    for row in rows(project):
        now = tuple("narrow" if "narrow" in half else "default" for half in row.split('","'))
        assert now in (last, ("narrow", "narrow")) or last == ("default", "default"), row
        last = now
    assert last == ("narrow", "narrow")
