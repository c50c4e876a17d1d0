"""The node service: `handle` answers the requests of the link, `admit` and `gone` are its callbacks.

```
link: admit -> join -> hello -> inventory -> start, stop, tell, bundle.* ... -> gone
```

Several clients may use a node at once, each with another network; the owner of a network is decided when it joins. Jobs
outlive their client for as long as their orders allow. The service never runs user code itself.
"""

import asyncio
import datetime as dt
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fission.cluster import JobExited, NodeDraining, NodeReport
from fission.engine.checkpoints.replicator import CheckpointReplicator
from fission.engine.checkpoints.server import CheckpointServer
from fission.engine.checkpoints.store import CheckpointStore
from fission.engine.files.provision import Operation
from fission.engine.host.job_host import BundleStore, JobHost
from fission.engine.host.load_average import LoadMeter
from fission.engine.host.work_folders import files_root, node_work_folder
from fission.engine.node import maintenance
from fission.engine.node.event_log import read_tail, write_down
from fission.engine.node.mesh import Mesh
from fission.engine.node.probe import PROBES
from fission.engine.node.sessions import ClientSessions, ConnectedClient
from fission.engine.protocol import link_messages
from fission.engine.protocol.interfaces import EngineEvent, NodeLink, Plain
from fission.engine.protocol.processes import processes_here
from fission.engine.protocol.versions import client_refusal
from fission.errors import RunError
from fission.security import IdentityFiles

_log = logging.getLogger(__name__)

REPORT_SECONDS = 1.0

_REMEMBERED = 14 * 86400.0
"""Seconds after which an interrupted run is forgotten: longer than any ORPHAN_TIMEOUT."""

_TO_SEE = frozenset({"log", "look"}) | PROBES
"""Operations of an observer: a client without a network, which changes nothing."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Settings of a node. `identity` is the folder of its certificate ("": clear text), `root` the folder of its files."""

    address: str
    root: Path
    name: str = ""
    slots: int = 1
    groups: tuple[str, ...] = ()
    identity: str = ""
    log: Path | None = None
    """The file of its log."""
    reboot: str = ""
    """The command that reboots the device; "" does not allow it."""


