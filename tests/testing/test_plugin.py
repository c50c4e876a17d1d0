"""The pytest plugin, and the command `test`, in a project as a user has it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fission.errors import ProjectError, UserError
from fission.management.commands.network.test import (
    test_network as run_tests,  # under its own name pytest would collect it
)
from fission.project.scaffold import start_network, start_project

JOBS = """
from fission.core.jobs import PythonJob

class CubeJob(PythonJob):
    def run(self, value):
        return value ** 3

class SumJob(PythonJob):
    HEAD = True
    def run(self, values):
        with open("factor.txt") as file:
            return sum(values) * int(file.read())

class SourceJob(PythonJob):
    def run(self):
        yield from range(100)
"""

CONFIG = """
from fission.core.pipes import OptionalPicklePipe, PicklePipe
from demo.jobs.jobs import CubeJob, SourceJob, SumJob
from demo.pipes.pipes import PairPipe

HEAD_SIZE = 2
SumJob.DEPENDENCIES = "demo/source"
JOBS = [
    SourceJob(outputs=[PicklePipe(101)]),
    CubeJob(inputs=[PicklePipe(101)], outputs=[PairPipe(102)]),
    SumJob(inputs=[PairPipe(102)]),
]
"""

PIPES = """
from fission.core.pipes import PicklePipe

class PairPipe(PicklePipe):
    BLOCK_COUNT = 2
