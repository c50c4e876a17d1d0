"""Runs jobs on one machine: a node, or the client.

Each incarnation of a job is a process with a supervisor, in the job's folder. Two of one job never run at the same time:
a start waits for the end of the older one. What has ended stays in the inventory until a newer incarnation or another
run takes its place, so that a client that was away can read it. When this process is killed, its jobs end as well.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from fission.cluster import InventoryEntry, JobExited, JobNotStarted
from fission.engine.host.incarnation import Incarnation, Replicator
from fission.engine.host.reaper import Reaper
from fission.engine.host.socket_folder import socket_folder
from fission.engine.host.work_folders import WorkFolders
from fission.engine.protocol.interfaces import EngineEvent, JobOrder, PlacedJobs
from fission.errors import FissionError, RunError
from fission.runtime import messages
from fission.runtime.launch.prefork import ForkServerLauncher
from fission.runtime.messages import JobSpec
from fission.runtime.sockets.endpoints import Endpoint

_Key = tuple[str, int, int]
"""Run, job, incarnation."""


class BundleStore(Protocol):
    """The bundles that this machine has received. A digest is never "" here."""

    async def install(self, digest: str, folder: Path) -> None:
        """Copy the files of a bundle into a folder. Raises FissionError."""

    async def code_path(self, digest: str) -> Path:
        """Return the folder from which the modules of a bundle can be imported. Raises FissionError."""


class JobHost:
    """The client calls `start`, `stop` and `tell`; `on_event(network, run, event)` receives the events.

    Events carry `name` as the node; `ip` is this machine's address for data connections, and `identity` the folder
    of its certificate ("": clear text). `homes` says where the folders of a network's jobs lie. Call `clear` before
    the first start, and `close` at last.
    """

    def __init__(
        self,
        name: str,
        ip: str,
        *,
        homes: Callable[[JobOrder], Path],
        place: str,
        store: BundleStore,
        on_event: Callable[[str, str, EngineEvent], None],
        identity: str = "",
        replicator: Replicator | None = None,
    ) -> None:
        self._name = name
        self.ip = ip
        """The address for data connections; may be set until the first start."""
        self._home_of = homes
        self._homes = WorkFolders()
        self._store = store
        self._on_event = on_event
        self._identity = identity
        self._replicator = replicator
        self._reaper = Reaper(place)
        self._spares = ForkServerLauncher(self._reaper.environment)
        self._sockets: Path | None = None
        self._count = 0
        self._known: dict[_Key, Incarnation] = {}
        self._placed: dict[str, tuple[str, messages.Placed]] = {}
        self._listening: dict[_Key, Path] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def clear(self) -> int:
        """Kill the processes that a killed predecessor of the same `place` has left; return their number."""
        return await asyncio.to_thread(self._reaper.clear)

    def warm(self) -> None:
        """Start the fork server, so that the first jobs start quickly."""
        self._reaper.start()
        self._spares.warm()
        self._sockets = self._sockets or socket_folder()

    async def start(self, order: JobOrder) -> None:
        """Start an incarnation. Returns at once; JobListening or JobNotStarted follows."""
        key = (order.spec.run, order.spec.job_id, order.spec.incarnation)
        if key in self._known:
            return  # a repeated request
        network, run = order.network, order.spec.run

        def tell(event: EngineEvent) -> None:
            if isinstance(event, JobExited | JobNotStarted) and key in self._listening:
                self._listening.pop(key).unlink(missing_ok=True)
            self._on_event(network, run, event)

        others = [one for one in self._known.values() if (one.network, one.job) == (network, key[1])]
        if self._closing or any(one.run == run and one.incarnation > key[2] for one in others):
            tell(JobNotStarted(self._name, key[1], key[2], "it has been started again since"))
            return
        one = Incarnation(order, self._name, tell, self._replicator)
        self._forget(lambda old: old.network == network and (old.job == one.job or old.run != run))
        self._known[key] = one
        self._spawn(self._bring_up(one, order, [other for other in others if other.alive]))

    def announce(self, network: str, run: str, placed: PlacedJobs) -> None:
        """Pass on to the jobs of a run where its jobs are placed now."""
        message = messages.Placed({job: (one.incarnation, one.node) for job, one in placed.items()})
        self._placed[network] = run, message
        for one in self.incarnations(network):
            if one.run == run:
                one.tell(message)

    async def stop(self, run: str, job: int, incarnation: int, *, force: bool = False) -> None:
        """Stop an incarnation. Returns at once; JobExited follows in any case, also if there is no such process."""
        one = self._known.get((run, job, incarnation))
        if one is not None and one.alive:
            self._spawn(one.stop(force=force))
            return
        network, code = ("", 0) if one is None else (one.network, one.code)
        self._on_event(network, run, JobExited(self._name, job, incarnation, code, run))

    def tell(self, run: str, job: int, incarnation: int, message: messages.ToJob) -> None:
        """Send a message to the process of an incarnation, if it exists."""
        one = self._known.get((run, job, incarnation))
        if one is not None:
            one.tell(message)

    def inventory(self, network: str) -> tuple[InventoryEntry, ...]:
        """Return the inventory of a network: running incarnations, and the last ended one of each job."""
        return tuple(one.resident for one in self._known.values() if one.network == network)

    def incarnations(self, network: str = "") -> list[Incarnation]:
        """Return the running incarnations of one network or of all."""
        return [one for one in self._known.values() if one.alive and network in ("", one.network)]

    def pids(self, network: str = "") -> dict[int, int]:
        """Return the process of each job of one network or of all."""
        return {one.job: one.pid for one in self.incarnations(network) if one.pid is not None}

    def network_of(self, run: str, job: int, incarnation: int) -> str:
        """Return the network of an incarnation; "" if it is unknown here."""
        one = self._known.get((run, job, incarnation))
        return "" if one is None else one.network

    async def abandon(self, network: str) -> None:
        """Stop all jobs of a network, and remove them from the inventory."""
        await asyncio.gather(*(one.stop() for one in self.incarnations(network)))
        self._forget(lambda one: one.network == network)
        self._placed.pop(network, None)

    async def close(self, *, force: bool = False) -> None:
        """Stop everything, at once or after a grace period; return when no process is left."""
        self._closing = True
        await asyncio.gather(*(one.stop(force=force) for one in self.incarnations()))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._spares.close()
        await asyncio.to_thread(self._reaper.close)
        if self._sockets is not None:
            await asyncio.to_thread(shutil.rmtree, self._sockets, ignore_errors=True)

    # -- inside ------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self, which: Callable[[Incarnation], bool]) -> None:
        for key in [key for key, one in self._known.items() if not one.alive and which(one)]:
            del self._known[key]

    async def _bring_up(self, one: Incarnation, order: JobOrder, before: list[Incarnation]) -> None:
        try:
            await asyncio.gather(*(other.stop(force=True) for other in before))
            spec = await self._prepare(one, order)
            if one.stopping:
                raise RunError("it was told to stop before it had started")
            await one.launch(spec, self._spares)
            run, placed = self._placed.get(one.network, ("", None))
            if placed is not None and run == one.run:  # it may have arrived while the job was prepared
                one.tell(placed)
        except FissionError as error:
            one.fail(str(error))
        except OSError as error:
            one.fail(f"its process cannot be started: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - the client must hear of it whatever it is
            one.fail(f"{type(error).__name__}: {error}".partition("\n")[0])

    async def _prepare(self, one: Incarnation, order: JobOrder) -> JobSpec:
        folders = await asyncio.to_thread(self._homes.prepare, self._home_of(order), order)
        if order.files and not one.stopping:
            await self._store.install(order.files, folders.work)
        code = await self._store.code_path(order.code) if order.code else None
        self._reaper.start()
        kept: tuple[messages.Checkpoint, ...] = ()
        if self._replicator is not None and order.spec.resume:
            kept = await one.unless_stopped(self._replicator.fetch(order, folders.state))
        return replace(
            order.spec,
            folder=os.fspath(folders.work),
            sys_path=() if code is None else (os.fspath(code),),
            listen=self._listen((one.run, one.job, one.incarnation)),
            machine=self.ip,
            identity=self._identity,
            checkpoints=kept,
            state_folder=os.fspath(folders.state) if self._replicator is not None else "",
        )

    def _listen(self, key: _Key) -> str:
        """Return the addresses of a job: TCP for other machines, a Unix socket for this one."""
        if self._sockets is None:
            self._sockets = socket_folder()
        self._count += 1
        kind = "tls" if self._identity else "tcp"
        path = self._listening[key] = self._sockets / str(self._count)
        return f"{Endpoint(kind, self.ip)} {Endpoint('unix', path=os.fspath(path))}"
