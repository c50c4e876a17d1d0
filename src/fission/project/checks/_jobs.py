"""Rules about jobs: the arguments of `run`, what can be sent to a node, class attributes."""

import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any

from fission.core.jobs import BaseJob, ExecutableJob, InteractiveJob, LoggingJob, PythonJob
from fission.core.network import Network
from fission.errors import ProjectError
from fission.project.checks._check import Finding, check
from fission.project.job_files.dependencies import dependency_tree, find_dependencies
from fission.project.returns import gives_nothing
from fission.project.settings import describe
from fission.project.suggest import closest, counted, listed
from fission.serialization import by_value


def _computing(network: Network) -> Iterator[tuple[PythonJob, Callable[..., Any]]]:
    """Yield the Python jobs with the method that computes their rounds; jobs without one are left out."""
    for job in network.jobs:
        if isinstance(job, PythonJob):
            run = _computes(job)
            if callable(run):
                yield job, run


def _computes(job: PythonJob) -> Callable[..., Any] | None:
    run: Callable[..., Any] = job.run
    if isinstance(job, LoggingJob) and _function(run) is LoggingJob.run:
        run = job.run_job
        if _function(run) is LoggingJob.run_job:
            run = super(LoggingJob, job).run
    return None if _function(run) is PythonJob.run else run


def _function(method: Callable[..., Any]) -> object:
    return getattr(method, "__func__", method)


