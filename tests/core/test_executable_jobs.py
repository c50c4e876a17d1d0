"""The classes of jobs that are programs: their settings as attributes and as arguments."""

import inspect
import pickle
from typing import Any

import pytest

from fission.core.jobs import (
    BaseJob,
    DynamicExecutableJob,
    DynamicMARVELOJob,
    ExecutableJob,
    LocalJob,
    MARVELOJob,
    PythonJob,
)
from fission.core.pipes import BytesPipe


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
