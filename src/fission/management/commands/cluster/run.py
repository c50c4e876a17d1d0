"""`run`: run a network on its nodes, or on an embedded cluster of this machine."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fission.cluster import Outcome, Policy
from fission.core.network import Network
from fission.core.nodes import LocalNode, MultiNode
from fission.engine.client.client_host import STATES, ClientHost
from fission.engine.client.control_socket import ControlServer
from fission.engine.client.embedded import EmbeddedCluster, EmbeddedNode, plan, played
from fission.engine.client.executor import InstructionExecutor
from fission.engine.client.job_orders import JobOrderFactory
from fission.engine.client.journal import Journal, remove_journal
from fission.engine.client.link import StreamClientLink
from fission.engine.client.run import GATHER_SECONDS, ClusterRun, RunOutcome
from fission.engine.client.run_secret import run_secret
from fission.engine.files.bundles import bundles_of
from fission.engine.files.locks import lock_folder, lock_holder
from fission.engine.host.scratch import EMBEDDED, scratch
from fission.engine.protocol.interfaces import ClientLink, LinkError
from fission.engine.protocol.job_report import missing_output
from fission.engine.protocol.versions import imported_packages
from fission.engine.transport.addresses import require_own_address
from fission.errors import ProjectError
from fission.management.access.running_client import LOGS, private_folder
from fission.management.access.signals import not_ignored
from fission.management.commands.cluster.debug import open_debug_window
from fission.management.console.relays import Carrier, relays
from fission.management.console.run_console import ClusterConsole
from fission.management.console.run_log import RunLog, log_file, record_file
from fission.management.node.start import embedded_commands
from fission.project.addresses import expand_pattern
from fission.runtime.sockets.descriptors import raise_descriptor_limit
from fission.security.identity import Identity, load_identity
from fission.security.roles import Role

_NOBODY_READS = 1
_BUSY_SECONDS = 4.0
"""How long processes of an embedded cluster may take to end by force."""


@dataclass(frozen=True, slots=True)
class Playing:
    """The nodes of an embedded cluster, and the client's certificate for it (None: clear text)."""

    nodes: tuple[EmbeddedNode, ...]
    client: Path | None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run.

    `embedded`: so many nodes on this machine; `fresh`: not to go on where an earlier client stopped; `gather`: seconds to
    wait for nodes at the start; `stop`: take over what runs, and stop it; `keep_files`: leave in the jobs' folders what an
    earlier run has left there; `playing`: an embedded cluster that somebody else has started.
    """

    embedded: int = 0
    seconds: float | None = None
    until_finished: bool = False
    fresh: bool = False
    quiet: bool = False
    gather: float | None = None
    stop: bool = False
    keep_files: bool = False
    playing: Playing | None = None


def run_network(network: Network, root: Path, options: RunOptions) -> int:
    """Run a network that has been checked; return the exit code of the command.

    0 when it finished, was ended with Ctrl+C or after the given time; 1 when it failed; 2 when it cannot start. With
    `until_finished` only a network that has finished gives 0. Raises FissionError before anything is started.
    """
    raise_descriptor_limit()
    private = _own(network)
    if options.fresh:
        remove_journal(private)
    with contextlib.ExitStack() as stack:
        playing, home, cluster = options.playing, private, None
        if options.embedded:
            # nodes of an embedded cluster end with their client: there is nothing to take over
            home = stack.enter_context(scratch(EMBEDDED))
            network, nodes = plan(network, options.embedded)
            slots = max(os.cpu_count() or 1, len(network.jobs))
            secure = network.settings.security == "tls"
            cluster = EmbeddedCluster(nodes, home, command=embedded_commands(slots), secure=secure)
            playing = Playing(nodes, cluster.client)
        elif playing is not None:
            network = played(network, playing.nodes)
        if network.settings.client_ip:
            require_own_address(network.settings.client_ip, "CLIENT_IP")
        identity = _identity(network, root, playing)
        log = stack.enter_context(log_file(root / network.settings.log_file, network.settings.log_level))
        output = stack.enter_context(relays())
        console = stack.enter_context(ClusterConsole(network, quiet=options.quiet))
        records = stack.enter_context(record_file(private / LOGS))
        watcher = RunLog(network, console, log, records)
        journal = Journal(home)
        try:
            outcome = asyncio.run(
                _Session(network, root, private, options, watcher, journal, identity).run(
                    cluster, {} if playing is None else ports_of(playing.nodes), output
                )
            )
        finally:
            journal.close()
        # only a run that was cut off is gone on with
        shutil.rmtree(private / STATES, ignore_errors=True)
        code = _tell(network, outcome, console, log, options)
        return _NOBODY_READS if output.broken else code


class _Session:
    """The parts of one run, put together."""

    def __init__(
        self,
        network: Network,
        root: Path,
        private: Path,
        options: RunOptions,
        watcher: RunLog,
        journal: Journal,
        identity: Identity | None,
    ) -> None:
        self._network = network
        self._root = root
        self._private = private
        self._options = options
        self._watcher = watcher
        self._journal = journal
        self._identity = identity

    async def run(
        self, cluster: EmbeddedCluster | None, ports: Mapping[str, int], output: Carrier
    ) -> RunOutcome:
        """Run to the end."""
        run = ClusterRun(
            self._network,
            self._watcher,
            self._journal,
            invited=invited(self._network, ports),
            policy=self._policy(embedded=cluster is not None),
            seconds=self._options.seconds,
            gather=GATHER_SECONDS if self._options.gather is None else self._options.gather,
        )
        self._watcher.begin(run.run_id)
        self._warn()
        if self._options.stop:
            run.interrupt()
        elif note := open_debug_window(self._network, simulation=False):
            self._watcher.news(None, note)
        loop = asyncio.get_running_loop()
        for number in not_ignored(signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, run.interrupt)
        output.when_broken(partial(_soon, loop, run.interrupt))
        async with _running(cluster, run):
            engine, local = await self._hands(run)
            link = self._link(engine, run)
            engine.link = link
            control = ControlServer(self._private, partial(_answer, run, link))
            await control.start()
            try:
                return await run.run(engine, link, local)
            finally:
                output.when_broken(None)
                await control.close()

    def _policy(self, *, embedded: bool) -> Policy:
        settings = self._network.settings
        policy = Policy(max_restarts=settings.max_restarts, allocation_timeout=settings.allocation_timeout)
        # All embedded nodes share this machine: where it is busy, the last processes take longer to end.
        return replace(policy, force_grace=_BUSY_SECONDS) if embedded else policy

    def _warn(self) -> None:
        """Tell what is wrong with the security of the links."""
        if self._identity is None:
            warning = ""
            if self._network.settings.security == "off":
                warning = 'SECURITY = "off": anybody in this network can start programs on the nodes'
        else:
            warning = self._identity.warning()
        if warning:
            self._watcher.log(None, logging.WARNING, warning)

    async def _hands(self, run: ClusterRun) -> tuple[InstructionExecutor, ClientHost]:
        code, files = await bundles_of(self._network, self._root)
        for warning in (*code.warnings, *(text for bundle in files.values() for text in bundle.warnings)):
            self._watcher.log(None, logging.WARNING, warning)
        digests = {job: bundle.digest for job, bundle in files.items()}
        identity = "" if self._identity is None else os.fspath(self._identity.folder)
        local = ClientHost(
            self._network,
            self._root,
            files.values(),
            identity=identity,
            private=self._private,
            on_event=run.on_event,
        )
        modules = [source.path for source in code.sources.values() if source.path.suffix == ".py"]
        engine = InstructionExecutor(
            self._network,
            run.run_id,
            local=local,
            orders=JobOrderFactory(
                self._network,
                run.run_id,
                code.digest,
                digests,
                run_secret(self._private, run.run_id),
                keep=self._options.keep_files,
            ).order,
            bundles=[code, *files.values()],
            packages=imported_packages(modules),
            placed=run.placed,
            on_event=run.on_event,
            on_progress=self._watcher.progress,
        )
        return engine, local

    def _link(self, engine: InstructionExecutor, run: ClusterRun) -> ClientLink:
        return StreamClientLink(
            identity=self._identity,
            network=self._network.name,
            client=f"{socket.gethostname()}-{os.getpid()}-{run.run_id[:8]}",
            pulse_interval=self._network.settings.pulse_interval,
            up=engine.up,
            down=engine.down,
            refused=engine.refused,
            posted=engine.posted,
        )


async def _answer(run: ClusterRun, link: ClientLink, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Do what another terminal wants."""
    match request:
        case {"do": "log", "node": str(node)}:
            try:
                return {"text": await link.request(node, "log")}
            except LinkError as error:
                return {"error": str(error)}
    return run.answer(request)


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(call)