"""


@pytest.fixture
def root(tmp_path):
    """A project with the network demo; write its tests into demo/tests."""
    root = start_project(tmp_path, "greenhouse")
    folder = start_network(root, "demo")
    (folder / "config.py").write_text(CONFIG)
    (folder / "jobs/jobs.py").write_text(JOBS)
    (folder / "pipes/pipes.py").write_text(PIPES)
    (folder / "source/factor.txt").write_text("10")
    (folder / "tests").mkdir(exist_ok=True)
    return root


def write(root, text, name="test_demo.py"):
    file = root / "demo/tests" / name
    file.write_text(textwrap.dedent(text))
    return file


def run(root, *arguments, cwd=None):
    """Run pytest as a user does; return the counts and everything that it said."""
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "fission.testing.plugin",
            "-p",
            "no:cacheprovider",
            *arguments,
        ],
        cwd=cwd or root,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
    )
    text = process.stdout + process.stderr
    return text.strip().splitlines()[-1] if text.strip() else "", text


def passed(root, count, *arguments, cwd=None):
    last, text = run(root, *arguments, cwd=cwd)
    assert f"{count} passed" in last, text
    assert "failed" not in last, text
    assert "error" not in last, text
    return text


def test_the_jobs_of_the_network(root):
    write(
        root,
        """
        import os
        from pathlib import Path
        from demo.jobs.jobs import CubeJob

        def test_config(fission_cfg):
            assert [job.id for job in fission_cfg.JOBS] == [1, 2, 3]
            assert isinstance(fission_cfg.JOBS[1], CubeJob)

        def test_cube(fission_cfg_jobs):
            cube = fission_cfg_jobs(1)
            assert cube is fission_cfg_jobs(1)
            assert cube is fission_cfg_jobs(-2)
            assert [cube(n) for n in (1, 2, 3)] == [[1], [8], [27]]
            assert cube.heads[0].head_size == 2
            assert cube.cwd == Path(__file__).parents[2] / ".emulate" / "2"

        def test_source_and_sum(fission_cfg, fission_cfg_jobs):
            assert fission_cfg_jobs(0)() == [0]
            assert fission_cfg_jobs(2)([1, 2]) == []
            assert (fission_cfg_jobs(2).cwd / "factor.txt").read_text() == "10"

        def test_jobs_are_new_in_every_test(fission_cfg, fission_cfg_jobs):
            assert fission_cfg_jobs(0)() == [0]
            assert [job.id for job in fission_cfg.JOBS] == [1, 2, 3]
        """,
    )
    passed(root, 4, "demo/tests")


@pytest.mark.parametrize("place", ["demo/tests", ".."])
def test_it_may_be_started_anywhere(root, place):
    file = write(
        root,
        """
        from demo.jobs.jobs import CubeJob

        def test_cube(fission_cfg_jobs):
            assert fission_cfg_jobs(1)(2) == [8]
        """,
    )
    passed(root, 1, f"{file}::test_cube", cwd=root / place)


def test_a_job_of_ones_own(root):
    write(
        root,
        """
        import pytest
        from fission.core.pipes import PicklePipe
        from fission.core.jobs import PythonJob
        from demo.jobs.jobs import CubeJob

        class OwnJob(PythonJob):
            def run(self, value):
                return -value

        @pytest.fixture(params=[CubeJob, OwnJob])
        def fission_test_job(request, fission_reset):
            return request.param(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)])

        def test_it(fission_test_emulator, fission_test_job):
            assert fission_test_emulator.job is fission_test_job
            assert fission_test_job.id == 1
            assert abs(fission_test_emulator(1)[0]) == 1
        """,
    )
    passed(root, 2, "demo/tests")
    passed(root, 2, "demo/tests", "--import-mode=importlib")


def test_a_missing_job_is_told(root):
    write(root, "def test_it(fission_test_emulator): pass")
    last, text = run(root)
    assert "1 error" in last
    assert "define a fixture fission_test_job that returns one" in text


def test_reset(root):
    write(
        root,
        """
        from fission.core import base
        from fission.core.jobs import ForwardingJob
        from fission.core.pipes import JSONPipe, PicklePipe

        def test_one(fission_reset):
            assert ForwardingJob([PicklePipe(1)]).id == 1

        def test_two(fission_reset):
            assert not base.JOBS
            assert ForwardingJob([JSONPipe(1)]).id == 1

        def test_three():
            assert not base.JOBS
            assert not base.PIPES
        """,
    )
    passed(root, 3)


def test_slow_tests_run_when_wanted(root):
    write(
        root,
        """
        import pytest

        @pytest.mark.slow
        def test_slow(): pass

        def test_quick(): pass
        """,
    )
    assert "1 skipped" in passed(root, 1, "--strict-markers")
    passed(root, 2, "--strict-markers", "--runslow")


def test_a_failure_shows_the_users_traceback(root):
    write(
        root,
        """
        def test_it(fission_cfg_jobs):
            fission_cfg_jobs(1)("text")
        """,
    )
    last, text = run(root)
    assert "1 failed" in last
    assert "JobFailed: job CubeJob 2, round 1: TypeError" in text
    assert "return value ** 3" in text


def test_mistakes_are_told(root):
    write(root, "def test_it(fission_cfg_jobs): fission_cfg_jobs(3)")
    assert "no such job; expected an index below 3, found 3" in run(root)[1]
    outside = root / "test_outside.py"
    outside.write_text("def test_it(fission_cfg): pass")
    assert "this test belongs to no network" in run(root, str(outside))[1]


def test_no_process_is_left(root):
    write(
        root,
        """
        from pathlib import Path

        def test_it(fission_cfg_jobs):
            Path("pid").write_text(str(fission_cfg_jobs(1).pid))
            raise ValueError
        """,
    )
    run(root)
    assert not Path("/proc", (root / "pid").read_text()).exists()


# -- the command -----------------------------------------------------------------------------------------


def command(root, *arguments):
    text = "import sys; from pathlib import Path; from fission.management.commands.network.test import test_network as run; "
    text += "sys.exit(run(Path(sys.argv[1]), 'demo', sys.argv[2:]))"
    return subprocess.run(
        [sys.executable, "-c", text, str(root), *arguments],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_the_command_runs_the_tests_of_the_network(root):
    write(root, "def test_one(fission_cfg_jobs): assert fission_cfg_jobs(1)(2) == [8]")
    write(root, "def test_two(): assert False", "test_other.py")
    (root / "test_outside.py").write_text("def test_three(): assert False")
    done = command(root)
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert command(root, "-k", "one").returncode == 0
    assert command(root, "-k", "demo and two").returncode == 1
    chosen = command(root, "-v", "demo/tests/test_demo.py::test_one")
    assert chosen.returncode == 0
    assert "1 passed" in chosen.stdout


def test_the_command_without_tests(root):
    (root / "demo/tests").rmdir()
    with pytest.raises(ProjectError, match="the network has no tests"):
        run_tests(root, "demo", [])
    with pytest.raises(ProjectError, match="there is no such network"):
        run_tests(root, "damo", [])


def test_the_command_without_pytest(root, monkeypatch):
    monkeypatch.setattr("fission.management.commands.network.test.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install pytest"):
        run_tests(root, "demo", [])


def test_jobs_of_an_xml_file_follow_those_of_config(root):
    (root / "demo/config.py").write_text(CONFIG + "XML_FILE = 'more.xml'\n")
    (root / "demo/more.xml").write_text(
        '<n><node pi_id="10.0.0.1"><p executable="cat"><input pipe_id="1" block_size="4"/></p></node></n>'
    )
    write(root, "def test_one(fission_cfg_jobs): assert fission_cfg_jobs(3).job.EXECUTABLE == 'cat'")
    done = command(root)
    assert done.returncode == 0, done.stdout