@check("E201", "a job class has no run")
def _no_run(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        kind = type(job).__name__
        if isinstance(job, ExecutableJob):
            continue  # the program computes the rounds
        if not isinstance(job, PythonJob):
            hint = f"Inherit from PythonJob: class {kind}(PythonJob)"
            yield Finding(job.name, f"{kind} is not a PythonJob, so it has no rounds to compute", hint)
        elif _computes(job) is None:
            name = "run_job" if isinstance(job, LoggingJob) else "run"
            own = [word for word in vars(type(job)) if not word.startswith("_")]
            near = closest(name, own)
            arguments = ", ".join(["self", *(f"in_{n}" for n in range(1, len(job.inputs) + 1))])
            hint = (
                f"It has {near!r}: rename that to {name!r}"
                if near
                else f"Write def {name}({arguments}) in {kind}"
            )
            yield Finding(job.name, f"{kind} has no {name}", hint)


@check("E202", "run takes another number of values than the job has inputs")
def _run_arguments(network: Network) -> Iterator[Finding]:
    for job, run in _computing(network):
        name = getattr(run, "__name__", "run")
        inputs = len(job.inputs)
        if _lacks_self(run):
            yield Finding(job.name, f"{name} does not take self", f"Write def {name}(self, ...)")
            continue
        try:
            signature = inspect.signature(run)
        except (TypeError, ValueError):  # not a Python function: its arguments are unknown
            continue
        if not _accepts(signature, inputs):
            pipes = f": {listed(str(pipe.id) for pipe in job.inputs)}" if inputs else ""
            has = f"the job has {counted(inputs, 'input')}{pipes}"
            yield Finding(
                job.name,
                f"{name} {_wants(signature)}, and {has}",
                "run gets one value per input, in their order",
            )


def _lacks_self(run: Callable[..., Any]) -> bool:
    code = getattr(getattr(run, "__func__", None), "__code__", None)
    return code is not None and code.co_argcount == 0 and not code.co_flags & inspect.CO_VARARGS


def _accepts(signature: inspect.Signature, values: int) -> bool:
    try:
        signature.bind(*[None] * values)
    except TypeError:
        return False
    return True


def _wants(signature: inspect.Signature) -> str:
    kinds = inspect.Parameter
    every = signature.parameters.values()
    keywords = [one.name for one in every if one.kind is kinds.KEYWORD_ONLY and one.default is kinds.empty]
    if keywords:
        return f"requires the keyword argument {listed(keywords)}, which is never passed"
    places = [one for one in every if one.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    needed = sum(one.default is kinds.empty for one in places)
    names = f" ({', '.join(one.name for one in places)})" if places else ""
    if any(one.kind is kinds.VAR_POSITIONAL for one in every):
        return f"takes {counted(needed, 'value')} or more{names}"
    if needed < len(places):
        return f"takes {needed} to {counted(len(places), 'value')}{names}"
    return f"takes {counted(needed, 'value')}{names}"


@check("E210", "a method of a job was replaced by something that cannot be called")
def _no_method(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        for name in _METHODS:
            value = getattr(job, name, None)
            if value is not None and not callable(value):
                hint = f"Write def {name}(self, ...) in {type(job).__name__}"
                yield Finding(job.name, f"{name} is {describe(value)}, and is called", hint)


_METHODS = (
    *("run", "run_job", "init_job", "setup_job", "setup", "teardown", "finish", "head_reduce"),
    *("preference", "snapshot", "restore"),
)


@check("E203", "run is a generator in a job that has inputs")
def _generator(network: Network) -> Iterator[Finding]:
    for job, run in _computing(network):
        if job.inputs and inspect.isgeneratorfunction(inspect.unwrap(run)):
            yield Finding(
                job.name,
                "run is a generator, and the job has inputs",
                "Only a source may yield; return the value, and keep what you need in self",
            )


@check("E204", "run is async")
def _coroutine(network: Network) -> Iterator[Finding]:
    for job, run in _computing(network):
        plain = inspect.unwrap(run)
        if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
            yield Finding(job.name, "run is async", "Write def run instead of async def run")


@check("E213", "run of a job with outputs returns nothing")
def _no_value(network: Network) -> Iterator[Finding]:
    for job, run in _computing(network):
        method = job.convert if isinstance(job, InteractiveJob) else run
        if _needs_value(job, run) and gives_nothing(method):
            name = method.__name__
            outputs = counted(len(job.outputs), "output")
            yield Finding(
                job.name,
                f"{name} returns nothing, and the job has {outputs}",
                f"Is a `return` missing in {name}? None from run ends the job",
            )


def _needs_value(job: PythonJob, run: Callable[..., Any]) -> bool:
    """Whether the job has an output that gets what `run` returns; a LoggingJob makes the rows of its last one itself."""
    own = isinstance(job, LoggingJob) and job.logging_output is not None and run.__name__ == "run_job"
    return len(job.outputs) > own


@check("E205", "a job cannot be pickled")
def _unpicklable(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        reason = _why_not(job)
        if reason:
            culprits = [name for name, value in _state(job).items() if _why_not(value)]
            if culprits:
                what = f"{listed(f'self.{name}' for name in culprits)} cannot be pickled: {reason}"
            else:
                what = f"the job cannot be pickled: {reason}"
            hint = "A job is created here and sent to its node: open files and devices, and start threads, in setup()"
            yield Finding(job.name, what, hint)


def _why_not(value: object) -> str:
    """Why a value cannot be pickled, in one line; "" when it can."""
    try:
        # with a callback the contents of arrays are not copied
        if b"__main__" not in pickle.dumps(value, protocol=5, buffer_callback=lambda _buffer: None):
            return ""
    except Exception:  # noqa: BLE001, S110 - pickling runs the user's code; what cannot be imported travels by value
        pass
    try:
        by_value.dump(value)
    except Exception as error:  # noqa: BLE001 - pickling runs the user's code
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ""


def _state(job: BaseJob) -> dict[str, object]:
    state = job.__getstate__()
    return state if isinstance(state, dict) else vars(job)


@check("E207", "a setting of a job has a wrong type or value")
def _settings(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        for name, expected, fits in _SETTINGS:
            value = getattr(job, name)
            if not fits(value):
                yield Finding(job.name, f"{name}: expected {expected}, found {describe(value)}")


def _is_queue(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_interval(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_timeout(value: object) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and (value == 0 or 1 <= value <= 1e6)
    )


_SETTINGS: tuple[tuple[str, str, Callable[[object], bool]], ...] = (
    ("HEAD", "True or False", lambda value: isinstance(value, bool)),
    ("MAX_QUEUE", "a number of rounds, 0 for no limit", _is_queue),
    ("STATE", "'auto' or 'none'", lambda value: value in ("auto", "none")),
    ("CHECKPOINT_INTERVAL", "a number of seconds above 0", _is_interval),
    ("PROGRESS_TIMEOUT", "a number of seconds from 1 to 1000000, 0 for no limit, or None", _is_timeout),
)


@check("E212", "a job class has only one of snapshot and restore")
def _half_a_state(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        kind = type(job)
        there, missing = "snapshot", "restore"
        if callable(getattr(kind, missing, None)):
            there, missing = missing, there
        if callable(getattr(kind, there, None)) and not callable(getattr(kind, missing, None)):
            yield Finding(
                job.name,
                f"{kind.__name__} has {there}, but no {missing}",
                "Together they replace the copy of the job's attributes; one alone has no effect",
            )


@check("E208", "DEPENDENCIES does not exist")
def _missing(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        for path in find_dependencies(network, job).missing:
            yield Finding(
                job.name,
                f"DEPENDENCIES: there is no folder or module {path!r}",
                "A path is relative to the project's folder, or to the network's",
            )


@check("E209", "DEPENDENCIES has more than one folder, or something that is neither a path nor a module")
def _dependencies(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        found = find_dependencies(network, job)
        if len(found.folders) > 1:
            names = listed(folder.name for folder in found.folders)
            yield Finding(
                job.name, f"DEPENDENCIES: more than one folder: {names}", "Put what the job needs into one"
            )
        for entry in found.wrong:
            yield Finding(job.name, f"DEPENDENCIES: expected a path or a module, found {describe(entry)}")


@check("E211", "something in DEPENDENCIES cannot be read")
def _unreadable(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        try:
            dependency_tree(network, job)
        except ProjectError as error:
            yield Finding(job.name, error.what, error.hint)


JOB_CHECKS = (
    _no_run,
    _run_arguments,
    _generator,
    _coroutine,
    _unpicklable,
    _settings,
    _half_a_state,
    _no_value,
    _missing,
    _dependencies,
    _no_method,
    _unreadable,
)
