"""The composition root of a run: builds its parts and connects them.

```
with open_run(network, root, source=EmbeddedNodes(3, command)) as opened:
    session = opened.begin(observer)        # in an event loop
    outcome = await session.run()           # session.interrupt() asks for the end
```

Nothing here prints: whatever a person should see goes to the observer. Commands and programs use the same entry.
"""

import contextlib
import logging
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from fission.cluster import Policy
from fission.cluster.transitions import JobState
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.client.client_host import STATES, ClientHost
from fission.engine.client.control_socket import (
    ControlServer,
    LogRequest,
    ProcessesRequest,
    ReloadRequest,
    Request,
    WatchRequest,
)
from fission.engine.client.executor import InstructionExecutor
from fission.engine.client.invitations import client_identity, invited
from fission.engine.client.job_orders import JobOrderFactory
from fission.engine.client.link import StreamClientLink
from fission.engine.client.node_source import NodeSource
from fission.engine.client.presenter import RunObserver
from fission.engine.client.private.journal import Journal, remove_journal
from fission.engine.client.private.run_folder import run_folder
from fission.engine.client.private.run_secret import run_secret
from fission.engine.client.processes import processes_of
from fission.engine.client.reloading import Reloader
from fission.engine.client.run import GATHER_SECONDS, ClusterRun, RunOutcome
from fission.engine.files.bundles import Bundle, bundles_of
from fission.engine.host.scratch import EMBEDDED, scratch
from fission.engine.protocol.interfaces import ClientLink, LinkError
from fission.engine.protocol.processes import processes_here
from fission.engine.protocol.versions import imported_packages
from fission.engine.transport.addresses import require_own_address
from fission.engine.transport.failure_detector import MISSED
from fission.security.identity import Identity, load_identity

__all__ = ["OpenRun", "RunSession", "open_run"]

_BUSY_SECONDS = 4.0
"""Seconds that processes of an embedded cluster may take to end by force."""


@dataclass(frozen=True, slots=True)
class _Parameters:
    """What `open_run` was called with, as far as a session needs it."""

    seconds: float | None
    gather: float
    wait: float | None
    stop: bool
    keep_files: bool
    adapt: Callable[[Network], Network]


