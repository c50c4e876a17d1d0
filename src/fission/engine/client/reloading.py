"""Hot reload of a running network: new code for its jobs, one after the other, from their checkpoints."""

import asyncio
import copy
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

from fission.cluster import Phase, ReloadFailed
from fission.cluster.reload import on_trial
from fission.cluster.transitions import JobState
from fission.core.groups import names
from fission.core.jobs import BaseJob
from fission.core.network import Network, Problem
from fission.engine.client.executor import InstructionExecutor
from fission.engine.client.job_orders import JobOrderFactory, Version
from fission.engine.client.run import ClusterRun
from fission.engine.files.bundles import Bundle, bundles_of
from fission.engine.host.job_spec import pickle_jobs
from fission.errors import FissionError, NetworkError, RunError
from fission.project.checks import check
from fission.project.job_files.imports import files_of
from fission.project.load import load_network

__all__ = ["Reloader"]

_LOOK = 0.05
_START_SECONDS = 120.0
"""Seconds for which a job may start with the new code, before the next one is not begun."""
_TRIAL_SECONDS = 2.0
"""Seconds for which a job that is ready is awaited to complete a round; one whose blocks come rarely goes on on trial."""
_NO_DESTINATION = "E113"
_REFUSED = "only code can be reloaded while the network runs"


@dataclass(slots=True)
class _Change:
    """What is new: the network with the new classes, and its bundles."""

    network: Network
    payloads: dict[int, bytes]
    code: Bundle | None = None
    """None: each job keeps the modules and files that it has."""
    files: dict[int, Bundle] = field(default_factory=dict)


class Reloader:
    """Reloads the jobs of one run, which has begun with the bundle `code`.

    `adapt` adds to a network that was read again what the program has added to the one that runs.
    """

    def __init__(
        self,
        network: Network,
        root: Path,
        run: ClusterRun,
        orders: JobOrderFactory,
        executor: InstructionExecutor,
        code: Bundle,
        adapt: Callable[[Network], Network],
    ) -> None:
        self._network = network
        self._root = root
        self._run = run
        self._orders = orders
        self._executor = executor
        self._codes = {code.digest: code}
        self._adapt = adapt
        self._busy = asyncio.Lock()
        self._failures: dict[int, str] = {}
        run.on_reverted = self._reverted

    async def reload_project(self, only: int | None = None) -> dict[str, Any]:
        """Read the project's files again, and restart the jobs that use changed ones, or `only` this one of them.

        Returns `lines` and `errors` for people, `jobs`, the ids of those that run the new code, and `failed`, whether the new
        code of a job has failed.
        """
        if self._busy.locked():
            return {"lines": [], "errors": ["another reload goes on"], "jobs": []}
        if not (Path(self._network.folder) / "config.py").is_file():
            text = "the network has no project whose files could be read again; give the new class: reload(Class)"
            return {"lines": [], "errors": [text], "jobs": []}
        async with self._busy:
            try:
                change = await self._read()
                affected = [id for id in self._affected(change) if only in (None, id)]
            except FissionError as error:
                return {"lines": [], "errors": _told(error), "jobs": []}
            if not affected:
                whose = "" if only is None else f" that {self._network.job(only).name} uses"
                return {"lines": [f"nothing{whose} has changed"], "errors": [], "jobs": []}
            return await self._restart(change, affected)

    async def reload_class(self, kind: type[BaseJob]) -> dict[str, Any]:
        """Give the jobs of a class with this name the class `kind`, which travels by value; otherwise as `reload_project`."""
        async with self._busy:
            jobs = list(self._network.jobs)
            affected = [job.id for job in jobs if type(job).__name__ == kind.__name__]
            if not affected:
                return {"lines": [], "errors": [f"no job is a {kind.__name__}"], "jobs": []}
            for id in affected:
                jobs[id - 1] = copy.copy(jobs[id - 1])
                jobs[id - 1].__class__ = kind
            try:
                payloads = await asyncio.to_thread(pickle_jobs, jobs)
            except FissionError as error:
                return {"lines": [], "errors": _told(error), "jobs": []}
            network = replace(self._network, jobs=tuple(jobs))
            answer = await self._restart(_Change(network, payloads), affected)
            if not answer["errors"]:
                self._network = network
            return answer

    # -- what is new -------------------------------------------------------------------------------------

    async def _read(self) -> _Change:
        """Load the network anew. Raises FissionError when it cannot run, or is another one than that which runs."""
        loaded, problems = await asyncio.to_thread(load_network, self._root, self._network.name)
        network = self._adapt(loaded)
        read = {str(edge.pipe) for edge in network.edges}  # also by the program that runs it
        errors = [
            one
            for one in (*problems, *check(network))
            if one.level == "error" and not (one.id == _NO_DESTINATION and one.where in read)
        ]
        if errors:
            raise NetworkError(
                f"the new code cannot run: {_first(errors)}",
                where=f"network {network.name}",
                problems=errors,
                hint="The old one goes on; fission check shows all errors",
            )
        _require_same(self._network, network)
        code, files = await bundles_of(network, self._root)
        payloads = await asyncio.to_thread(pickle_jobs, network.jobs)
        return _Change(network, payloads, code, files)

    def _affected(self, change: _Change) -> list[int]:
        """Return the jobs whose code, files or arguments differ, in the order of the network."""
        return [job.id for job in change.network.jobs if self._differs(job, change)]

    def _differs(self, job: BaseJob, change: _Change) -> bool:
        version = self._orders.version(job.id)
        if change.code is None or change.payloads[job.id] != version.job:
            return True
        if change.files[job.id].digest != version.files:
            return True
        before, after = _digests(self._codes[version.code]), _digests(change.code)
        changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
        if not changed:
            return False
        # changed files beside modules, such as models, count for the jobs of the same package
        used: set[str] = set()
        for module in _modules(job):
            used |= files_of(self._root, module)
        folders = {path.partition("/")[0] for path in used}
        return any(
            path in used or (not path.endswith(".py") and path.partition("/")[0] in folders)
            for path in changed
        )

    # -- restarts ----------------------------------------------------------------------------------------

    async def _restart(self, change: _Change, jobs: Collection[int]) -> dict[str, Any]:
        """Restart jobs, one after the other; stop at the first that fails. Its old code goes on."""
        if change.code is not None:
            self._codes[change.code.digest] = change.code
            self._executor.add([change.code, *change.files.values()])
            self._follow(change, jobs)
        lines: list[str] = []
        done: list[int] = []
        for id in jobs:
            self._failures.pop(id, None)
            before = self._orders.version(id)
            self._orders.use(id, _version(id, change, before))
            answer = self._run.request_reload(id)
            if answer["errors"]:
                self._orders.use(id, before)
                return {"lines": lines, "errors": answer["errors"], "jobs": done}
            lines += answer["lines"]
            problem = await self._await_trial(id)
            if problem:
                return {"lines": lines, "errors": [problem], "jobs": done, "failed": True}
            done.append(id)
            record = self._run.coordinator.jobs[id]
            where = "the client" if record.node == "LOCAL" else record.node
            lines.append(f"{record.name}: runs the new code on {where} (start {record.incarnation})")
        return {"lines": lines, "errors": [], "jobs": done}

    def _follow(self, change: _Change, jobs: Collection[int]) -> None:
        """Give the other jobs the new digest for their next start: what they use is the same, and the old files are gone."""
        for job in change.network.jobs:
            if job.id not in jobs and not self._differs(job, change):
                self._orders.use(job.id, _version(job.id, change, self._orders.version(job.id)))

    async def _await_trial(self, id: int) -> str:
        """Wait until a job has shown that its new code works, or seems to; return what is wrong."""
        job = self._run.coordinator.jobs[id]
        begin, ready = monotonic(), 0.0
        while self._run.coordinator.phase is Phase.RUNNING:
            if id in self._failures:
                return (
                    f"{job.name}: the new code has failed, and the old one goes on: {self._failures.pop(id)}"
                )
            if not job.trial or job.state is JobState.FINISHED:
                return ""
            if on_trial(job) and job.state is JobState.RUNNING:
                ready = ready or monotonic()
                if monotonic() - ready >= _TRIAL_SECONDS:
                    return ""
            if monotonic() - begin > _START_SECONDS:
                return f"{job.name}: does not run after {_START_SECONDS:.0f} s; the jobs after it were not reloaded"
            await asyncio.sleep(_LOOK)
        return f"{job.name}: the network has ended meanwhile"

    def _reverted(self, failed: ReloadFailed) -> None:
        self._orders.revert(failed.job)
        self._failures[failed.job] = failed.message


