"""The node's end of the links to its clients: admits clients, answers their requests, and detects when they are gone."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from fission.engine.protocol.interfaces import NodeHandler, Plain
from fission.engine.transport.failure_detector import FailureDetector
from fission.engine.transport.handshake import CLOCK, ClientHello, client_pulse, refusal, welcome
from fission.engine.transport.heartbeat import HeartbeatSender
from fission.engine.transport.listener import ConnectionListener
from fission.engine.transport.rpc import RpcConnection
from fission.engine.transport.stream import MessageStream, StreamClosed
from fission.errors import RunError
from fission.security import IdentityFiles

__all__ = ["DEFAULT_PORT", "StreamNodeLink"]

DEFAULT_PORT = 8785

logger = logging.getLogger(__name__)

Admit = Callable[[str, Mapping[str, Plain]], str]
Gone = Callable[[str], None]

_SILENCE = 20.0
"""Seconds added to the silence that is allowed to a client. Jobs run on without it anyway, and a client whose machine was
suspended for a moment should find its links open: it takes every closed one for a lost node."""
_SETTLE = 2.0
"""Seconds for the requests of an earlier client of the same network to complete."""


class StreamNodeLink:
    """Listens for clients at (address, port) over message streams; implements `NodeLink`.

    `handler` is called for every request of a client, in the order in which they were sent; a slow one does not delay
    the next. `admit(client, about)` is called first; `about` has the client's `network`, `host`, the `name` in its
    certificate, and what it reports about itself. `gone(client)` follows exactly once for each client that was
    admitted. When a client joins again, or another one with the same network, requests from before have `_SETTLE`
    seconds to complete before it is served. `about` is what clients receive about the node (plain data).

    With `identity` None clients are not verified, and the connections are clear text: for trusted cables.
    """

    def __init__(
        self,
        address: str,
        port: int,
        *,
        identity: IdentityFiles | None,
        handler: NodeHandler,
        admit: Admit,
        gone: Gone,
        about: Mapping[str, Plain] | None = None,
    ) -> None:
        self._listener = ConnectionListener(address, port, identity, self._join)
        self._handler = handler
        self._admit = admit
        self._gone = gone
        self._about = dict(about or {})
        self._links: dict[str, _Link] = {}
        self._running: dict[str, set[asyncio.Task[None]]] = {}  # requests by network; they outlive their link
        self._serving: set[asyncio.Task[None]] = set()
        self._closing = False
        self._heartbeat = HeartbeatSender()

    @property
    def port(self) -> int:
        """The port, also when the system has chosen it."""
        return self._listener.port

    async def start(self) -> None:
        """Listen on the node's port. Raises RunError when that is impossible."""
        self._listener.open()
        self._heartbeat.start()

    def post(self, client: str, topic: str, data: Plain) -> None:
        """Send a post to a client, in order; dropped when it is gone. Raises RunError for data that is not plain."""
        link = self._links.get(client)
        if link is not None:
            link.rpc.post(topic, data)

    def backlog(self, client: str) -> int:
        """Return how many bytes wait to be sent to a client (0 when it is gone)."""
        link = self._links.get(client)
        return 0 if link is None else link.rpc.stream.unsent

    async def close(self) -> None:
        """Stop listening, close all links, and cancel the requests that still run."""
        self._closing = True
        await self._listener.close()
        links = list(self._links.values())
        await asyncio.gather(*(link.rpc.stream.close("the node service has ended") for link in links))
        await asyncio.gather(*(link.done.wait() for link in links))
        self._heartbeat.close()
        tasks = [*self._serving, *(task for running in self._running.values() for task in running)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _join(self, stream: MessageStream, first: Plain) -> bool:
        """Admit the client behind a new connection, or send it the reason why not."""
        try:
            hello = ClientHello.read(first)
            earlier = self._links.get(hello.client)
            if earlier is not None:
                earlier.rpc.stream.abort("the client has joined again")
                await earlier.done.wait()
            await self._settle(hello.network)
            if stream.closed:  # it must not be admitted: nothing would report its end
                raise StreamClosed(stream.reason, where=stream.where)
            reason = self._refusal(stream, hello)
        except RunError as error:
            if not stream.closed:
                stream.send(refusal(str(error)))
            raise
        if reason:
            stream.send(refusal(reason))
            await stream.close("the client was refused")
            return False
        try:
            stream.send(welcome(self._about))
            link = self._links[hello.client] = self._linked(stream, hello)
        except BaseException:
            self._report_gone(hello.client)
            raise
        task = asyncio.get_running_loop().create_task(self._serve(link))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return True

    def _linked(self, stream: MessageStream, hello: ClientHello) -> "_Link":
        rpc = RpcConnection(
            stream,
            hello.client,
            handler=partial(self._handle, hello.client),
            running=self._running.setdefault(hello.network, set()),
        )
        return _Link(hello, rpc)

    async def _handle(self, client: str, operation: str, arguments: Mapping[str, Plain]) -> Plain:
        if operation == CLOCK:
            return [time.time(), time.monotonic()]
        return await self._handler(client, operation, arguments)

    def _refusal(self, stream: MessageStream, hello: ClientHello) -> str:
        """Return why a client is refused; "" when it is admitted."""
        if self._closing:
            return "the node service is ending"
        if hello.client in self._links:
            return "the client joins twice at once"
        host, _, _ = stream.where.rpartition(":")
        name = stream.peer.name if stream.peer is not None else ""
        return self._admit(
            hello.client, {**hello.about, "network": hello.network, "host": host, "name": name}
        )

    async def _settle(self, network: str) -> None:
        """Wait until the requests of earlier links for the network are complete, for `_SETTLE` seconds at most."""
        if tasks := self._running.get(network):
            await asyncio.wait(tasks, timeout=_SETTLE)

    async def _serve(self, link: "_Link") -> None:
        """Serve a client until its link ends."""
        client, stream = link.hello.client, link.rpc.stream
        self._heartbeat.add(stream, link.hello.pulse)
        watcher = asyncio.get_running_loop().create_task(self._watch(link))
        try:
            await link.rpc.serve()
        except Exception:
            logger.exception("the link to client %s has failed", client)
        finally:
            watcher.cancel()
            self._heartbeat.remove(stream)
            del self._links[client]
            self._forget_idle_networks()
            link.done.set()
            logger.info("client %s is gone: %s", client, stream.reason)
            self._report_gone(client)

    def _forget_idle_networks(self) -> None:
        """Remove the networks that have neither a link nor a request that still runs."""
        linked = {link.hello.network for link in self._links.values()}
        self._running = {
            network: tasks for network, tasks in self._running.items() if tasks or network in linked
        }

    def _report_gone(self, client: str) -> None:
        try:
            self._gone(client)
        except Exception:
            logger.exception("a bug: the end of client %s could not be handled", client)

    async def _watch(self, link: "_Link") -> None:
        """Close the link when its client is silent for too long."""
        loop, stream = asyncio.get_running_loop(), link.rpc.stream
        detector: FailureDetector[None] = FailureDetector(
            client_pulse(link.hello.pulse), extra=_SILENCE, longest=1.0
        )
        detector.watch(None, loop.time())
        while not stream.closed:
            await asyncio.sleep(detector.period)
            self._heartbeat.turned()
            detector.heard(None, stream.heard)
            if detector.look(loop.time()):
                stream.abort(f"the client was silent for {detector.bound:g} s")


@dataclass(frozen=True, slots=True)
class _Link:
    """The link to one client. `done` is set when it has ended."""

    hello: ClientHello
    rpc: RpcConnection
    done: asyncio.Event = field(default_factory=asyncio.Event)
