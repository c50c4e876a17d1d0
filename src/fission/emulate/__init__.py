"""Runs a pipe or a job alone, as in a network: `emulate(pipe_or_job)`."""

from __future__ import annotations

from typing import overload

from fission.core.jobs import ExecutableJob, PythonJob
from fission.core.pipes import BasePipe
from fission.emulate.errors import JobFinished
from fission.errors import UserError

TYPE_CHECKING = False

if TYPE_CHECKING:
    from os import PathLike

    from fission.core.network import Network
    from fission.emulate.jobs import JobEmulator
    from fission.emulate.pipes import PipeEmulator

__all__ = ["JobEmulator", "JobFinished", "PipeEmulator", "emulate"]


def __getattr__(name: str) -> object:
    if name == "JobEmulator":
        from fission.emulate import jobs  # noqa: PLC0415 - job processes import this package

        return jobs.JobEmulator
    if name == "PipeEmulator":
        from fission.emulate import pipes  # noqa: PLC0415

        return pipes.PipeEmulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


@overload
def emulate(pipe_or_job: BasePipe) -> PipeEmulator: ...


@overload
def emulate(
    pipe_or_job: PythonJob | ExecutableJob,
    *,
    network: Network | None = None,
    root: str | PathLike[str] | None = None,
    timeout: float | None = 10.0,
) -> JobEmulator: ...


def emulate(
    pipe_or_job: object,
    *,
    network: Network | None = None,
    root: str | PathLike[str] | None = None,
    timeout: float | None = 10.0,
) -> PipeEmulator | JobEmulator:
    """Return an emulator of a pipe or of a job; `PipeEmulator` and `JobEmulator` describe how to call it.

    The emulator of a job starts a process: call its `kill()`, or use it in a `with` statement. `network`
    has the settings (by default those of an empty config.py), `root` is the folder of the project (by default
    that of the network, else the nearest project from the working directory upwards, else the working directory).
    A `setup`, or a round, that takes more than `timeout` seconds is a RunError; None: wait for ever.

    Raises UserError for anything other than a pipe, a Python job or a program, JobFailed when `setup` raises.
    """
    if isinstance(pipe_or_job, BasePipe):
        from fission.emulate.pipes import PipeEmulator  # noqa: PLC0415 - job processes import this package

        return PipeEmulator(pipe_or_job)
    if isinstance(pipe_or_job, PythonJob | ExecutableJob):
        from fission.emulate.jobs import JobEmulator  # noqa: PLC0415

        return JobEmulator(pipe_or_job, network=network, root=root, timeout=timeout)
    hint = ""
    if isinstance(pipe_or_job, type) and issubclass(pipe_or_job, BasePipe | PythonJob | ExecutableJob):
        hint = "That is the class: emulate an object of it"
    raise UserError(
        "cannot be emulated",
        where="emulate",
        expected="a pipe, a Python job or a program",
        found=repr(pipe_or_job),
        hint=hint,
    )
