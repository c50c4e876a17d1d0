"""The workers of a Dask cluster as the nodes of a run: each gets a node service beside it; workers may come and go."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from fission.core.network import Network
from fission.core.node_names import node_name
from fission.core.nodes import LocalNode
from fission.dask_cluster.nodes import entries
from fission.dask_cluster.worker import ServiceOrder, running, start_service, stop_service
from fission.engine.client.node_source import NodeOffers
from fission.engine.client.start_progress import StartProgress
from fission.errors import FissionError, RunError, UserError
from fission.security.ephemeral import EphemeralAuthority

__all__ = ["DaskNodes"]

_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 0.5
_CHECK_SECONDS = 5.0
"""Seconds between two questions whether the services still run."""
_AGAIN_SECONDS = 30.0
"""Seconds after which a worker is tried again whose service did not start."""
_FAREWELL_SECONDS = 10.0
_FIRST_SECONDS = 300.0
"""Seconds for which a start waits for the first worker: the queue of a batch system may take long."""
_ALONE_SECONDS = 30.0
_CALL_SECONDS = 60.0
_CALLS = 8
"""Workers that are spoken to at the same time."""
_SECURE = ("tls://", "inproc://")


@dataclass(slots=True)
class _Worker:
    """A worker that the scheduler has named. `node` is "" until its service listens."""

    host: str
    name: str
    slots: int
    groups: tuple[str, ...]
    node: str = ""
    starting: "asyncio.Task[None] | None" = None
    not_before: float = 0.0


class DaskNodes:
    """A `NodeSource`: `cluster` is the address of a Dask scheduler, or a `Cluster` or `Client` of the package distributed.

    The certificates of the run are made here and travel over the connections of Dask. A Dask cluster without TLS is therefore
    refused unless the network has `SECURITY = "off"`.
    """

    origin = "dask"
    outlives = False
    shares_machine = False

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._client: Any = None
        self._own_client = not _is_client(cluster)
        self._run = uuid.uuid4().hex
        self._authority: EphemeralAuthority | None = None
        self._workers: dict[str, _Worker] = {}
        self._following: asyncio.Task[None] | None = None
        self._tell: Callable[[str], None] = lambda _text: None
        self._checked = 0.0
        self._calls = ThreadPoolExecutor(_CALLS, "fission-dask")
        """Of its own: a worker that hangs must not keep the run from the threads that it needs."""

    @property
    def client(self) -> Path | None:
        """Folder of the client's certificate."""
        return None if self._authority is None else self._authority.client

    @property
    def description(self) -> str:
        """What is started."""
        where = self._cluster if isinstance(self._cluster, str) else "a Dask cluster"
        return f"a node service beside each worker of {where}"

    def prepare(self, network: Network, folder: Path) -> Network:
        """Make the certificates. Raises UserError for an address without TLS."""
        if network.settings.security == "tls":
            if isinstance(self._cluster, str):
                _require_tls(self._cluster, network)
            self._authority = EphemeralAuthority(folder / "certs")
        local = tuple(node for node in network.nodes if isinstance(node, LocalNode))
        settings = replace(network.settings, remote_root="")
        return replace(network, nodes=(*entries(network.nodes), *local), settings=settings)

    async def start(self, offers: NodeOffers, tell: Callable[[str], None]) -> None:
        """Start a service beside each worker that is there, at least one. Raises FissionError."""
        self._tell = tell
        self._client = await asyncio.to_thread(self._connect)
        started, progress = monotonic(), StartProgress()
        while not await self._look_first(offers):
            seconds = monotonic() - started
            if offers.interrupted:
                return
            if seconds > _FIRST_SECONDS:
                raise RunError("the Dask cluster has no workers", where=str(self._cluster)[:100])
            if progress.due(seconds):
                tell(f"waits for the first Dask worker ({seconds:.0f} s so far)")
            await asyncio.sleep(_POLL_SECONDS)
        pending = {one.starting for one in self._workers.values() if one.starting is not None}
        while pending and not offers.interrupted:
            _, pending = await asyncio.wait(pending, timeout=_POLL_SECONDS)
        if not offers.interrupted and not any(one.node for one in self._workers.values()):
            raise RunError("no Dask worker could start a node service", where=str(self._cluster)[:100])
        self._following = asyncio.create_task(self._follow(offers))

    async def close(self) -> None:
        """Stop the services; close the connection, unless it was given."""
        tasks = [self._following, *(one.starting for one in self._workers.values())]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
        if self._client is None:
            return
        await self._say_goodbye()
        self._calls.shutdown(wait=False, cancel_futures=True)

    async def _say_goodbye(self) -> None:
        with contextlib.suppress(Exception):  # the cluster may be gone; the services end by themselves then
            stops = (self._on(address, stop_service, self._run, address) for address in self._workers)
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await asyncio.gather(*stops, return_exceptions=True)
        if self._own_client:
            with contextlib.suppress(Exception):
                await asyncio.to_thread(self._client.close)

    # -- the workers -------------------------------------------------------------------------------------

    async def _follow(self, offers: NodeOffers) -> None:
        """Take in workers that come and go, until the run ends."""
        reported = False
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                await self._look(offers)
                reported = False
            except Exception as error:  # noqa: BLE001 - it comes from another program, and may be anything
                if not reported:
                    reported = True
                    self._tell(
                        f"the Dask scheduler does not answer, and workers end with it: {_brief(error)}"
                    )
                await self._reconnect()

    async def _look_first(self, offers: NodeOffers) -> bool:
        """Look for workers at the start. Raises RunError when the scheduler is gone."""
        try:
            return await self._look(offers)
        except (OSError, LookupError) as error:
            raise RunError(
                "the Dask scheduler does not answer", where=str(self._cluster)[:100], found=_brief(error)
            ) from error

    async def _reconnect(self) -> None:
        """Connect anew once Dask has given up the connection; the scheduler may have been started again."""
        if self._own_client and self._client.status == "closed":
            with contextlib.suppress(FissionError):
                self._client = await asyncio.to_thread(self._connect)

    async def _look(self, offers: NodeOffers) -> bool:
        """Ask the scheduler for its workers; start and withdraw nodes. Return whether there are any."""
        found: Mapping[str, Mapping[str, Any]] = await asyncio.to_thread(_workers_of, self._client)
        for address in self._workers.keys() - found.keys():
            gone = self._workers.pop(address)
            if gone.starting is not None:
                gone.starting.cancel()
            if gone.node:
                offers.withdraw(gone.node, "its Dask worker is gone")
        for address, about in found.items():
            worker = self._workers.setdefault(address, _described(about))
            idle = worker.starting is None or worker.starting.done()
            if not worker.node and idle and monotonic() >= worker.not_before:
                worker.starting = asyncio.create_task(self._start(address, worker, offers))
        if monotonic() - self._checked >= _CHECK_SECONDS:
            self._checked = monotonic()
            await self._check(offers)
        return bool(found)

    async def _start(self, address: str, worker: _Worker, offers: NodeOffers) -> None:
        """Start the service of a worker and offer it; a failure is reported, and tried again later."""
        order = ServiceOrder(
            self._run,
            address,
            worker.host,
            worker.name,
            worker.slots,
            worker.groups,
            _ALONE_SECONDS,
            self._certificate(worker.host),
        )
        try:
            port = int(await self._on(address, start_service, order))
        except Exception as error:  # noqa: BLE001 - it comes from another machine, and may be anything
            worker.not_before = monotonic() + _AGAIN_SECONDS
            hint = (
                ". Install fission there, the same version" if isinstance(error, ModuleNotFoundError) else ""
            )
            self._tell(f"the Dask worker {worker.name} starts no node service: {_brief(error)}{hint}")
            return
        worker.node = node_name(worker.host, port)
        offers.offer(worker.node, port)

    async def _check(self, offers: NodeOffers) -> None:
        """Withdraw nodes whose services have ended although their workers are there; they are started anew."""
        known = {address: one for address, one in self._workers.items() if one.node}
        answers = await asyncio.gather(
            *(self._on(address, running, self._run, address) for address in known), return_exceptions=True
        )
        for worker, answer in zip(known.values(), answers, strict=True):
            if answer is False:
                offers.withdraw(worker.node, "its node service has ended")
                worker.node = ""

    async def _on(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the process of a worker."""
        call = partial(self._client.run, function, *arguments, workers=[address])
        async with asyncio.timeout(_CALL_SECONDS):
            return (await asyncio.get_running_loop().run_in_executor(self._calls, call))[address]

    def _certificate(self, host: str) -> dict[str, bytes] | None:
        if self._authority is None:
            return None
        folder = self._authority.node(host)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def _connect(self) -> Any:
        """Return a connected client of Dask. Raises UserError, RunError."""
        if not self._own_client:
            client = self._cluster
            if client.asynchronous:
                raise UserError(
                    "the Dask client is asynchronous",
                    where="dask",
                    hint="Give the Cluster or its address instead",
                )
        else:
            client = _new_client(self._cluster)
        if self._authority is not None:
            try:
                _require_tls(str(client.scheduler_info()["address"]), None)
            except FissionError:
                if self._own_client:
                    client.close()
                raise
        return client


def _new_client(cluster: Any) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - only runs on Dask need it
    except ImportError as error:
        raise UserError(
            "Dask is not installed", where="dask", hint='Install it: pip install "fission[dask]"'
        ) from error
    try:
        return Client(cluster, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise RunError(
            "the Dask scheduler cannot be reached",
            where=str(cluster)[:100],
            found=_brief(error),
            hint="Does it run there? Certificates for it are set in Dask's own configuration",
        ) from error


def _is_client(cluster: Any) -> bool:
    return hasattr(cluster, "scheduler_info") and hasattr(cluster, "run")


def _require_tls(address: str, network: Network | None) -> None:
    if not address.startswith(_SECURE):
        raise UserError(
            "the Dask cluster has no TLS, over which the certificates of the run could travel",
            where=f"network {network.name}" if network is not None else "dask",
            expected="an address that begins with tls://",
            found=address[:100],
            hint='Give the cluster certificates (LocalCluster(security=True)), or set SECURITY = "off" in a trusted network',
        )


def _workers_of(client: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return what the scheduler knows of its workers, by their addresses."""
    try:
        info = client.scheduler_info(n_workers=-1)
    except TypeError:  # older versions always name all workers
        info = client.scheduler_info()
    if "workers" not in info:
        raise RunError("there is no connection")
    found: Mapping[str, Mapping[str, Any]] = info["workers"]
    return found


def _described(about: Mapping[str, Any]) -> _Worker:
    resources: Iterable[str] = about.get("resources") or ()
    host = str(about.get("host") or "127.0.0.1")
    return _Worker(
        host if "://" not in host else "127.0.0.1",
        str(about.get("name") or about.get("id")),
        max(1, int(about.get("nthreads") or 1)),
        tuple(map(str, resources)),
    )


def _brief(error: BaseException) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:200]
