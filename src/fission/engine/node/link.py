"""A node's end of the links to its clients."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

from fission.engine.protocol.interfaces import NodeHandler, Plain
from fission.engine.transport.dispatch import Handler, dispatch
from fission.engine.transport.failure_detector import FailureDetector
from fission.engine.transport.handshake import ClientHello, client_pulse, refusal, welcome
from fission.engine.transport.heartbeat import HeartbeatSender
from fission.engine.transport.listener import ConnectionListener
from fission.engine.transport.stream import MessageStream, StreamClosed
from fission.errors import FissionError, RunError
from fission.security import IdentityFiles

__all__ = ["DEFAULT_PORT", "StreamNodeLink"]

DEFAULT_PORT = 8785

logger = logging.getLogger(__name__)

Admit = Callable[[str, Mapping[str, Plain]], str]
Gone = Callable[[str], None]

_SILENCE = 20.0
"""Added to the silence that a client may keep. Nodes go on without him anyway, and a client whose machine was suspended
for a moment should find his links as they were: he would take every closed one for a dead node."""
_REQUEST = {"number": int, "operation": str, "arguments": dict}
_SETTLE = 2.0
"""Seconds for what an earlier client of the same network has asked for to be done."""


class StreamNodeLink:
    """Waits for clients at (address, port) and obeys them; a `NodeLink`.

    `handler` is called for every request of a client, in the order in which they were sent; a slow one does not hold
    up the next. `admit(client, about)` is asked first; `about` has the client's `network`, `host`, the `name` in his
    certificate, and what he says about himself. `gone(client)` follows exactly once for each client that was
    admitted. When a client joins again, or another one with the same network, requests from before have `_SETTLE`
    seconds to be done before it is served. `about` is what clients are told about the node (plain data).

    With `identity` None everybody is a client, and everybody on the way can read along: for trusted cables.
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
        self._door = ConnectionListener(address, port, identity, self._visit)
        self._handler = handler
        self._admit = admit
        self._gone = gone
        self._about = dict(about or {})
        self._links: dict[str, _Link] = {}
        self._running: dict[str, set[asyncio.Task[None]]] = {}
        self._closing = False
        self._heart = HeartbeatSender()

    @property
    def port(self) -> int:
        """The port, also when the system was to choose one."""
        return self._door.port

    async def start(self) -> None:
        """Listen on the node's port. Raises RunError when that is impossible."""
        self._door.open()
        self._heart.start()

    def post(self, client: str, topic: str, data: Plain) -> None:
        """Send something to a client, in order; dropped when it is gone. Raises RunError for no plain data."""
        link = self._links.get(client)
        if link is not None:
            link.send({"op": "post", "topic": topic, "data": data})

    def backlog(self, client: str) -> int:
        """Return how many bytes wait for a client to take them (0 when it is gone)."""
        link = self._links.get(client)
        return 0 if link is None else link.stream.unsent

    async def close(self) -> None:
        """Say goodbye to all clients and stop listening."""
        self._closing = True
        await self._door.close()
        links = list(self._links.values())
        await asyncio.gather(*(link.stream.close("the node service has ended") for link in links))
        await asyncio.gather(*(link.done.wait() for link in links))
        self._heart.close()
        tasks = [task for running in self._running.values() for task in running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _visit(self, stream: MessageStream) -> bool:
        """Hear a client at the door; let him in or tell him why not."""
        try:
            join = ClientHello.read(await stream.receive())
            earlier = self._links.get(join.client)
            if earlier is not None:
                earlier.stream.abort("the client has joined again")
                await earlier.done.wait()
            await self._settle(join.network)
            if stream.closed:  # whoever has gone meanwhile is not admitted: nobody would tell that he is gone
                raise StreamClosed(stream.reason, where=stream.where)
            reason = self._ask(stream, join)
        except RunError as error:
            if not stream.closed:
                stream.send(refusal(str(error)))
            raise
        if reason:
            stream.send(refusal(reason))
            await stream.close("the client was refused")
            return False
        try:
            stream.trust()
            stream.send(welcome(self._about))
            link = self._links[join.client] = _Link(stream, join, self._request)
        except BaseException:
            self._tell_gone(join.client)
            raise
        task = asyncio.get_running_loop().create_task(self._serve(link))
        self._remember(task, "")
        return True

    def _ask(self, stream: MessageStream, join: ClientHello) -> str:
        if self._closing:
            return "the node service is ending"
        if join.client in self._links:
            return "the client joins twice at once"
        host, _, _ = stream.where.rpartition(":")
        return self._admit(
            join.client, {**join.about, "network": join.network, "host": host, "name": stream.name}
        )

    async def _settle(self, network: str) -> None:
        """Wait until what was asked for over earlier links is done, or nearly for ever."""
        if tasks := self._running.get(network):
            await asyncio.wait(tasks, timeout=_SETTLE)

    async def _serve(self, link: "_Link") -> None:
        client = link.join.client
        try:
            await link.run(self._heart)
        except Exception:
            logger.exception("the link to client %s has failed", client)
        finally:
            link.stream.abort("the link was closed")
            del self._links[client]
            link.done.set()
            logger.info("client %s is gone: %s", client, link.stream.reason)
            self._tell_gone(client)

    def _tell_gone(self, client: str) -> None:
        try:
            self._gone(client)
        except Exception:
            logger.exception("a bug: that client %s is gone could not be handled", client)

    def _request(self, link: "_Link", number: int, operation: str, arguments: Mapping[str, Plain]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(link, number, operation, arguments))
        self._remember(task, link.join.network)

    async def _answer(
        self, link: "_Link", number: int, operation: str, arguments: Mapping[str, Plain]
    ) -> None:
        if link.done.is_set():
            return
        answer: dict[str, Any] = {"op": "answer", "number": number}
        try:
            value = await self._handler(link.join.client, operation, arguments)
            link.send({**answer, "value": value})
        except FissionError as error:
            link.send({**answer, "error": str(error)})
        except Exception as error:
            logger.exception("a bug: request %r of client %s has failed", operation, link.join.client)
            text = " ".join(str(error).split())
            link.send({**answer, "error": f"a bug in the node service: {type(error).__name__}: {text}"})

    def _remember(self, task: asyncio.Task[None], network: str) -> None:
        running = self._running.setdefault(network, set())
        running.add(task)

        def forget(task: asyncio.Task[None]) -> None:
            running.discard(task)
            if not running and self._running.get(network) is running:
                del self._running[network]

        task.add_done_callback(forget)


class _Link:
    """The link to one client. `done` is set when its last message has been handled."""

    def __init__(
        self,
        stream: MessageStream,
        join: ClientHello,
        request: Callable[["_Link", int, str, Mapping[str, Plain]], None],
    ) -> None:
        self.stream = stream
        self.join = join
        self.done = asyncio.Event()
        self._request = request

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the client; drop it when the link has ended. Raises RunError for what is no plain data."""
        with contextlib.suppress(StreamClosed):
            self.stream.send(message, bulk=message["op"] == "answer")

    async def run(self, heart: HeartbeatSender) -> None:
        """Handle the requests of the client until the link ends."""
        heart.add(self.stream, self.join.pulse)
        watcher = asyncio.get_running_loop().create_task(self._watch(heart))
        try:
            await dispatch(self.stream, {"request": Handler(self._on_request, _REQUEST)})
        finally:
            heart.remove(self.stream)
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher

    def _on_request(self, *, number: int, operation: str, arguments: Mapping[str, Plain]) -> None:
        self._request(self, number, operation, arguments)

    async def _watch(self, heart: HeartbeatSender) -> None:
        """Notice when the client has fallen silent."""
        loop, stream = asyncio.get_running_loop(), self.stream
        detector: FailureDetector[None] = FailureDetector(
            client_pulse(self.join.pulse), extra=_SILENCE, longest=1.0
        )
        detector.watch(None, loop.time())
        while not stream.closed:
            await asyncio.sleep(detector.period)
            heart.turned()
            detector.heard(None, stream.heard)
            if detector.look(loop.time()):
                stream.abort(f"the client was silent for {detector.bound:g} s")