def _own(network: Network) -> Path:
    """Lock the network's folder and the client's private one in it, which is made, until this process ends.

    The private folder may be removed while the network runs: the lock of the other one refuses a second client even then.
    """
    home, folder = Path(network.folder), private_folder(network.folder)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if lock_folder(folder) and lock_folder(home):
            return folder
    except OSError as error:
        raise ProjectError(
            f"the network's private folder cannot be made: {error.strerror}", where=str(folder)
        ) from error
    raise ProjectError(
        "the network is being run already",
        where=f"network {network.name}",
        found=f"process {pid}" if (pid := lock_holder(home)) else "",
        hint=f"See `fission status {network.name}`, or end it: `fission stop {network.name}`",
    )


def ports_of(nodes: Sequence[EmbeddedNode]) -> dict[str, int]:
    """The ports of embedded nodes, by their addresses."""
    return {node.address: node.port for node in nodes}


def _identity(network: Network, root: Path, playing: Playing | None) -> Identity | None:
    if network.settings.security == "off":
        return None
    if playing is not None and playing.client is not None:
        return load_identity(playing.client)
    if not invited(network):
        return None
    return client_identity(network, root)


def client_identity(network: Network, root: Path) -> Identity | None:
    """The certificate with which this machine is a client; None without SECURITY. Raises CertificateError."""
    if network.settings.security == "off":
        return None
    return load_identity(root / network.settings.certs / Role.CLIENT, Role.CLIENT)