@contextlib.contextmanager
def open_run(
    network: Network,
    root: Path,
    *,
    source: NodeSource | None = None,
    seconds: float | None = None,
    gather: float = GATHER_SECONDS,
    wait: float | None = 0.0,
    fresh: bool = False,
    stop: bool = False,
    keep_files: bool = False,
    adapt: Callable[[Network], Network] = lambda network: network,
) -> Iterator["OpenRun"]:
    """Lock a checked network for a run, and prepare what does not need an event loop. Raises FissionError.

    `root` is the folder from which the user's modules are imported. The nodes are those of the network, or come from `source`.
    The run ends after `seconds`. At the start it waits up to `wait` seconds (None: without end) for nodes without which jobs
    have no place, and `gather` seconds for the others. `fresh` ignores what an interrupted run has left; `stop` takes that over
    only to stop it. `keep_files` leaves the files of earlier runs in the jobs' folders. `adapt` is applied to a
    network that is read again (see `Reloader`).
    """
    with contextlib.ExitStack() as stack:
        private = stack.enter_context(run_folder(network))
        if fresh:
            remove_journal(private)
        home = private
        if source is not None:
            if not source.outlives:  # there is nothing to take over
                home = stack.enter_context(scratch(EMBEDDED))
            network = source.prepare(network, home)
        if network.settings.client_ip:
            require_own_address(network.settings.client_ip, "CLIENT_IP")
        identity = _identity(network, root, source)
        journal = Journal(home)
        parameters = _Parameters(seconds, gather, wait, stop, keep_files, adapt)
        yield OpenRun(network, root, private, journal, identity, source, parameters)
        shutil.rmtree(private / STATES, ignore_errors=True)  # only an interrupted run needs its checkpoints


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A network that is locked for a run. `network` has the nodes of an embedded cluster in the place of its own."""

    network: Network
    root: Path
    private: Path
    journal: Journal
    identity: Identity | None
    source: NodeSource | None
    parameters: _Parameters

    def begin(self, observer: RunObserver) -> "RunSession":
        """Create the session, whose events `observer` receives; call it once, in an event loop."""
        parameters = self.parameters
        run = ClusterRun(
            self.network,
            observer,
            self.journal,
            invited=invited(self.network) if self.source is None else {},
            policy=self._policy(),
            seconds=parameters.seconds,
            gather=parameters.gather,
            wait=parameters.wait,
            origin="NODES" if self.source is None else self.source.origin,
        )
        observer.begin(run.run_id)
        if warning := self._warning():
            observer.log(None, logging.WARNING, warning)
        if parameters.stop:
            run.interrupt()
        return RunSession(self, run, observer)

    def _policy(self) -> Policy:
        settings = self.network.settings
        policy = Policy(
            max_restarts=settings.max_restarts,
            allocation_timeout=settings.allocation_timeout,
            link_timeout=settings.link_timeout
            and max(settings.link_timeout, 2 * MISSED * settings.pulse_interval),
        )
        shared = self.source is not None and self.source.shares_machine
        return replace(policy, force_grace=_BUSY_SECONDS) if shared else policy

    def _warning(self) -> str:
        """Return what is to be said about the security of the links; "" for nothing."""
        if self.identity is not None:
            return self.identity.warning()
        if self.network.settings.security == "off":
            return 'SECURITY = "off": anybody in this network can start programs on the nodes'
        return ""


class RunSession:
    """One run from its first connection to its end: `await run()`; `interrupt` may be called at any time."""

    def __init__(self, opened: OpenRun, run: ClusterRun, observer: RunObserver) -> None:
        self._opened = opened
        self._run = run
        self._observer = observer
        self._local: ClientHost | None = None
        self._reloader: Reloader | None = None

    @property
    def started(self) -> bool:
        """Whether every job runs, or has run."""
        return self._run.started

    def finished(self, job: int) -> bool:
        """Whether a job has finished."""
        return self._run.coordinator.jobs[job].state is JobState.FINISHED

    def interrupt(self) -> None:
        """Stop everything everywhere; a second call stops it by force."""
        self._run.interrupt()

    async def run(self) -> RunOutcome:
        """Run to the end; leave nothing behind. Raises RunError when the client cannot do its part."""
        source = self._opened.source
        if source is not None and source.description:
            self._observer.news(None, f"starts {source.description}")
        control = ControlServer(self._opened.private, self.answer, self.watch)
        await control.start()  # before all that may take long
        try:
            async with _running(source, self._run, lambda text: self._observer.news(None, text)):
                executor, self._local = await self._build()
                return await self._run.run(executor, executor.link, self._local)
        finally:
            await control.close()

    async def _build(self) -> tuple[InstructionExecutor, ClientHost]:
        """Build the executor, with its link, and the client's own host."""
        opened, run = self._opened, self._run
        code, files = await bundles_of(opened.network, opened.root)
        for warning in _warnings(code, files):
            self._observer.log(None, logging.WARNING, warning)
        local = ClientHost(
            opened.network,
            opened.root,
            files.values(),
            identity="" if opened.identity is None else os.fspath(opened.identity.folder),
            private=opened.private,
            on_event=run.on_event,
        )
        orders = JobOrderFactory(
            opened.network,
            run.run_id,
            code.digest,
            {job: bundle.digest for job, bundle in files.items()},
            run_secret(opened.private, run.run_id),
            keep=opened.parameters.keep_files,
        )
        modules = [source.path for source in code.sources.values() if source.path.suffix == ".py"]
        executor = InstructionExecutor(
            opened.network,
            run.run_id,
            connect=self._connect,
            local=local,
            orders=orders.order,
            bundles=[code, *files.values()],
            packages=imported_packages(modules),
            placed=run.placed,
            on_event=run.on_event,
            on_progress=self._observer.progress,
        )
        self._reloader = Reloader(
            opened.network, opened.root, run, orders, executor, code, opened.parameters.adapt
        )
        return executor, local

    @property
    def reloader(self) -> Reloader | None:
        """What reloads the jobs of this run; None before it has begun."""
        return self._reloader

    def _connect(self, executor: InstructionExecutor) -> ClientLink:
        """Create the link to the nodes, whose callbacks are those of the executor."""
        network = self._opened.network
        return StreamClientLink(
            identity=self._opened.identity,
            network=network.name,
            client=f"{socket.gethostname()}-{os.getpid()}-{self._run.run_id[:8]}",
            pulse_interval=network.settings.pulse_interval,
            up=executor.up,
            down=executor.down,
            refused=executor.refused,
            posted=executor.posted,
            about={"fission": metadata.version("fission")},
        )

    def watch(self, request: WatchRequest) -> AsyncIterator[Mapping[str, Any]]:
        """Describe blocks of a pipe from now on (see `PipeTaps.watch`)."""
        return self._run.taps.watch(**asdict(request))

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """Answer a request of the control socket, or of the program that holds this session."""
        if isinstance(request, ReloadRequest) and self._reloader is not None:
            return await self._reloader.reload_project(request.job or None)
        link = None if self._run.engine is None else self._run.engine.link
        if isinstance(request, ProcessesRequest):
            nodes = [node for node in self._run.coordinator.nodes if node != LOCAL]
            own = processes_here({} if self._local is None else self._local.pids())
            return {"processes": await processes_of(link, nodes, own)}
        if not isinstance(request, LogRequest):
            return self._run.answer(request)
        if link is None:
            return {"error": "there is no link to nodes"}
        try:
            return {"text": await link.request(request.node, "log")}
        except LinkError as error:
            return {"error": str(error)}


def _warnings(code: Bundle, files: Mapping[int, Bundle]) -> Iterator[str]:
    yield from code.warnings
    for bundle in files.values():
        yield from bundle.warnings


def _identity(network: Network, root: Path, source: NodeSource | None) -> Identity | None:
    if network.settings.security == "off":
        return None
    if source is not None:
        return None if source.client is None else load_identity(source.client)
    return client_identity(network, root) if invited(network) else None


@contextlib.asynccontextmanager
async def _running(
    source: NodeSource | None, run: ClusterRun, tell: Callable[[str], None]
) -> AsyncIterator[None]:
    try:
        if source is not None:
            await source.start(run, tell)
        yield
    finally:
        if source is not None:
            await source.close()