class NodeService:
    """Set `link`, `await start()`, and at last `await close()`.

    Clients receive `versions` and compare them. `in_use` receives the bundles that jobs use.
    """

    def __init__(
        self,
        settings: NodeSettings,
        store: BundleStore,
        *,
        versions: Mapping[str, str],
        operations: Mapping[str, Operation] | None = None,
        in_use: Callable[[frozenset[str]], None] = lambda _bundles: None,
    ) -> None:
        self.link: NodeLink | None = None
        self.service = uuid.uuid4().hex
        """Identifies this process; a restarted service has another one."""
        self.settings = settings
        identity = IdentityFiles(Path(settings.identity)) if settings.identity else None
        self._checkpoints = CheckpointStore(settings.root / ".states")
        self._checkpoint_server = CheckpointServer(self._checkpoints, identity)
        self._replicator = CheckpointReplicator(identity)
        self._store = store
        self.host = self._make_host()
        self._versions = dict(versions)
        self._in_use = in_use
        self._sessions = ClientSessions(settings.address, self._post, self._backlog)
        self._meter = LoadMeter(settings.root)
        self._info = self._meter.sample()
        self._mesh = Mesh()
        self._tasks: list[asyncio.Task[None]] = []
        self._draining = False
        self._own = self._operations()
        self._further: dict[str, Operation] = {
            **(operations or {}),
            "log": self._read_log,
            "look": self._look,
        }
        self._observers: set[str] = set()

    def _make_host(self) -> JobHost:
        settings = self.settings
        return JobHost(
            settings.address,
            settings.address,
            homes=partial(node_work_folder, settings.root),
            place=str(settings.root),
            store=self._store,
            on_event=self._heard,
            identity=settings.identity,
            replicator=self._replicator,
        )

    def _operations(self) -> dict[str, Callable[[ConnectedClient, Mapping[str, Plain]], Awaitable[Plain]]]:
        return {
            "hello": self._hello,
            "inventory": self._inventory,
            "processes": self._processes,
            "prepare": self._prepare,
            "start": self._start,
            "stop": self._stop,
            "tell": self._tell,
            "replicas": self._replicas,
            "ended": self._ended,
            "remove": self._remove,
            "reboot": self._reboot,
        }

    @property
    def attended(self) -> bool:
        """Whether a client is there."""
        return bool(self._sessions.clients)

    # -- start and stop ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start serving. Raises RunError when the port cannot be opened."""
        left = await self.host.clear()
        if left:
            _log.warning("ended %d processes of jobs that an earlier service had left", left)
        for network in await asyncio.to_thread(self._checkpoints.networks):
            self._sessions.remember(network, time.monotonic())
        self._replicator.own = self._checkpoint_server.listen(self.settings.address)
        if self.link is not None:
            await self.link.start()
        self.host.warm()
        self._tasks = [asyncio.create_task(self._report()), asyncio.create_task(self._mesh.watch())]

    async def close(self, *, force: bool = False) -> None:
        """Announce the end, so that clients restart their jobs elsewhere, and stop all jobs, at once if `force`."""
        self.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.link is not None:
            await self.link.close()
        await self.host.close(force=force)
        await self._checkpoint_server.close()
        self._replicator.close()

    def drain(self) -> None:
        """Refuse new jobs from now on, and report that to the clients."""
        if not self._draining:
            self._draining = True
            for client in self._sessions.clients:
                self._post(client.id, NodeDraining(client.name))

    # -- callbacks of the link ---------------------------------------------------------------------------

    def admit(self, client: str, about: Mapping[str, Plain]) -> str:
        """Admit a client that asks to join, or return the reason against it."""
        network = about.get("network")
        if self._draining:
            return "the node is about to end"
        if about.get("observer") is True:
            self._observers.add(client)
            return ""
        since = f"{dt.datetime.now():%Y-%m-%d %H:%M:%S}"
        who = f"{about.get('name') or 'the client'} at {about.get('host') or client}"
        reason = client_refusal(about.get("fission"), self._versions) or self._sessions.admit(
            client, network if isinstance(network, str) else "", who, since
        )
        if reason:
            _log.warning("refused %s: %s", who, reason)
        else:
            _log.info("%s joined with network %s", who, network)
        return reason

    def gone(self, client: str) -> None:
        """Handle the loss of an admitted client; its jobs continue until ORPHAN_TIMEOUT."""
        self._observers.discard(client)
        known = self._sessions.client(client)
        if known is not None and self._sessions.leave(client, time.monotonic()):
            running = len(self.host.incarnations(known.network))
            _log.info("%s is gone; %d jobs of network %s go on", known.who, running, known.network)
            if known.ended:
                self._sessions.end(known.network)

    async def handle(self, client: str, operation: str, arguments: Mapping[str, Plain]) -> Plain:
        """Carry out a request. Raises FissionError, whose text goes to the client."""
        if client in self._observers and operation in _TO_SEE & self._further.keys():
            return await self._further[operation](arguments)
        known = self._sessions.client(client)
        if known is None:
            raise RunError("the client has not joined", where=self.settings.address)
        if arguments.get("network", known.network) != known.network:
            raise RunError(
                "this network is not the client's",
                where=self.settings.address,
                expected=known.network,
                found=str(arguments["network"]),
            )
        if operation in self._own:
            return await self._own[operation](known, arguments)
        if operation in self._further:
            return await self._further[operation](arguments)
        raise RunError(f"there is no operation {operation!r}", where=self.settings.address)

    # -- operations --------------------------------------------------------------------------------------

    async def _hello(self, client: ConnectedClient, arguments: Mapping[str, Plain]) -> Plain:
        client.name = _text(arguments, "address", self.settings.address)
        client.run = _text(arguments, "run", "")
        self._mesh.meet(arguments.get("peers", ()))
        client.greeted = True
        await asyncio.to_thread(self._checkpoints.keep_runs, client.network, [client.run])
        return {**self._self(client.network), "states": self._replicator.own}

    async def _look(self, arguments: Mapping[str, Plain]) -> Plain:
        """Return a description of this node for observers, with what they may ask it."""
        offers = sorted(_TO_SEE & self._further.keys())
        return {**self._self(_text(arguments, "network", "")), "offers": offers}

    def _self(self, network: str) -> dict[str, Plain]:
        return {
            "service": self.service,
            "name": self.settings.name,
            "address": self.settings.address,
            "groups": list(self.settings.groups),
            "slots": self.settings.slots,
            "occupied": self._occupied(network),
            "info": link_messages.info_to_plain(self._info),
            "versions": self._versions,
            "tq": dict(self._mesh.tq),
        }

    async def _remove(self, client: ConnectedClient, arguments: Mapping[str, Plain]) -> Plain:
        """Remove the files of the client's network."""
        if self.host.incarnations(client.network):
            raise RunError("jobs of the network run here", where=self.settings.address, hint="Stop it first")
        self._tell_use()
        root = files_root(self.settings.root, maintenance.remote_root(arguments))
        return await maintenance.remove_network(root / client.network, client.network, self._checkpoints)

    async def _reboot(self, _client: ConnectedClient, _arguments: Mapping[str, Plain]) -> Plain:
        maintenance.reboot(self.settings.reboot, self.settings.address)
        return None

    async def _inventory(self, client: ConnectedClient, _arguments: Mapping[str, Plain]) -> Plain:
        lines = [link_messages.resident_to_plain(line) for line in self.host.inventory(client.network)]
        self._sessions.flush(client)
        return lines

    async def _processes(self, client: ConnectedClient, _arguments: Mapping[str, Plain]) -> Plain:
        return link_messages.processes_to_plain(processes_here(self.host.pids(client.network)))

    async def _prepare(self, _client: ConnectedClient, arguments: Mapping[str, Plain]) -> Plain:
        """Unpack the modules of a bundle before a job needs them."""
        await self._store.code_path(_text(arguments, "code", ""))
        return None

    async def _start(self, client: ConnectedClient, arguments: Mapping[str, Plain]) -> Plain:
        order = link_messages.order_from_plain(arguments.get("order"))
        if order.network != client.network:
            raise RunError("the order is for another network", expected=client.network, found=order.network)
        client.run = order.spec.run
        await self.host.start(order)
        self._tell_use()
        return None

    async def _stop(self, client: ConnectedClient, arguments: Mapping[str, Plain]) -> Plain:
        run, job, incarnation = _process(arguments)
        owner = self.host.network_of(run, job, incarnation)
        if owner == client.network:
            await self.host.stop(run, job, incarnation, force=arguments.get("force") is True)
        elif not owner:
            self._heard(client.network, run, JobExited(self.settings.address, job, incarnation, 0, run))
        else:
            raise RunError("this job belongs to another network", where=self.settings.address, found=owner)
        return None

    async def _tell(self, client: ConnectedClient, arguments: Mapping[str, Plain]) -> Plain:
        run, job, incarnation = _process(arguments)
        message = link_messages.message_from_plain(arguments.get("message"))
        if self.host.network_of(run, job, incarnation) == client.network:
            self.host.tell(run, job, incarnation, message)
        return None

    async def _replicas(self, client: ConnectedClient, arguments: Mapping[str, Plain]) -> Plain:
        """Take in which machines store checkpoints, and which incarnation of each job may write them from where."""
        replicas = link_messages.replicas_from_plain(arguments.get("replicas"))
        self._replicator.set_replicas(client.network, replicas.addresses)
        self._checkpoint_server.announce(client.network, client.run, replicas.placed)
        self.host.announce(client.network, client.run, replicas.placed)
        return None

    async def _ended(self, client: ConnectedClient, _arguments: Mapping[str, Plain]) -> Plain:
        """Remove what is left of a run that has ended."""
        client.ended = True
        await self.host.abandon(client.network)
        if not self._sessions.belongs_to_another(client):  # a new client may already have jobs here
            await self._forget(client.network)
        return None

    async def _forget(self, network: str) -> None:
        self._replicator.forget(network)
        self._checkpoint_server.forget(network)
        await asyncio.to_thread(self._checkpoints.keep_runs, network, [])

    async def _read_log(self, _arguments: Mapping[str, Plain]) -> Plain:
        if self.settings.log is None:
            raise RunError("this node keeps no log", where=self.settings.address)
        try:
            return await asyncio.to_thread(read_tail, self.settings.log)
        except OSError as error:
            raise RunError(
                f"the log cannot be read: {error.strerror}", where=self.settings.address
            ) from error

    # -- reports -----------------------------------------------------------------------------------------

    def _heard(self, network: str, run: str, event: EngineEvent) -> None:
        write_down(network, event)
        self._sessions.hear(network, run, event, time.monotonic())

    def _post(self, client: str, event: link_messages.NodeFact) -> None:
        if self.link is not None:
            self.link.post(client, "event", link_messages.event_to_plain(event))

    def _backlog(self, client: str) -> int:
        return 0 if self.link is None else self.link.backlog(client)

    def _tell_use(self) -> None:
        used: frozenset[str] = frozenset()
        self._in_use(used.union(*(one.bundles for one in self.host.incarnations())))

    def _occupied(self, network: str) -> int:
        """Return the number of slots that jobs of other networks occupy."""
        return sum(one.network != network for one in self.host.incarnations())

    async def _report(self) -> None:
        """About once a second: report the load, and stop jobs whose client stays away."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            try:
                await self._look_around()
            except Exception:  # noqa: BLE001 - the service goes on, and says so once a second
                _log.exception("a bug: the report of the node has failed")

    async def _look_around(self) -> None:
        self._info = self._meter.sample()
        self._tell_use()
        for client in self._sessions.clients:
            occupied = self._occupied(client.network)
            self._post(client.id, NodeReport(client.name, self._info, occupied, dict(self._mesh.tq)))
        for network, seconds in self._sessions.abandoned(time.monotonic()):
            await self._end_orphans(network, seconds)

    async def _end_orphans(self, network: str, seconds: float) -> None:
        """Stop the jobs of a network without a client, or forget it, when its time is over."""
        jobs = self.host.incarnations(network)
        if not jobs:
            self._replicator.forget(network)
            if seconds > _REMEMBERED:
                await self.host.abandon(network)
                await self._forget(network)
                self._sessions.end(network)
        elif seconds >= max(one.orphan_timeout for one in jobs):
            _log.warning("ends %d jobs of network %s: no client for %.0f s", len(jobs), network, seconds)
            await self.host.abandon(network)


def _text(arguments: Mapping[str, Plain], name: str, default: str) -> str:
    value = arguments.get(name, default)
    if not isinstance(value, str):
        raise RunError(f"{name} is no text", found=repr(value)[:80])
    return value or default


def _process(arguments: Mapping[str, Plain]) -> tuple[str, int, int]:
    """Return run, job and incarnation from the arguments of a request."""
    run, job, incarnation = (arguments.get(name) for name in ("run", "job", "incarnation"))
    if not isinstance(run, str) or type(job) is not int or type(incarnation) is not int:
        raise RunError("it is not clear which process is meant", expected="run, job and incarnation")
    return run, job, incarnation