def invited(network: Network, ports: Mapping[str, int] | None = None) -> dict[str, int]:
    """The nodes to be invited, with their ports (where they are others): those of NODES, patterns written out."""
    addresses: dict[str, int] = {}
    for node in network.nodes:
        if isinstance(node, LocalNode):
            continue
        for address in expand_pattern(node.ip) if isinstance(node, MultiNode) else (node.ip,):
            addresses[address] = (ports or {}).get(address, network.settings.node_port)
    return addresses


@contextlib.asynccontextmanager
async def _running(cluster: EmbeddedCluster | None, run: ClusterRun) -> AsyncIterator[None]:
    try:
        if cluster is not None:
            cluster.spawn()
            await cluster.listening(lambda: run.interrupted)
        yield
    finally:
        if cluster is not None:
            await cluster.close()


def _tell(
    network: Network,
    outcome: RunOutcome,
    console: ClusterConsole,
    log: logging.Logger,
    options: RunOptions,
) -> int:
    end = outcome.end
    if any(report.incarnation for report in outcome.jobs.values()):
        console.summary(outcome.jobs, outcome.seconds)
    if end.failure is not None:
        if end.failure.traceback:
            console.error(end.failure.traceback.rstrip())
        console.error(f"error: {end.failure.message}")
        log.error("%s", end.failure.message)
        return end.exit_code
    finished = end.outcome is Outcome.FINISHED
    if options.until_finished and not finished:
        console.error(f"error: the network had not finished after {outcome.seconds:.1f} s")
        return 1
    if options.until_finished and (missing := missing_output(network, outcome.jobs)):
        console.error(f"error: {missing}")
        return 1
    console.say(f"ran for {outcome.seconds:.1f} s: " + ("all jobs have finished" if finished else "stopped"))
    return end.exit_code
