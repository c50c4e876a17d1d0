"""A client's end of the links to its nodes."""

import asyncio
import itertools
import logging
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fission.engine.protocol.interfaces import LinkError, Plain
from fission.engine.transport.dispatch import Handler, dispatch
from fission.engine.transport.failure_detector import FailureDetector
from fission.engine.transport.handshake import ClientHello, client_pulse, read_answer
from fission.engine.transport.heartbeat import HeartbeatSender
from fission.engine.transport.listener import Dialer
from fission.engine.transport.stream import MessageStream, StreamClosed
from fission.errors import RunError
from fission.security import IdentityFiles, PeerError, PeerGoneError

__all__ = ["StreamClientLink"]

logger = logging.getLogger(__name__)

_DIAL_SECONDS = 3.0
_ANSWER_SECONDS = 6.0
_RETRY_SECONDS = 1.0
NOT_TRIED = "not tried yet"
"""The reason why a node is away until it was tried for the first time."""


class StreamClientLink:
    """Links a client to its nodes; a `ClientLink`, which see.

    `pulse_interval` is the network's PULSE_INTERVAL in seconds: a node that is silent for five of them is lost.
    `client` names this client for the nodes, another one for each `run`. `about` is told to the nodes' `admit`.
    `refused` is called once for each reason, not at every attempt.

    With `identity` None nothing is encrypted and nobody is checked: for trusted cables, and the loopback.
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
        self._dialer = Dialer(identity)
        self._plain = identity is None
        self._network = network
        self._client = client
        self._pulse_interval = float(pulse_interval)
        self._up = up
        self._down = down
        self._refused = refused
        self._posted = posted
        self._about = dict(about or {})
        self._detector: FailureDetector[str] = FailureDetector(self._pulse_interval)
        self._joined: dict[str, _Joined] = {}
        self._keys: dict[str, _Joined] = {}
        self._numbers = itertools.count(1)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._away: dict[str, str] = {}
        self._heart = HeartbeatSender()

    async def start(self) -> None:
        """Start heartbeats and the detection of silent nodes."""
        self._heart.start()
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def invite(self, nodes: Mapping[str, int]) -> None:
        """Try to reach these nodes (address to port) from now on, again and again while they are away."""
        for node, port in nodes.items():
            if node not in self._tasks:
                self._tasks[node] = asyncio.get_running_loop().create_task(self._keep(node, port))

    def away(self) -> Mapping[str, str]:
        """Return the nodes that cannot be reached at the moment, with the reason of the last attempt."""
        return dict(self._away)

    def about(self, node: str) -> Mapping[str, Plain]:
        """Return what a node that is up says about itself."""
        return self._of(node).about

    async def request(self, node: str, operation: str, *, timeout: float = 5.0, **arguments: Plain) -> Plain:
        """Ask a node to do something; return its answer. Raises LinkError."""
        joined, number = self._of(node), next(self._numbers)
        answer: asyncio.Future[Plain] = asyncio.get_running_loop().create_future()
        joined.pending[number] = answer
        try:
            joined.stream.send(
                {"op": "request", "number": number, "operation": operation, "arguments": arguments}, bulk=True
            )
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise LinkError(f"no answer to {operation!r} within {timeout:g} s", where=node) from None
        except LinkError:
            raise
        except RunError as error:
            raise LinkError(f"{operation!r} was not sent: {error}", where=node) from None
        finally:
            joined.pending.pop(number, None)

    def drop(self, node: str, reason: str) -> None:
        """Close the link to a node and call `down`; it may come back."""
        joined = self._joined.get(node)
        if joined is not None:
            self._lose(joined, reason)

    def own_address(self, node: str) -> str:
        """Return the address of this machine as the node sees it, for data connections. Raises LinkError."""
        return self._of(node).stream.local

    async def close(self) -> None:
        """Leave all nodes; they are not told anything else."""
        tasks = [*self._tasks.values(), *([self._watcher] if self._watcher else [])]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        for joined in list(self._joined.values()):
            self._forget(joined, "the client leaves")
        await asyncio.gather(*tasks, return_exceptions=True)
        self._heart.close()

    def _of(self, node: str) -> "_Joined":
        try:
            return self._joined[node]
        except KeyError:
            raise LinkError("is not connected", where=node) from None

    async def _keep(self, node: str, port: int) -> None:
        """Join a node whenever it can be reached."""
        told = ""
        while True:
            self._away.setdefault(node, NOT_TRIED)
            try:
                joined = await self._join(node, port)
            except PeerGoneError as error:
                self._away[node] = _without(error, node, port)
            except (_Refused, PeerError) as error:
                reason = self._away[node] = _without(error, node, port)
                if reason != told:
                    told = reason
                    _tell(self._refused, node, reason)
            except (RunError, OSError) as error:
                self._away[node] = _without(error, node, port)
            # as a name that no host can have: the node is tried again all the same
            except Exception as error:
                reason = self._away[node] = f"cannot be reached ({error})"
                if reason != told:
                    told = reason
                    logger.warning("node %s %s", node, reason, exc_info=True)
            else:
                told = ""
                since = asyncio.get_running_loop().time()
                await self._serve(joined)
                if asyncio.get_running_loop().time() - since > _RETRY_SECONDS:
                    continue  # the node may be there: only its service, or the link, has failed
            # not all nodes at the same moment
            await asyncio.sleep(_RETRY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311

    async def _join(self, node: str, port: int) -> "_Joined":
        """Connect to a node and shake hands. Raises RunError or OSError."""
        if self._watcher is None:
            raise LinkError("the link was not started", where=node)
        stream = await self._dialer.dial(node, port, _DIAL_SECONDS)
        key = f"{node}/{next(self._numbers)}"
        hello = ClientHello(self._client, self._network, key, self._pulse_interval, self._about)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                stream.send(hello.message())
                about, reason = read_answer(await self._answer(stream))
            if reason:
                raise _Refused(reason)
            if stream.closed:
                raise StreamClosed(stream.reason, where=stream.where)
        except BaseException as error:
            stream.abort("the node did not join")
            if isinstance(error, TimeoutError):
                raise RunError(f"does not answer within {_ANSWER_SECONDS:g} s", where=node) from None
            raise
        stream.trust()
        joined = _Joined(node, key, stream, about)
        self._add(joined)
        return joined

    async def _answer(self, stream: MessageStream) -> Any:
        """Return the node's answer to our wish to join. A node tells strangers nothing: it hangs up."""
        try:
            return await stream.receive()
        except StreamClosed as error:
            ours = (
                "SECURITY is off here: is it on there?"
                if self._plain
                else "Has our certificate the role client?"
            )
            raise RunError(
                f"it has not let us in ({error.what})",
                where=error.where,
                hint=f"The log of its node service says why. {ours}",
            ) from None

    def _add(self, joined: "_Joined") -> None:
        """Record a node that has joined, and report it."""
        self._keys[joined.key] = joined
        self._joined[joined.node] = joined
        self._away.pop(joined.node, None)
        self._detector.watch(joined.key, asyncio.get_running_loop().time())
        self._heart.add(joined.stream, client_pulse(self._pulse_interval))
        _tell(self._up, joined.node)

    async def _serve(self, joined: "_Joined") -> None:
        """Handle the messages of a node until its link ends."""
        try:
            await dispatch(
                joined.stream,
                {
                    "post": Handler(partial(self._on_post, joined), {"topic": str, "data": object}),
                    "answer": Handler(
                        partial(self._on_answer, joined), {"number": int}, {"value": object, "error": str}
                    ),
                },
            )
        finally:
            self._lose(joined, joined.stream.reason or "the link was closed")

    def _lose(self, joined: "_Joined", reason: str) -> None:
        if self._forget(joined, reason):
            self._away[joined.node] = reason
            _tell(self._down, joined.node, reason)

    def _forget(self, joined: "_Joined", reason: str) -> bool:
        """Be done with a link; False when that was done before."""
        if self._keys.pop(joined.key, None) is None:
            return False
        self._joined.pop(joined.node, None)
        self._detector.forget(joined.key)
        self._heart.remove(joined.stream)
        joined.stream.abort(reason)
        joined.end(reason)
        return True

    def _on_post(self, joined: "_Joined", *, topic: str, data: Plain) -> None:
        _tell(self._posted, joined.node, topic, data)

    def _on_answer(self, joined: "_Joined", *, number: int, value: Plain = None, error: str = "") -> None:
        answer = joined.pending.get(number)
        if answer is None or answer.done():
            return  # it came too late
        if error:
            answer.set_exception(LinkError(error))
        else:
            answer.set_result(value)

    async def _watch(self) -> None:
        """Find out who gives no sign of life."""
        loop, detector = asyncio.get_running_loop(), self._detector
        while True:
            await asyncio.sleep(detector.period)
            self._heart.turned()
            now = loop.time()
            for key, joined in self._keys.items():
                detector.heard(key, joined.stream.heard)
            for key in detector.look(now):
                silent = self._keys.get(key)
                if silent is None:
                    detector.forget(key)
                else:
                    self._lose(silent, f"nothing was heard of it for {detector.bound:g} s")


def _tell(callback: Callable[..., None], *facts: Plain) -> None:
    """Call back. That may fail; then the links go on."""
    try:
        callback(*facts)
    except Exception:
        logger.exception("a bug: what a link has told could not be handled")


def _without(error: Exception, node: str, port: int) -> str:
    """What is wrong, without the node's address, which whoever tells it says as well."""
    return str(error).removeprefix(f"{node}:{port}: ").removeprefix(f"{node}: ")


class _Refused(RunError):  # noqa: N818 - reads as what happened
    """The node answers, but does not let us in."""


class _Joined:
    """The link to one node, from its answer to its end. `pending` has the requests without an answer."""

    def __init__(
        self,
        node: str,
        key: str,
        stream: MessageStream,
        about: Mapping[str, Plain],
    ) -> None:
        self.node = node
        self.key = key
        self.stream = stream
        self.about = about
        self.pending: dict[int, asyncio.Future[Plain]] = {}

    def end(self, reason: str) -> None:
        """Fail the requests that have no answer yet."""
        for answer in self.pending.values():
            if not answer.done():
                answer.set_exception(LinkError(f"is gone ({reason})", where=self.node))
