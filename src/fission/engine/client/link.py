"""The client's end of the links to its nodes: dials each node, joins it, and detects when it is lost."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fission.core.node_names import host_of
from fission.engine.protocol.clock_offset import ClockOffset, NodeClocks
from fission.engine.protocol.interfaces import LinkError, Plain
from fission.engine.transport.dialer import Dialer
from fission.engine.transport.failure_detector import FailureDetector
from fission.engine.transport.handshake import CLOCK, ClientHello, client_pulse, read_answer
from fission.engine.transport.heartbeat import HeartbeatSender
from fission.engine.transport.rpc import RpcConnection
from fission.engine.transport.stream import MessageStream, StreamClosed
from fission.errors import RunError
from fission.security import IdentityFiles, PeerError, PeerGoneError, Role

__all__ = ["StreamClientLink"]

logger = logging.getLogger(__name__)

_DIAL_SECONDS = 3.0
_ANSWER_SECONDS = 6.0
_RETRY_SECONDS = 1.0
_CLOCK_SECONDS = 5.0
"""Seconds between two comparisons of the clocks of client and node."""


class StreamClientLink:
    """Links a client to its nodes over message streams; implements `ClientLink`, which documents the methods.

    `pulse_interval` is the network's PULSE_INTERVAL in seconds: a node that is silent for five of them is lost.
    `client` identifies this client to the nodes and is different for each `run`. `about` is passed to the nodes' `admit`.
    `refused` is called once for each reason, not for every attempt.

    With `identity` None the connections are clear text and no peer is verified: for trusted cables, and the loopback.
    """

    def __init__(
        self,
        *,
        identity: IdentityFiles | None,
        network: str,
        client: str,
        pulse_interval: float,
        up: Callable[[str], None],
        down: Callable[[str, str], None],
        refused: Callable[[str, str], None],
        posted: Callable[[str, str, Plain], None],
        about: Mapping[str, Plain] | None = None,
    ) -> None:
        self._dialer = Dialer(identity, (Role.NODE,))
        self._plain = identity is None
        self._pulse_interval = float(pulse_interval)
        self._hello = ClientHello(client, network, self._pulse_interval, dict(about or {}))
        self._up = up
        self._down = down
        self._refused = refused
        self._posted = posted
        self._detector: FailureDetector[str] = FailureDetector(self._pulse_interval)
        self._joined: dict[str, _JoinedNode] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._away: dict[str, str] = {}
        self._heartbeat = HeartbeatSender()

    async def start(self) -> None:
        """Start the heartbeat and the failure detection."""
        self._heartbeat.start()
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def invite(self, nodes: Mapping[str, int]) -> None:
        """Join these nodes (address, or address:port, to port), and retry for as long as they are away."""
        for node, port in nodes.items():
            if node not in self._tasks:
                self._tasks[node] = asyncio.get_running_loop().create_task(self._keep_joined(node, port))

    def dismiss(self, node: str, reason: str) -> None:
        """Close the link to a node, with `down` if it was joined, and do not try it again."""
        task = self._tasks.pop(node, None)
        if task is not None:
            task.cancel()
            self.drop(node, reason)
            self._away.pop(node, None)

    def away(self) -> Mapping[str, str]:
        """Return the nodes that are not joined, with the reason of the last attempt; "" before the first one."""
        return dict(self._away)

    def about(self, node: str) -> Mapping[str, Plain]:
        """Return what a joined node reported about itself in the handshake. Raises LinkError."""
        return self._of(node).about

    async def request(self, node: str, operation: str, *, timeout: float = 5.0, **arguments: Plain) -> Plain:
        """Send a request to a node; return its answer. Raises LinkError."""
        return await self._of(node).rpc.request(operation, arguments, timeout)

    def drop(self, node: str, reason: str) -> None:
        """Close the link to a node and call `down`; the node is joined again later."""
        joined = self._joined.get(node)
        if joined is not None:
            self._lose(joined, reason)

    def own_address(self, node: str) -> str:
        """Return the address of this machine on the connection to the node. Raises LinkError."""
        return self._of(node).rpc.stream.local

    def clocks(self) -> Mapping[str, NodeClocks]:
        """Return how far the clocks of the joined nodes are ahead of this machine's, as far as that is known."""
        now, found = time.monotonic(), {}
        for node, joined in self._joined.items():
            wall, monotonic = joined.wall.estimate(now), joined.monotonic.estimate(now)
            if wall is not None and monotonic is not None:
                found[node] = NodeClocks(wall, monotonic)
        return found

    async def close(self) -> None:
        """Close all links, without calling `down`."""
        tasks = [*self._tasks.values(), *([self._watcher] if self._watcher else [])]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        for joined in list(self._joined.values()):
            self._forget(joined, "the client leaves")
        await asyncio.gather(*tasks, return_exceptions=True)
        self._heartbeat.close()

    def _of(self, node: str) -> "_JoinedNode":
        try:
            return self._joined[node]
        except KeyError:
            raise LinkError("is not connected", where=node) from None

    async def _keep_joined(self, node: str, port: int) -> None:
        """Join a node, serve its link until it ends, and start again."""
        loop = asyncio.get_running_loop()
        reported = ""
        while True:
            self._away.setdefault(node, "")
            try:
                joined = await self._join(node, port)
            except PeerGoneError as error:
                self._away[node] = _without_address(error, node, port)
            except (_RefusedError, PeerError) as error:
                reason = self._away[node] = _without_address(error, node, port)
                if reason != reported:
                    reported = reason
                    _call(self._refused, node, reason)
            except (RunError, OSError) as error:
                self._away[node] = _without_address(error, node, port)
            # such as a name that no host can have: the node is tried again all the same
            except Exception as error:
                reason = self._away[node] = f"cannot be reached ({error})"
                if reason != reported:
                    reported = reason
                    logger.warning("node %s %s", node, reason, exc_info=True)
            else:
                reported = ""
                since = loop.time()
                await self._serve(joined)
                if loop.time() - since > _RETRY_SECONDS:
                    continue  # the node may be there: perhaps only its service, or the link, has failed
            # the random factor keeps the attempts at many nodes apart
            await asyncio.sleep(_RETRY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - no secret

    async def _join(self, node: str, port: int) -> "_JoinedNode":
        """Dial a node and complete the handshake. Raises RunError or OSError."""
        stream = await self._dialer.dial(host_of(node), port, _DIAL_SECONDS)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                stream.send(self._hello.message())
                about, refusal = read_answer(await self._answer(stream))
            if refusal:
                raise _RefusedError(refusal)
            if stream.closed:
                raise StreamClosed(stream.reason, where=stream.where)
        except BaseException as error:
            stream.abort("the node did not join")
            if isinstance(error, TimeoutError):
                raise RunError(f"does not answer within {_ANSWER_SECONDS:g} s", where=node) from None
            raise
        rpc = RpcConnection(stream, node, posted=lambda topic, data: _call(self._posted, node, topic, data))
        return _JoinedNode(node, rpc, about)

    async def _answer(self, stream: MessageStream) -> Any:
        """Return the node's answer to the hello. A node gives unauthenticated peers no reason: it hangs up."""
        try:
            return await stream.receive()
        except StreamClosed as error:
            if stream.refusal is not None and stream.refusal.hint:
                hint = stream.refusal.hint
            elif self._plain:
                hint = "The log of its node service says why. SECURITY is off here: is it on there?"
            else:
                hint = "The log of its node service says why. Has our certificate the role client?"
            raise RunError(f"it has not let us in ({error.what})", where=error.where, hint=hint) from None

    async def _serve(self, joined: "_JoinedNode") -> None:
        """Announce a node that has joined, and deliver its messages until its link ends."""
        self._joined[joined.node] = joined
        self._away.pop(joined.node, None)
        self._detector.watch(joined.node, asyncio.get_running_loop().time())
        self._heartbeat.add(joined.rpc.stream, client_pulse(self._pulse_interval))
        _call(self._up, joined.node)
        comparing = asyncio.get_running_loop().create_task(self._compare_clocks(joined))
        try:
            await joined.rpc.serve()
        finally:
            comparing.cancel()
        self._lose(joined, joined.rpc.stream.reason)

    async def _compare_clocks(self, joined: "_JoinedNode") -> None:
        """Ask a node for its times until its link ends. A jump of our own clock is seen with the next answer."""
        while True:
            sent, begin = time.time(), time.monotonic()
            try:
                remote = await joined.rpc.request(CLOCK, {}, _CLOCK_SECONDS)
            except LinkError:
                remote = None  # the node is busy, or gone
            now = time.monotonic()
            match remote:
                case [float(wall), float(monotonic)]:
                    joined.wall.add(sent, wall, now - begin, now)
                    joined.monotonic.add(begin, monotonic, now - begin, now)
            await asyncio.sleep(_CLOCK_SECONDS)

    def _lose(self, joined: "_JoinedNode", reason: str) -> None:
        if self._forget(joined, reason):
            self._away[joined.node] = reason
            _call(self._down, joined.node, reason)

    def _forget(self, joined: "_JoinedNode", reason: str) -> bool:
        """Close a link; False when it was closed before."""
        if self._joined.get(joined.node) is not joined:
            return False
        del self._joined[joined.node]
        self._detector.forget(joined.node)
        self._heartbeat.remove(joined.rpc.stream)
        joined.rpc.abort(reason)
        return True

    async def _watch(self) -> None:
        """Detect silent nodes."""
        loop, detector = asyncio.get_running_loop(), self._detector
        while True:
            await asyncio.sleep(detector.period)
            self._heartbeat.turned()
            for node, joined in self._joined.items():
                detector.heard(node, joined.rpc.stream.heard)
            for node in detector.look(loop.time()):
                silent = self._joined.get(node)
                if silent is not None:  # else a callback has dropped it just now
                    self._lose(silent, f"nothing was heard of it for {detector.bound:g} s")


def _call(callback: Callable[..., None], *arguments: Plain) -> None:
    """Call back; a callback that raises does not end the links."""
    try:
        callback(*arguments)
    except Exception:
        logger.exception("a bug: a callback of the link has failed")


def _without_address(error: Exception, node: str, port: int) -> str:
    """Return the text of an error without the node's address, which the caller adds."""
    return str(error).removeprefix(f"{host_of(node)}:{port}: ").removeprefix(f"{node}: ")


class _RefusedError(RunError):
    """The node answers, but refuses the client."""


@dataclass(frozen=True, slots=True)
class _JoinedNode:
    """One link to a node, from the end of its handshake to its end."""

    node: str
    rpc: RpcConnection
    about: Mapping[str, Plain]
    wall: ClockOffset = field(default_factory=ClockOffset)
    monotonic: ClockOffset = field(default_factory=ClockOffset)
