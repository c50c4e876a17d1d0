"""Additions to an emulated job, in its own process, so that one call is one round.

A job without synchronous inputs (a source, or a job with optional inputs only) would run ahead. It gets an additional input,
the gate, and begins a round for each block from it. A job without outputs would not report the end of a round. It gets
an additional output, the bell, with one block per round. User code sees neither.

A program needs no gate: it runs ahead as far as its pipes allow, and its blocks are the rounds. Its bell has a block for each
round whose input the program has read.
"""

import importlib
import importlib.util
import sys
from types import GeneratorType
from typing import Any

from fission.core.head import Head
from fission.core.jobs import BaseJob, PythonJob
from fission.core.pipes import BasePipe
from fission.serialization import by_value

__all__ = ["Harness", "Sealed"]

_END = object()
"""The generator of user code has no more values."""


class Sealed:
    """A pickled job that gets its harness when it is unpickled.

    `modules` maps names of modules that another process may not be able to import to their files.
    """

    def __init__(
        self, job: bytes, gate: BasePipe | None, bell: BasePipe | None, modules: dict[str, str]
    ) -> None:
        self._parts = (job, gate, bell, modules)

    def __reduce__(self) -> tuple[object, ...]:
        return open_sealed, self._parts


def open_sealed(job: bytes, gate: BasePipe | None, bell: BasePipe | None, modules: dict[str, str]) -> BaseJob:
    """Unpickle the job and add the harness. Called in the process of the job."""
    for name, file in modules.items():
        _provide(name, file)
    opened: BaseJob = by_value.load(job)
    if isinstance(opened, PythonJob):
        if gate is not None or bell is not None:
            Harness(opened, gate, bell).attach()
    elif bell is not None:
        _add_bell(opened, bell)
    return opened


def _add_bell(program: BaseJob, bell: BasePipe) -> None:
    """Add the bell for the runtime, whose program loop writes to it; the program does not see it."""
    outputs, setup = program.outputs, program.setup

    def hide_and_setup() -> None:
        program.outputs = outputs
        setup()

    program.outputs = [*outputs, bell]
    vars(program)["setup"] = hide_and_setup


class Harness:
    """Wraps `setup` and `run` of user code."""

    def __init__(self, job: PythonJob, gate: BasePipe | None, bell: BasePipe | None) -> None:
        self._job = job
        self._gate = gate
        self._bell = bell
        self._own_setup, self._own_run = job.setup, job.run
        self._pipes = (job.inputs, job.outputs)
        self._values: GeneratorType[Any, None, None] | None = None

    def attach(self) -> None:
        """Add gate and bell to the pipes of the job, and replace its methods by ours."""
        job = self._job
        if self._gate is not None:
            job.inputs = [*job.inputs, self._gate]
        if self._bell is not None:
            job.outputs = [*job.outputs, self._bell]
        vars(job).update(setup=self._setup, run=self._run)

    def _setup(self) -> None:
        job = self._job
        job.inputs, job.outputs = self._pipes  # the runtime has created its ports
        self._own_setup()

    def _run(self, *arguments: Any) -> Any:
        job = self._job
        if self._gate is not None:
            arguments = arguments[:-1]
            if job.HEAD:
                self._hide_head_of_gate()
        if self._bell is None:
            value = self._value(arguments)
            return None if value is _END else value
        job.out_heads = []
        value = self._value(arguments)
        job.out_heads = [None]
        return None if value is _END else True

    def _hide_head_of_gate(self) -> None:
        job = self._job
        *heads, of_gate = job.in_heads
        job.in_heads = heads
        job.head = job.head_reduce() if heads or not isinstance(of_gate, Head) else of_gate

    def _value(self, arguments: tuple[Any, ...]) -> Any:
        if self._values is None:
            value = self._own_run(*arguments)
            if self._job.inputs or not isinstance(value, GeneratorType):
                return value
            self._values = value
        return next(self._values, _END)


def _provide(name: str, file: str) -> None:
    """Import a module by name, or else from its file."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module was found, and one of its own imports is missing
    else:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
