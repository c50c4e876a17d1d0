"""Whether a job goes on identically after a restart: some of its rounds are recorded, and computed again elsewhere.

While the network is simulated, `record` keeps the state of a job before some rounds, what came in and what went out. Then
`main`, in a process of its own, makes the job anew, gives it the state, and compares.
"""

import contextlib
import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import GeneratorType
from typing import Any

from fission.core.jobs import PythonJob
from fission.core.jobs.base import has_state
from fission.runtime.checkpointing.state import SavedState
from fission.runtime.checkpointing.writer import write_file
from fission.runtime.messages import JobSpec
from fission.serialization import by_value

_MOST_ROUNDS = 50
_MOST_BYTES = 32 << 20


@dataclass(slots=True)
class Round:
    """One round, pickled: arguments and heads of `run`, what it returned and the heads then."""

    before: bytes
    after: bytes


@dataclass(slots=True)
class ReplayCheck:
    """What was recorded: `rounds` are those after round `start`, `attributes` are the pickled ones after the last."""

    spec: JobSpec
    start: int
    state: bytes | None
    left_out: tuple[str, ...]
    rounds: list[Round]
    attributes: dict[str, bytes]


@dataclass(slots=True)
class Verdict:
    """The result: `rounds` were compared; `difference` describes the first difference, "" for none."""

    start: int
    rounds: int
    difference: str = ""
    attributes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def record(job: PythonJob, spec: JobSpec, log: Callable[[int, str], None]) -> None:
    """Write to `spec.trial` what is needed to repeat some rounds; the latest of several stretches counts."""
    recorder = _Recorder(job, spec, SavedState(job, log))
    run = job.run

    def recorded(*args: Any) -> Any:
        recorder.before(args)
        value = run(*args)
        if isinstance(value, GeneratorType):
            return recorder.watch(value)
        recorder.after(value)
        return value

    job.run = recorded  # type: ignore[method-assign]


class _Recorder:
    """Records short stretches after rounds 1, 4, 16, 64, ..."""

    def __init__(self, job: PythonJob, spec: JobSpec, state: SavedState) -> None:
        self._job, self._spec, self._state = job, spec, state
        self._round = 0
        self._next = 1
        self._size = 0
        self._trial: ReplayCheck | None = None
        self._before = b""

    def watch(self, generator: Iterator[Any]) -> Iterator[Any]:
        """A generator's values are its rounds."""
        for value in generator:
            self.after(value)
            yield value
            self.before(())

    def before(self, args: tuple[Any, ...]) -> None:
        """A round begins."""
        if self._trial is None and self._round == self._next:
            self._next *= 4
            self._size = 0
            state = self._state.capture() if has_state(self._job) else None
            self._trial = ReplayCheck(self._spec, self._round, state, self._state.left_out, [], {})
        if self._trial is not None:
            job = self._job
            self._before = pickle.dumps((args, job.in_heads, job._head))

    def after(self, value: Any) -> None:
        """A round is over."""
        self._round += 1
        trial = self._trial
        if trial is None or (value is None and self._job.outputs):
            return
        one = Round(self._before, pickle.dumps(_outcome(self._job, value)))
        trial.rounds.append(one)
        self._size += len(one.before) + len(one.after)
        if len(trial.rounds) >= min(_MOST_ROUNDS, trial.start) or self._size > _MOST_BYTES:
            self._trial = None
            trial.attributes = self._state.attributes()
            path = Path(self._spec.trial)
            write_file(path, pickle.dumps(trial))


def repeat(trial: ReplayCheck) -> Verdict:
    """Make the job anew, in this process and folder, and compute the rounds again."""
    spec = trial.spec
    sys.path[:0] = spec.sys_path
    sys.path.append(os.getcwd())
    job: PythonJob = by_value.load(spec.job)
    job.head_size, job.resumed, job.repeating = spec.head_size, True, True
    verdict = Verdict(trial.start, 0, left_out=trial.left_out)
    values: Iterator[Any] | None = None
    try:
        job.setup()
        state = SavedState(job, lambda _level, _text: None)
        if trial.state is not None:
            state.restore(trial.state)
        for number, one in enumerate(trial.rounds, trial.start + 1):
            args, job.in_heads, job._head = pickle.loads(one.before)
            job.out_heads = [None] * len(job.outputs)
            value = job.run(*args) if values is None else None
            if isinstance(value, GeneratorType):
                values = value
            if values is not None:
                value = next(islice(values, 1), None)
            found = pickle.dumps(_outcome(job, value))
            if verdict.difference or _same(one.after, found):
                verdict.rounds += not verdict.difference
            else:
                verdict.difference = f"round {number} gives {_shown(found)} instead of {_shown(one.after)}"
        now = state.attributes()
        differ = [name for name, data in trial.attributes.items() if not _same(data, now.get(name, b""))]
        verdict.attributes = tuple(differ)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the result
        verdict.difference = f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        with contextlib.suppress(Exception):
            job.teardown()
    return verdict


def _outcome(job: PythonJob, value: Any) -> tuple[Any, ...]:
    return (value, job._head, job.out_heads) if job.HEAD else (value,)


def _same(one: bytes, other: bytes) -> bool:
    """Whether two pickled objects are equal, as far as can be seen."""
    if one == other:
        return True
    try:
        return _equal(pickle.loads(one), pickle.loads(other))
    except Exception:  # noqa: BLE001 - values that cannot be compared are not equal
        return False


def _equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    same = one == other
    return bool(same.all()) if hasattr(same, "all") else bool(same)


def _shown(outcome: bytes) -> str:
    text = repr(pickle.loads(outcome)[0])
    return text if len(text) <= 60 else f"{text[:57]}..."


def main() -> None:
    """Be a process of its own; arguments: the trial, and where the verdict goes, as JSON."""
    trial: ReplayCheck = pickle.loads(Path(sys.argv[1]).read_bytes())
    verdict = repeat(trial)
    write_file(Path(sys.argv[2]), json.dumps(asdict(verdict)).encode())
