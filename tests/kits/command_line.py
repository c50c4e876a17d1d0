"""A small project, and what a program that ran in it did."""

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
    """What a program did."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on stderr."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


Run = Callable[..., Result]
