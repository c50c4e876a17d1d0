"""The emulator of a job: one call is one round of a real process."""

import os
import pickle
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Sequence
from itertools import count
from math import inf
from os import PathLike
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from fission.core.head import WIRE_FINISHED, Head
from fission.core.jobs import BaseJob, ExecutableJob
from fission.core.network import Network, Settings
from fission.core.pipes import BasePipe, PicklePipe
from fission.emulate.calls import RoundInput, round_inputs
from fission.emulate.errors import JobFinished
from fission.emulate.folder import JobFolder, find_project
from fission.emulate.harness import Sealed
from fission.emulate.neighbors import Neighbors
from fission.emulate.process import ChildProcess
from fission.engine.host.job_spec import pickle_job
from fission.errors import RunError
from fission.runtime import messages
from fission.runtime.messages import JobSpec
from fission.runtime.sockets.poller import Poller

__all__ = ["JobEmulator"]

_PULSE = 0.5
_LAST_ID = 0xFFFFFFFF


class JobEmulator:
    """Runs one round of a job per call: takes one value per input, and returns the list of its outputs.

    The job runs in its own process, as in a network; the emulator acts as the jobs around it. Use it in
    a `with` statement, or call `kill()` at the end. The process ends with the calling program in any case. Not
    thread-safe.
    """

    job: BaseJob
    """The job that was passed; a copy of it runs in the process."""
    cwd: Path
    """The job's working directory: `.emulate/<id>` in the project."""
    heads: list[Head]
    """The heads of the blocks that the last call returned, one per output."""
    round: int
    """The number of complete rounds."""
    finished: bool
    """Whether the stream of the job has ended, so that no further call is possible."""

    def __init__(
        self,
        job: BaseJob,
        *,
        network: Network | None = None,
        root: str | PathLike[str] | None = None,
        timeout: float | None = 10.0,
    ) -> None:
        """Start the process, and wait until `setup` is done. See `fission.emulate.emulate`."""
        self.job = job
        self.heads = []
        self.round = 0
        self.finished = False
        self._timeout = timeout
        self._why_over = ""
        self._taken: tuple[list[Any], list[int]] | None = None
        project = _project(network, root)
        network = network or _unconfigured(job, project)
        self._head_size = network.settings.head_size
        folder = JobFolder(project, job, network)
        self.cwd = folder.path
        try:
            self._stage = stage = _Stage(job, network, folder, project)
        except BaseException:
            folder.release()
            raise
        self._close = weakref.finalize(self, stage.close)
        with _EndOnError(self):
            self._wait(
                lambda: stage.child.ready and stage.neighbors.connected,
                _Limit(timeout),
                "setup() has not returned",
            )
            shutil.rmtree(stage.sockets, ignore_errors=True)  # all connections are established

    @property
    def pid(self) -> int:
        """Id of the job's process."""
        return self._stage.child.pid

    def __call__(
        self,
        *values: Any,
        head: Head | int | Sequence[Any] | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Compute a round; return one value per output, [] for a job without outputs.

        One value per input: a list or tuple of `BLOCK_COUNT` values where that is more than 1; for an optional
        input the value that arrives before this round, None if none does. `head` is for the blocks of all inputs,
        or a list has one per input (where `BLOCK_COUNT` is more than 1, it may be a list again). One with the reset
        bit begins a new epoch on all inputs. `timeout` in seconds; None: the one that the emulator was made with.

        Raises UserError for arguments that do not fit, JobFailed (with the user's traceback) when `run` raises,
        JobFinished when there is no round any more, RunError when it takes too long or the process has died. After
        each of these but the first the emulator has ended.
        """
        self._check_open()
        stage = self._stage
        inputs = round_inputs(self.job, stage.neighbors.feeds, values, head, self._head_size)
        with _EndOnError(self):
            blocks, wires = self._compute(inputs, self._timeout if timeout is None else timeout)
            outputs = len(self.job.outputs)  # the bell may follow
            taps = stage.neighbors.taps[:outputs]
            self.heads = [Head.from_wire(wire, self._head_size) for wire in wires[:outputs]]
            self.round += 1
            if any(wire & WIRE_FINISHED for wire in wires):
                self._finish()
            return [tap.decode(block) for tap, block in zip(taps, blocks[:outputs], strict=True)]

    def kill(self) -> None:
        """End the process: it may call `teardown`, for at most a second. Has no effect after the end."""
        if self._close.alive:
            self._why_over = self._why_over or "it was killed"
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def __repr__(self) -> str:
        return f"<emulator of {self.job.name}: {self._why_over or f'process {self.pid}'}>"

    # -- inside ------------------------------------------------------------------------------------------

    def _compute(self, inputs: RoundInput, timeout: float | None) -> tuple[list[Any], list[int]]:
        neighbors = self._stage.neighbors
        limit = _Limit(timeout)
        reset = inputs.reset and self.round > 0
        neighbors.write(inputs.optional, reset=reset)
        if inputs.optional:
            self._wait(lambda: neighbors.flushed, limit, "it has not taken its optional inputs")
        neighbors.write(inputs.waited_for)
        self._wait(self._look, limit, "run() has not returned")
        taken, self._taken = self._taken, None
        if taken is None:
            self._finish()
            raise JobFinished(self._why_over, where=f"job {self.job.name}")
        self._stage.child.show_output()
        return taken

    def _look(self) -> bool:
        """Return whether the round is complete, or can never be."""
        neighbors = self._stage.neighbors
        self._taken = neighbors.take()
        return self._taken is not None or neighbors.finished

    def _wait(self, condition: Callable[[], bool], limit: "_Limit", what: str) -> None:
        stage = self._stage
        while not condition():
            stage.child.check()
            left = limit.left(_PULSE)
            if left <= 0:
                stage.child.show_output()
                raise RunError(
                    f"{what} within {limit.seconds:g} s",
                    where=f"job {self.job.name}",
                    hint="Its process was ended. If it needs longer, pass a larger timeout",
                )
            stage.neighbors.step(left)

    def _finish(self) -> None:
        self.finished = True
        self._why_over = f"it has finished after {self.round} round{'' if self.round == 1 else 's'}"
        self._stage.neighbors.dismiss()

    def _check_open(self) -> None:
        if self.finished:
            raise JobFinished(self._why_over, where=f"job {self.job.name}")
        if not self._close.alive:
            raise RunError(
                f"its emulator has ended: {self._why_over or 'the program ends'}",
                where=f"job {self.job.name}",
                hint="Make a new one",
            )


class _Limit:
    """A time limit that starts now; None: no limit."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = inf if seconds is None else seconds
        self._end = monotonic() + self.seconds

    def left(self, most: float) -> float:
        """Seconds that are left, at most `most`; 0 or less when the limit has passed."""
        return min(most, self._end - monotonic())


class _EndOnError:
    """Ends the emulator after an error inside the block, as its state is unknown then."""

    def __init__(self, emulator: JobEmulator) -> None:
        self._emulator = emulator

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._emulator._why_over = (
                self._emulator._why_over or f"{type(error).__name__} in an earlier call"
            )
            self._emulator.kill()


class _Stage:
    """The resources of an emulator that must be closed."""

    def __init__(self, job: BaseJob, network: Network, folder: JobFolder, project: Path) -> None:
        taken = {pipe.id for pipe in (*job.inputs, *job.outputs)}
        waits = isinstance(job, ExecutableJob) or any(not pipe.ASYNC for pipe in job.inputs)
        gate = None if waits else _hidden_pipe(taken)
        bell = None if job.outputs else _hidden_pipe(taken)
        modules = _modules(job)
        sealed = Sealed(pickle_job(job), gate, bell, modules)
        self.sockets = Path(tempfile.mkdtemp(prefix="fission-"))
        self._folder = folder
        self._owner = os.getpid()
        try:
            poller = Poller()
            self.neighbors = Neighbors(
                [*job.inputs, *([gate] if gate else [])],
                [*job.outputs, *([bell] if bell else [])],
                self.sockets,
                poller,
            )
            spec = JobSpec(
                run=self.neighbors.run,
                job_id=job.id,
                name=job.name,
                incarnation=1,
                folder=str(folder.path),
                sys_path=_search_path(project),
                listen=f"unix:{self.sockets / 'job'}",
                head_size=network.settings.head_size,
                log_level=network.settings.log_level,
                needed_blocks={},
                queue_limits={},
                job=pickle.dumps(sealed, protocol=5),
            )
            routes: list[messages.ToJob] = [
                messages.Route(tap.pipe.id, self.neighbors.address) for tap in self.neighbors.taps
            ]
            self.child = ChildProcess(spec, routes, poller, self.neighbors.connect)
        except BaseException:
            shutil.rmtree(self.sockets, ignore_errors=True)
            raise

    def close(self) -> None:
        """End the process and release its resources."""
        if os.getpid() != self._owner:  # a fork of the caller, which ends before it
            return
        self.child.close()
        self.neighbors.close()
        self._folder.release()
        shutil.rmtree(self.sockets, ignore_errors=True)


def _hidden_pipe(taken: set[int]) -> BasePipe:
    """Return a pipe outside of `core.base.PIPES`, with an id that no other pipe of the job has."""
    number = next(id for id in count(_LAST_ID, -1) if id not in taken)
    taken.add(number)
    pipe: BasePipe = type.__call__(PicklePipe, number)
    return pipe


def _modules(job: BaseJob) -> dict[str, str]:
    """Return the modules of the classes of the job and its pipes, with their files. Those of `__main__` travel by value."""
    found: dict[str, str] = {}
    for kind in (type(job), *map(type, job.inputs), *map(type, job.outputs)):
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None)
        if file and kind.__module__ != "__main__" and not kind.__module__.startswith("fission."):
            found[kind.__module__] = file
    return found


def _search_path(project: Path) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.abspath(path) for path in (str(project), *sys.path)))


def _project(network: Network | None, root: str | PathLike[str] | None) -> Path:
    if root is not None:
        return Path(root).absolute()
    if network is not None and network.folder:
        return Path(network.folder).parent
    here = Path.cwd()
    return find_project(here) or here


def _unconfigured(job: BaseJob, project: Path) -> Network:
    """Return a network for a job without one, named after the package of its class."""
    name = type(job).__module__.partition(".")[0]
    folder = project / name
    return Network(
        name, (job,), (), Settings(), str(folder if folder.is_dir() else project / "network"), edges=()
    )
