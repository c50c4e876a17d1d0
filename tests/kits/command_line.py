"""A small project, and the result of a command that ran in it."""

from collections.abc import Callable
from dataclasses import dataclass

JOBS = """
from fission.core.jobs import PythonJob

class SourceJob(PythonJob):
    def run(self):
        yield from range(3)

class SinkJob(PythonJob):
    def run(self, value):
        print("got", value)
"""

CONFIG = """
from fission.core.pipes import PicklePipe
from demo.jobs.jobs import SourceJob, SinkJob

JOBS = [SourceJob(outputs=[PicklePipe(101)]), SinkJob(inputs=[PicklePipe(101)])]
"""


@dataclass
class Result:
    """The exit code and the output of a program."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line of stderr."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


Run = Callable[..., Result]
