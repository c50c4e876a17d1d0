"""A process that a job forks never acts as the job, however it leaves user code; the job and its stream are not affected."""

import pytest

from .conftest import Project

JOBS = """
import logging, multiprocessing, os, signal, sys

class Source(PythonJob):
    def run(self):
        for value in range(1, 61):
            yield value

class Middle(PythonJob):
    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        if HOW == "setup":
            self.fork()

    def fork(self):
        pid = os.fork()
        if pid == 0:
            return True
        _, status = os.waitpid(pid, 0)
        print("child ended with", os.waitstatus_to_exitcode(status))
        return False

    def run(self, value):
        if value == 30 and HOW != "setup":
            if HOW == "process":
                child = multiprocessing.get_context("fork").Process(target=work)
                child.start()
                child.join()
                print("child ended with", child.exitcode)
                other = multiprocessing.get_context("fork").Process(target=signal.pause)
                other.start()
                other.terminate()
                other.join()
                print("terminated with", other.exitcode)
            elif self.fork():
                if HOW == "exit":
                    sys.exit(3)
                if HOW == "raise":
                    raise RuntimeError("only the child")
                if HOW == "none":
                    return None
        return value + 1

class Sink(PythonJob):
    total = count = 0
    def run(self, value):
        self.total, self.count = self.total + value, self.count + 1
        if self.count == 60:
            print("SUM", self.total)

def work():
    logging.getLogger("child").warning("logged by the child")
    print("printed by the child")
"""
CONFIG = """
JOBS = [
    Source(outputs=[PicklePipe(1)]),
    Middle(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
    Sink(inputs=[PicklePipe(2)]),
]
"""
SUM = sum(range(2, 62))


@pytest.mark.parametrize(
    ("how", "code", "shown"),
    [
        ("exit", 3, ""),
        ("raise", 1, "RuntimeError: only the child"),
        ("return", 0, ""),
        ("none", 0, ""),
        ("setup", 0, ""),
        ("process", 0, "printed by the child"),
    ],
)
def test_a_forked_child_is_not_the_job(project: Project, how: str, code: int, shown: str) -> None:
    project.write(f"HOW = {how!r}\n{JOBS}", config=CONFIG)
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(f"SUM {SUM}") == 1
    assert done.stdout.count(f"child ended with {code}") == 1
    assert shown in done.stdout + done.stderr
    if how == "process":
        assert "logged by the child" in done.stdout + done.stderr
        assert "terminated with -15" in done.stdout


CLOSES = """
import os, sys

class Source(PythonJob):
    def run(self):
        for value in range(1, 31):
            time.sleep(0.03)
            yield value

class Sink(PythonJob):
    total = 0
    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        CLOSE
    def run(self, value):
        self.total += value
        if value == 30:
            sys.stderr.write(f"SUM {self.total}\\n")
"""
PAIR = "JOBS = [Source(outputs=[PicklePipe(1)]), Sink(inputs=[PicklePipe(1)])]"


@pytest.mark.parametrize("close", ["sys.stdout.close()", "sys.stdout = None", "os.close(1)", "os.close(0)"])
def test_a_job_that_closes_its_output_finishes(project: Project, close: str) -> None:
    project.write(CLOSES.replace("CLOSE", close), config=PAIR)
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUM 465" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    if close == "os.close(1)":
        assert "has closed descriptor 1 (stdout), which it has not opened" in done.stdout + done.stderr


def test_a_job_that_closes_the_descriptors_of_fission_fails_with_the_reason(project: Project) -> None:
    project.write(CLOSES.replace("CLOSE", "os.closerange(3, 1000)"), config=PAIR)
    done = project.simulate("--until-finished")
    assert done.returncode == 1
    assert "the job's code has closed descriptors that it has not opened" in done.stdout + done.stderr
