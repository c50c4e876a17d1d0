"""A text of user code that is huge is cut at its source: it is shown, restarts are counted, and the network ends."""

import pytest

from .conftest import Project

JOBS = """
import logging

class Source(PythonJob):
    def run(self):
        for value in range(1, 21):
            yield value

class Sink(PythonJob):
    def run(self, value):
        if value == 10:
            ACTION
"""
CONFIG = """
MAX_RESTARTS = 1
JOBS = [Source(outputs=[PicklePipe(1)]), Sink(inputs=[PicklePipe(1)])]
"""
SIZE = 20_000_000
RAISE = f"raise ValueError('head' + 'z' * {SIZE} + 'tail')"
LOG = f"logging.error('head' + 'z' * {SIZE} + 'tail')"


@pytest.mark.parametrize("verb", ["simulate", "run"])
def test_a_huge_exception_is_shown_and_counted(project: Project, verb: str) -> None:
    project.write(JOBS.replace("ACTION", RAISE), config=CONFIG)
    if verb == "run":
        process = project.run("--embedded", "2", "--until-finished")
        out, _ = process.communicate(timeout=60)
        code = process.returncode
        assert "given up after 1 restarts" in out
    else:
        done = project.simulate("--until-finished")
        out, code = done.stdout + done.stderr, done.returncode
    assert code == 1
    assert "ValueError: headzzz" in out
    assert "characters cut by fission" in out
    assert "lost" not in out
    assert len(out) < 1_000_000


def test_a_huge_log_record_is_cut(project: Project) -> None:
    project.write(JOBS.replace("ACTION", LOG), config=CONFIG)
    done = project.simulate("--until-finished")
    assert done.returncode == 0
    out = done.stdout + done.stderr
    assert "root: headzzz" in out
    assert "characters cut by fission" in out
    assert "zzztail" in out
    assert len(out) < 200_000
