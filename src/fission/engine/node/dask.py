"""What the cluster engine uses of distributed: a Scheduler in the client, a Worker in each node service.

distributed does membership and brings messages to their handlers. It is not used for tasks, and not for what it
does worse than we need (ADR 8): connections, serialisation and failure detection are ours. Every byte between a
client and its nodes goes through a `MessageStream` that the client has dialled: mutual TLS with checked roles, and
plain data. Neither Scheduler nor Worker listens on any port, and both obey the few operations named here.

This is the only file that imports distributed, and the links import it when they start: it takes 0.4 s.
"""

import asyncio
import contextlib
import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from fission.engine.host.scratch import scratch
from fission.engine.transport.msgpack_codec import encode
from fission.engine.transport.stream import MessageStream, StreamClosed


@contextlib.contextmanager
def _without_numpy() -> Iterator[None]:
    """Spare a node service 12 MB: distributed imports numpy if it is there, and has no use for it here."""
    if "numpy" in sys.modules:
        yield
        return
    sys.modules["numpy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["numpy"]


with _without_numpy():
    import dask
    from distributed import Scheduler, Worker
    from distributed.comm.core import BaseListener, Comm, CommClosedError, Connector
    from distributed.comm.registry import Backend, backends
    from distributed.diagnostics.plugin import SchedulerPlugin

__all__ = ["ClientScheduler", "NodeWorker"]

_SCHEME = "fission"
_START_SECONDS = 5.0
_TURN = 100
"""After so many messages others have a turn: reading those that are there already waits for nothing."""
_CONFIG = {
    # whatever the user has in his own configuration of dask
    "distributed.worker.profile.enabled": False,
    "distributed.worker.preload": [],
    "distributed.scheduler.preload": [],
    "distributed.scheduler.worker-ttl": None,
    "distributed.scheduler.idle-timeout": None,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.contact-address": None,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.admin.low-level-log-length": 0,
    "distributed.comm.compression": False,
}

_METRICS = {
    "bandwidth": {"total": 1, "workers": {}, "types": {}},
    "digests_total_since_heartbeat": {},
    "memory": 0,
    "spilled_bytes": {"memory": 0, "disk": 0},
}
"""What a Scheduler has to know of a worker."""

Handler = Callable[..., Any]


class StreamComm(Comm):
    """A `MessageStream` as distributed's kind of connection. `key` is the worker's address."""

    def __init__(self, stream: MessageStream, key: str) -> None:
        super().__init__(deserialize=False)
        self.stream = stream
        self.key = self._local_addr = self._peer_addr = key

    @property
    def local_address(self) -> str:
        """Both ends have the same: there is no other connection between them."""
        return self.key

    @property
    def peer_address(self) -> str:
        """See `local_address`."""
        return self.key

    async def read(self, deserializers: object = None) -> Any:  # noqa: ARG002 - distributed's signature
        """Return the next message. Raises CommClosedError."""
        try:
            return await self.stream.receive()
        except StreamClosed as error:
            raise CommClosedError(str(error)) from None

    async def write(self, msg: Any, serializers: object = None, on_error: object = None) -> int:  # noqa: ARG002
        """Send a message; nothing waits."""
        self.send(msg)
        return 0

    def send(self, message: Any, *, bulk: bool = False) -> None:
        """Send without waiting. Raises CommClosedError, and RunError for what is no plain data."""
        try:
            self.stream.send(message, bulk=bulk)
        except StreamClosed as error:
            raise CommClosedError(str(error)) from None

    async def close(self) -> None:
        """Send what waits, and close."""
        await self.stream.close("this side has closed the connection")

    def abort(self) -> None:
        """Close at once."""
        self.stream.abort("this side has closed the connection")

    def closed(self) -> bool:
        """Tell whether nothing goes out any more."""
        return self.stream.closed


class Sender:
    """What `BatchedSend` is for distributed, without its waiting times and its faith in the wall clock."""

    def __init__(self) -> None:
        self.comm: StreamComm | None = None
        self._early: list[dict[str, Any]] = []

    def start(self, comm: StreamComm) -> None:
        """Begin with what was said before there was a connection."""
        self.comm = comm
        early, self._early = self._early, []
        with contextlib.suppress(CommClosedError):
            self.send(*early)

    def send(self, *messages: dict[str, Any]) -> None:
        """Send messages. Large requests and answers may be overtaken. Raises as `StreamComm.send`."""
        if self.comm is None:
            for message in messages:
                encode(message)
            self._early += messages
            return
        for message in messages:
            self.comm.send(message, bulk=message["op"] in ("request", "answer"))

    def closed(self) -> bool:
        """Tell whether nothing goes out any more."""
        return self.comm is not None and self.comm.closed()

    async def close(self, timeout: object = None) -> None:  # noqa: ARG002 - distributed's signature
        """Send what waits, and close."""
        if self.comm is not None:
            await self.comm.close()

    def abort(self) -> None:
        """Close at once."""
        if self.comm is not None:
            self.comm.abort()


class _Listener(BaseListener):
    """Gets its connections from `ClientScheduler.take`."""

    def __init__(self, place: str, handle: Handler) -> None:
        super().__init__()
        self.prefix = f"{_SCHEME}://"
        self._address = self.prefix + place
        self.handle = handle

    @property
    def listen_address(self) -> str:
        return self._address

    @property
    def contact_address(self) -> str:
        return self._address

    async def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


class _Connector(Connector):
    """Finds the connection that a worker is to use, which is there already."""

    ready: ClassVar[dict[str, StreamComm]] = {}

    async def connect(self, address: str, deserialize: bool = True, **_: object) -> StreamComm:  # noqa: ARG002
        try:
            return self.ready.pop(address)
        except KeyError:
            # not an OSError: after those distributed would try again for ever
            raise StreamClosed("the client was gone before its worker was registered") from None


class _Backend(Backend):
    """`fission://place`: where the place is, is nobody's business but ours."""

    def get_connector(self) -> Connector:
        return _Connector()

    def get_listener(self, loc: str, handle_comm: Handler, deserialize: bool, **_: object) -> BaseListener:  # noqa: ARG002
        return _Listener(loc, handle_comm)

    def get_address_host(self, loc: str) -> str:
        return loc.rpartition("/")[0]

    def resolve_address(self, loc: str) -> str:
        return loc

    def get_local_address_for(self, loc: str) -> str:
        return loc


backends[_SCHEME] = _Backend()
# a Scheduler looks at this whenever a worker is gone, and keeps a task for so long
dask.config.set({"distributed.scheduler.events-cleanup-delay": "1s"})


class _Quiet:
    """What Scheduler and Worker leave out: the HTTP server, what they measure, folders, and foreign operations."""

    stream_handlers: dict[str, Handler]

    def start_http_server(self, *_: object, **__: object) -> None:
        """Serve no pages."""

    def start_periodic_callbacks(self) -> None:
        """Measure nothing."""

    async def handle_stream(self, comm: Any, extra: dict[str, Any] | None = None) -> None:
        """Bring the messages of a connection to their handlers until it ends. Raises nothing."""
        try:
            for count in itertools.count(1):
                if count % _TURN == 0:
                    await asyncio.sleep(0)
                message = await comm.read()
                op = message.pop("op")
                if op == "close-stream":
                    break
                self.stream_handlers[op](**message, **(extra or {}))
        except CommClosedError:
            pass
        except (KeyError, TypeError, AttributeError) as error:
            comm.stream.abort(
                f"it sends what this side does not understand ({type(error).__name__}: {error})"
            )
        finally:
            await comm.close()


def _ignore(**_: object) -> None:
    """For what distributed says of its own accord."""


_OF_WORKERS = {"keep-alive": _ignore, "log-event": _ignore, "worker-status-change": _ignore}
_OF_SCHEDULERS = {"remove-worker": _ignore, "close": _ignore}


@contextlib.contextmanager
def _constructing() -> Iterator[str]:
    """Give distributed the settings and the folder that it wants to have, as long as it looks at them."""
    path = list(sys.path)
    try:
        with scratch("fission-link-") as folder, dask.config.set(_CONFIG):
            yield f"{folder}/dask-scratch-space"
    finally:
        sys.path[:] = path  # distributed puts the folder first


class _Membership(SchedulerPlugin):
    """Tells who comes and goes."""

    def __init__(self, came: Callable[[str], None], went: Callable[[str], None]) -> None:
        self._came = came
        self._went = went

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        scheduler.stream_comms[worker] = Sender()  # type: ignore[assignment]
        self._came(worker)

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:  # noqa: ARG002
        self._went(worker)


class ClientScheduler(_Quiet, Scheduler):
    """The client's end. `await scheduler`, hand connections to `take`, and `close()`.

    `came(key)` and `went(key)` are called for each worker, `handlers` have the messages of workers, which they are
    called with, and with the key as `worker`. What is sent to a worker in `came` arrives first.
    """

    def __init__(
        self, came: Callable[[str], None], went: Callable[[str], None], handlers: Mapping[str, Handler]
    ) -> None:
        with _constructing() as folder:
            super().__init__(
                protocol=_SCHEME,
                dashboard=False,
                extensions={},
                plugins=[_Membership(came, went)],
                local_directory=folder,
                needs_workdir=False,
            )
        self._updated_sys_path = False
        self.handlers = {"register-worker": self.add_worker}
        self.stream_handlers = {**_OF_WORKERS, **handlers}

    async def take(self, stream: MessageStream, key: str) -> None:
        """Serve a node that is about to register as `key`. Raises CommClosedError, an OSError."""
        comm = StreamComm(stream, key)
        await self.listeners[0].on_connection(comm)
        self.handle_comm(comm)

    async def add_worker(self, comm: StreamComm, *, address: str, **_: Any) -> None:  # type: ignore[override]
        """Accept a worker under the name that we have given to its connection; what else it says is ignored."""
        if address != comm.key:
            comm.stream.abort(f"it calls itself {address}")
            return
        await super().add_worker(
            comm,
            address=address,
            name=address,
            server_id=address,
            status="running",
            nthreads=1,
            memory_limit=0,
            now=time.time(),
            resources={},
            metrics=_METRICS,
            services={},
            local_directory="",
            versions={},
            nanny="",
            extra={},
            stimulus_id=address,
        )


class NodeWorker(_Quiet, Worker):
    """A node's end of the link to one client. `await worker`, `send`, `await worker.finished()`, `close()`.

    `handlers` get the client's messages.
    """

    def __init__(self, stream: MessageStream, key: str, handlers: Mapping[str, Handler]) -> None:
        place = f"client/{id(stream)}"
        self._place = place.removeprefix(f"{_SCHEME}://")
        _Connector.ready[self._place] = StreamComm(stream, key)
        with _constructing() as folder:
            super().__init__(
                f"{_SCHEME}://{place}",
                name=key,
                contact_address=key,
                nthreads=1,
                memory_limit=0,
                extensions={},
                metrics={},
                startup_information={},
                heartbeat_interval="1 day",
                death_timeout=_START_SECONDS,
                local_directory=folder,
                needs_workdir=False,
            )
        self._updated_sys_path = False
        self.executors.clear()
        self.batched_stream = Sender()  # type: ignore[assignment]
        self.handlers = {}
        self.stream_handlers = {**_OF_SCHEDULERS, **handlers}

    def send(self, message: dict[str, Any]) -> None:
        """Tell the client something; nothing happens when it is gone. Raises RunError for no plain data."""
        with contextlib.suppress(CommClosedError):
            self.batched_send(message)

    async def heartbeat(self) -> None:
        """Pulses are the stream's."""

    async def get_metrics(self) -> dict[str, Any]:
        """Measure nothing."""
        return {}


def _forward_logs() -> None:
    """Let nothing be printed: of what distributed logs, what is worth reading goes where the logs of this process go."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.split(".")[0] == "distributed" and isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel(logging.NOTSET)
    logging.getLogger("distributed").setLevel(logging.ERROR)


_forward_logs()
