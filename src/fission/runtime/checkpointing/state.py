"""A job's state as bytes, and back: what `run` has left in the job's own attributes, or what `snapshot` returns.

All attributes go into one pickle, so that what they share stays shared. The job itself and its pipes are not
copied: what points to them points to them again afterwards.
"""

import contextlib
import copyreg
import io
import pickle
from collections.abc import Callable
from typing import Any

from fission.core.jobs import PythonJob
from fission.core.jobs.base import is_replayable
from fission.core.pipes import BasePipe
from fission.errors import RunError

_WARNING = 30
_restoring: PythonJob | None = None


class SavedState:
    """The state of one job, made after its `setup()`: `capture` between two rounds, `restore` before the first.

    Attributes that cannot be pickled at that moment are left out, and named in the log, once. The state
    records their names. Those that `run` has deleted are deleted again by `restore`.
    """

    def __init__(self, job: PythonJob, log: Callable[[int, str], None]) -> None:
        self._job = job
        self._log = log
        self._explicit = is_replayable(job)  # snapshot() returns it
        self._left_out: set[str] = set()
        self._named: set[str] = set()
        self._reducers = copyreg.dispatch_table.copy()
        self._reducers[type(job)] = self._reduce_job
        for pipe in (*job.inputs, *job.outputs):
            self._reducers[type(pipe)] = self._reduce_pipe
        self._attributes = -1
        self._complained = False
        self._made = {name for name in job.__dict__ if name not in job._UNSAVED}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to capture: the job has no attributes but those of the framework."""
        if self._explicit or self._made:
            return False
        attributes = self._job.__dict__
        if len(attributes) == self._attributes:
            return True
        if any(name not in self._job._UNSAVED for name in attributes):
            return False
        self._attributes = len(attributes)
        return True

    @property
    def left_out(self) -> tuple[str, ...]:
        """The attributes that the last capture could not pickle."""
        return tuple(sorted(self._left_out))

    def attributes(self) -> dict[str, bytes]:
        """Return every attribute, or what `snapshot()` returns, pickled on its own; without those that cannot be pickled."""
        if self._explicit:
            return {"snapshot()": self._pickled(self._job.snapshot())}  # type: ignore[attr-defined]
        found: dict[str, bytes] = {}
        for name, value in self._kept().items():
            with contextlib.suppress(Exception):
                found[name] = self._pickled(value)
        return found

    def capture(self) -> bytes | None:
        """Return the present state as bytes, independent of later changes. None: try again later."""
        job = self._job
        if self._explicit:
            return self._pickled(("told", job._finishing, job.snapshot(), job._pace))  # type: ignore[attr-defined]
        try:
            self._look_again()
            try:
                data = self._pickled(self._whole())
            except Exception as error:
                if _passes(error):
                    raise
                self._leave_out()
                data = self._pickled(self._whole())
        except Exception as error:  # noqa: BLE001 - such as a dict that a thread of the user changes meanwhile
            if not self._complained:
                self._log(_WARNING, f"its state cannot be captured now: {type(error).__name__}: {error}")
            self._complained = True
            return None
        self._complained = False
        return data

    def restore(self, data: bytes) -> None:
        """Restore a captured state into the job."""
        global _restoring  # noqa: PLW0603 - what is unpickled finds the job by it
        job = self._job
        _restoring = job
        try:
            how, finishing, state, *rest = pickle.loads(data)
        finally:
            _restoring = None
        if finishing:
            job.finish()
        if how == "told" and self._explicit:
            job.restore(state)  # type: ignore[attr-defined]
            (job._pace,) = rest
        elif how == "kept" and not self._explicit:
            job.__dict__.update(state)
            deleted, named = rest
            for name in deleted:
                job.__dict__.pop(name, None)
            self._made.update(deleted)
            self._named.update(named)
        else:
            raise RunError(
                "the stored state is of another kind",
                where=f"job {job.name}",
                hint="Was its class changed while the network ran? Start with --fresh",
            )

    # -- inside ------------------------------------------------------------------------------------------

    def _kept(self) -> dict[str, Any]:
        return {name: value for name, value in self._own().items() if name not in self._left_out}

    def _own(self) -> dict[str, Any]:
        """Return the attributes that are not the framework's."""
        unsaved = self._job._UNSAVED
        return {name: value for name, value in list(self._job.__dict__.items()) if name not in unsaved}

    def _whole(self) -> tuple[str, bool, dict[str, Any], list[str], list[str]]:
        """All that is captured, with the names of what `run` has deleted, and of what was left out and named in the log."""
        deleted = sorted(self._made - self._job.__dict__.keys())
        return "kept", self._job._finishing, self._kept(), deleted, sorted(self._named)

    def _pickled(self, state: object) -> bytes:
        buffer = io.BytesIO()
        pickler = pickle.Pickler(buffer, protocol=5)
        pickler.dispatch_table = self._reducers
        pickler.dump(state)
        return buffer.getvalue()

    def _look_again(self) -> None:
        """What could not be pickled at the last capture may be something else now."""
        own = self._own()
        self._left_out = {name for name in self._left_out if name in own and self._reason(own[name])}

    def _leave_out(self) -> None:
        """Find the attributes that cannot be pickled, and log their names."""
        reasons: dict[str, str] = {}
        for name, value in self._kept().items():
            reason = self._reason(value)
            if reason:
                self._left_out.add(name)
                reasons[name] = f"{name} ({reason})"
        new = sorted(reasons.keys() - self._named)
        if new:
            self._named.update(new)
            what = ", ".join(reasons[name] for name in new)
            self._log(
                _WARNING, f"its state is kept without what cannot be pickled; setup() has to make it: {what}"
            )

    def _reason(self, value: object) -> str:
        """Why a value cannot be pickled, in one line; "" when it can. What may pass is raised."""
        try:
            self._pickled(value)
        except Exception as error:
            if _passes(error):
                raise
            return f"{type(value).__name__}: {error}".splitlines()[0]
        return ""

    def _reduce_job(self, job: PythonJob) -> Any:
        return (_the_job, ()) if job is self._job else job.__reduce_ex__(5)

    def _reduce_pipe(self, pipe: BasePipe) -> Any:
        ours = any(pipe is one for one in (*self._job.inputs, *self._job.outputs))
        return (_the_pipe, (pipe.id,)) if ours else pipe.__reduce_ex__(5)


def _passes(error: Exception) -> bool:
    """Return whether a container was modified by a thread meanwhile; a lock of another process raises RuntimeError too."""
    return isinstance(error, RuntimeError) and "during iteration" in str(error)


def _the_job() -> PythonJob:
    if _restoring is None:
        raise RunError("a job's state was unpickled by somebody else", where="runtime.state")
    return _restoring


def _the_pipe(number: int) -> BasePipe:
    job = _the_job()
    return next(pipe for pipe in (*job.inputs, *job.outputs) if pipe.id == number)
