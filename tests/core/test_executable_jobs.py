"""Jobs that are programs: their settings as attributes and as arguments; and jobs that people type for."""

import inspect
import pickle
from typing import Any

import pytest

from fission.core.jobs import (
    BaseJob,
    DynamicExecutableJob,
    DynamicMARVELOJob,
    ExecutableJob,
    InteractiveJob,
    LocalJob,
    MARVELOJob,
    PythonJob,
)
from fission.core.pipes import BasePipe, BytesPipe, JSONPipe
from fission.errors import JobDefinitionError


class FourBytes(BasePipe):
    BLOCK_SIZE = 4

    def pack(self, obj: Any) -> bytes:
        packed: bytes = obj.to_bytes(4, "little")
        return packed


def test_defaults_are_those_of_the_contract() -> None:
    assert (ExecutableJob.INPUT_FLAG, ExecutableJob.OUTPUT_FLAG, ExecutableJob.PARAMETERS) == ("-i", "-o", "")
    assert not ExecutableJob.INHERITS
    assert MARVELOJob.INHERITS
    assert not issubclass(ExecutableJob, PythonJob)


@pytest.mark.parametrize(("kind", "inherits"), [(DynamicExecutableJob, False), (DynamicMARVELOJob, True)])
def test_dynamic_jobs_take_their_settings_as_arguments(kind: Any, inherits: bool) -> None:
    pipes = [BytesPipe(1, 4)], [BytesPipe(2, 4)]
    job = kind("source", "sum", "-n 5", ["FAST"], "--in", "--out", True, *pipes, name="adder")
    job = pickle.loads(pickle.dumps(job))
    assert (job.DEPENDENCIES, job.EXECUTABLE, job.PARAMETERS, job.GROUPS) == (
        "source",
        "sum",
        "-n 5",
        ["FAST"],
    )
    assert ("--in", "--out", True, inherits) == (job.INPUT_FLAG, job.OUTPUT_FLAG, job.HEAD, job.INHERITS)
    assert [len(side) for side in (job.inputs, job.outputs)] == [1, 1]
    assert job.name == "adder"


def test_the_order_of_the_arguments_is_that_of_the_seed() -> None:
    names = [*inspect.signature(DynamicMARVELOJob.__init__).parameters][1:10]
    assert names == [
        *("dependencies", "executable", "parameters", "groups"),
        *("input_flag", "output_flag", "head", "inputs", "outputs"),
    ]


def test_what_is_left_out_has_its_default() -> None:
    job = DynamicExecutableJob("", "cat")
    assert (job.DEPENDENCIES, job.GROUPS, job.PARAMETERS) == (None, BaseJob.GROUPS, "")
    assert job.preference([]) is None


def test_a_program_may_be_local() -> None:
    class Show(LocalJob, ExecutableJob):
        EXECUTABLE = "cat"

    assert Show().GROUPS == "LOCAL"


class Line:
    def __init__(self, text: str) -> None:
        self.text = text
        self.answers: list[str] = []

    def answer(self, text: str) -> None:
        self.answers.append(text)


class Numbers(InteractiveJob):
    def convert(self, line: str) -> Any:
        if line == "end":
            self.finish()
            return None
        return int(line) if line else None


def test_lines_are_converted_and_what_goes_wrong_is_answered() -> None:
    lines = [Line(text) for text in ("5", "", "six", "7000000000", "8", "end", "9")]
    job = Numbers(outputs=[FourBytes(1)])
    job.console = lines
    assert list(job.run()) == [5, 8]
    assert [line.answers for line in lines] == [
        *([], [], ["not sent: ValueError: invalid literal for int() with base 10: 'six'"]),
        *(["not sent: OverflowError: int too big to convert"], [], [], []),
    ]


class Pair(InteractiveJob):
    def convert(self, line: str) -> Any:
        return line, line.upper()


def test_a_tuple_is_split_between_two_outputs_and_the_person_learns_it_once() -> None:
    lines = [Line("a"), Line("b")]
    job = Pair(outputs=[JSONPipe(1), JSONPipe(2)])
    job.console = lines
    assert list(job.run()) == [("a", "A"), ("b", "B")]
    assert [line.answers for line in lines] == [
        ["the tuple is split: one item for each of the 2 outputs"],
        [],
    ]


def test_a_line_is_sent_as_it_is() -> None:
    job = InteractiveJob()
    job.console = [Line("a b")]
    assert list(job.run()) == ["a b"]
    assert job.GROUPS == "LOCAL"


def test_nobody_types_outside_of_the_jobs_process() -> None:
    with pytest.raises(JobDefinitionError, match="there is no console to type at"):
        next(InteractiveJob().run())