def _version(job: int, change: _Change, before: Version) -> Version:
    """Return the new version of a job, which keeps what is not part of the change."""
    if change.code is None:
        return Version(before.code, before.files, change.payloads[job])
    return Version(change.code.digest, change.files[job].digest, change.payloads[job])


def _require_same(old: Network, new: Network) -> None:
    """Raise RunError unless both networks have the same jobs and pipes, on the same groups."""
    if [job.name for job in old.jobs] != [job.name for job in new.jobs]:
        raise RunError(
            _REFUSED,
            where=f"network {old.name}",
            expected=f"the jobs {', '.join(job.name for job in old.jobs)}",
            found=", ".join(job.name for job in new.jobs),
            hint="Stop the network and run it again",
        )
    for one, other in zip(old.jobs, new.jobs, strict=True):
        for what, before, after in (
            ("inputs", _pipes(one.inputs), _pipes(other.inputs)),
            ("outputs", _pipes(one.outputs), _pipes(other.outputs)),
            ("GROUPS", names(one.GROUPS), names(other.GROUPS)),
        ):
            if before != after:
                raise RunError(
                    _REFUSED, where=f"job {one.name}, {what}", expected=str(before), found=str(after)
                )


def _pipes(pipes: Iterable[Any]) -> list[str]:
    return [f"{type(pipe).__name__}({pipe.id})" for pipe in pipes]


def _digests(bundle: Bundle) -> dict[str, str]:
    return {file.path: file.digest for file in bundle.listing.files}


def _modules(job: BaseJob) -> set[str]:
    """Return the modules of a job's class and of what it is made of, and those of its pipes."""
    kinds = [
        *type(job).__mro__,
        *(kind for pipe in (*job.inputs, *job.outputs) for kind in type(pipe).__mro__),
    ]
    return {kind.__module__ for kind in kinds if kind.__module__ in sys.modules and kind is not object}


def _first(problems: list[Problem]) -> str:
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{problems[0].where}: {problems[0].message}{more}"


def _told(error: FissionError) -> list[str]:
    return [str(error)]
