"""Executes coordinator instructions on nodes and on the client itself.

Instructions about one job on one node are carried out in their order; those about different jobs side by side. When
a request is not answered, nobody knows what became of it: the link to that node is dropped, and when the node comes
back its inventory says what is there.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from fission.cluster import (
    BeginEpoch,
    JobNotStarted,
    NodeJoined,
    NodeLost,
    NodeRefused,
    ReceiverGone,
    SenderGone,
    SendRoute,
    StartJob,
    StopJob,
)
from fission.cluster.instructions import ToNode
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.client.serial_executor import SerialExecutor
from fission.engine.files.bundles import Bundle, ship
from fission.engine.protocol import link_messages
from fission.engine.protocol.interfaces import (
    ClientLink,
    EngineEvent,
    JobOrder,
    LinkError,
    PlacedJob,
    Plain,
    Replicas,
)
from fission.engine.protocol.versions import differences
from fission.errors import FissionError
from fission.placement.model import natural
from fission.runtime import messages

_log = logging.getLogger(__name__)

_AHEAD = -1
"""The lane of preparations. Lanes of jobs have the job's id; requests to the node itself use lane 0."""
_TAPS = -2
"""The lane of orders for taps, which delay nothing else."""
_PREPARE_SECONDS = 120.0

_FAREWELL_SECONDS = 1.0

START_SECONDS = 20.0
"""Seconds that a node may take to copy a job's files into place and to start its process."""


class Local(Protocol):
    """The client as a machine that runs jobs: what `JobHost` does, in the client's own process."""

    async def start(self, order: JobOrder) -> None:
        """Start an incarnation; events report its progress."""

    async def stop(self, run: str, job: int, incarnation: int, *, force: bool) -> None:
        """Stop an incarnation; JobExited follows in any case."""

    def tell(self, run: str, job: int, incarnation: int, message: messages.ToJob) -> None:
        """Send a message to the process of an incarnation."""

    def add(self, bundles: Iterable[Bundle]) -> None:
        """Add bundles that orders may name from now on."""

    @property
    def states(self) -> str:
        """The address at which the client stores checkpoints; "" as long as it does not."""

    def set_replicas(self, network: str, run: str, replicas: Replicas) -> None:
        """Take in which machines store checkpoints, and where the jobs are placed."""


class InstructionExecutor:
    """Call `carry_out` with instructions; `on_event` receives events, `on_progress` the progress of file transfers.

    `connect` creates the link; `up`, `down`, `refused` and `posted` are its callbacks.
    `bundles` are the user's modules first, then all
    files of the jobs; `packages` the names of what the modules import and a node must have; `orders` makes the order for
    a start and names the bundles that it needs; `placed` returns the newest incarnation of each job, for the replicas.
    """

    def __init__(
        self,
        network: Network,
        run: str,
        *,
        local: Local,
        orders: Callable[[StartJob, tuple[str, ...]], JobOrder],
        bundles: Sequence[Bundle],
        connect: "Callable[[InstructionExecutor], ClientLink] | None" = None,
        packages: Iterable[str] = (),
        placed: Callable[[], dict[int, PlacedJob]] = dict,
        on_event: Callable[[EngineEvent], None],
        on_progress: Callable[[str, int, int], None] = lambda _node, _done, _total: None,
    ) -> None:
        self._network = network
        self._run = run
        self._local = local
        self._orders = orders
        self._bundles = {bundle.digest: bundle for bundle in bundles}
        self._first = bundles[0].digest
        self._packages = frozenset(packages)
        self._peers = [entry.ip for entry in network.nodes]
        self._placed = placed
        self._on_event = on_event
        self._on_progress = on_progress
        self._queues = SerialExecutor(self._failed)
        self._early: dict[str, list[Plain]] = {}
        self._announcing = False
        self._shipping: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._states: dict[str, str] = {}
        self.copying: set[str] = set()
        """Nodes that receive all files before they count as joined (PRE_COPY)."""
        self.link = None if connect is None else connect(self)

    def add(self, bundles: Sequence[Bundle]) -> None:
        """Add bundles that orders may name from now on. The first one has the modules that nodes prepare."""
        self._bundles |= {bundle.digest: bundle for bundle in bundles}
        self._first = bundles[0].digest
        self._local.add(bundles)

    # -- instructions of the coordinator -----------------------------------------------------------------

    def carry_out(self, instruction: ToNode) -> None:
        """Carry out an instruction, after all earlier ones about the same job on the same node."""
        if isinstance(instruction, StartJob):
            self._announce_soon()
        self._queues.put((instruction.node, instruction.job), partial(self._do, instruction))

    async def close(self) -> None:
        """Drop pending instructions."""
        for task in self._shipping.values():
            task.cancel()
        await asyncio.gather(*self._shipping.values(), return_exceptions=True)
        await self._queues.close()

    async def _do(self, instruction: ToNode) -> None:
        try:
            if isinstance(instruction, StartJob):
                await self._start(instruction)
            elif isinstance(instruction, StopJob):
                await self._stop(instruction)
            else:
                await self._tell(
                    instruction.node, instruction.job, instruction.incarnation, _message(instruction)
                )
        except LinkError as error:
            if self.link is not None:
                self.link.drop(instruction.node, str(error))

    async def _start(self, start: StartJob) -> None:
        try:
            order = self._orders(start, self._replicas)
            if start.node == LOCAL:
                await self._local.start(order)
                return
            await self._ship(start.node, order.code)
            await self._ship(start.node, order.files)
        except LinkError:
            raise
        except Exception as error:  # every failure is reported to the coordinator
            self._on_event(JobNotStarted(start.node, start.job, start.incarnation, str(error)))
            if isinstance(error, FissionError):
                return
            raise
        await self._ask(start.node, "start", timeout=START_SECONDS, order=link_messages.order_to_plain(order))

    async def _stop(self, stop: StopJob) -> None:
        if stop.node == LOCAL:
            await self._local.stop(stop.run, stop.job, stop.incarnation, force=stop.force)
        else:
            await self._ask(
                stop.node,
                "stop",
                run=stop.run,
                job=stop.job,
                incarnation=stop.incarnation,
                force=stop.force,
            )

    async def _tell(
        self, node: str, job: int, incarnation: int, message: link_messages.JobControlMessage
    ) -> None:
        if node == LOCAL:
            self._local.tell(self._run, job, incarnation, message)
        else:
            await self._ask(
                node,
                "tell",
                run=self._run,
                job=job,
                incarnation=incarnation,
                message=link_messages.message_to_plain(message),
            )

    def tap(self, node: str, job: int, incarnation: int, order: messages.Tap) -> None:
        """Send an order for a tap to an incarnation; it may be lost, since it is repeated."""

        async def send() -> None:
            try:
                await self._tell(node, job, incarnation, order)
            except LinkError as error:
                _log.debug("the tap of job %d: %s", job, error)

        self._queues.put((node, _TAPS), send)

    async def _ask(self, node: str, operation: str, *, timeout: float = 5.0, **arguments: Plain) -> Plain:
        if self.link is None:
            raise LinkError("there is no link to nodes", where=node)
        return await self.link.request(
            node, operation, timeout=timeout, network=self._network.name, **arguments
        )

    # -- files -------------------------------------------------------------------------------------------

    async def _ship(self, node: str, digest: str) -> None:
        """Send a bundle to a node, once, however many jobs need it."""
        key = (node, digest)
        if key not in self._shipping:
            self._shipping[key] = asyncio.create_task(self._send(node, digest))
        task = self._shipping[key]
        try:
            await asyncio.shield(task)
        except Exception:
            if self._shipping.get(key) is task:
                del self._shipping[key]  # the next request tries again
            raise

    async def _send(self, node: str, digest: str) -> None:
        await ship(partial(self._ask, node), [self._bundles[digest]], partial(self._on_progress, node))

    async def _prepare(self, node: str) -> None:
        """Send the user's modules to a node and unpack them, so that a failover need not wait for that."""
        try:
            await self._ship(node, self._first)
            await self._ask(node, "prepare", timeout=_PREPARE_SECONDS, code=self._first)
        except FissionError as error:
            self._complain(node, error)

    async def _pre_copy(self, node: str) -> None:
        """Send all files to a node before its first job; failed transfers are repeated when a job needs them."""
        self.copying.add(node)
        try:
            for digest in self._bundles:
                await self._ship(node, digest)
        except FissionError as error:
            self._complain(node, error)
        finally:
            self.copying.discard(node)

    # -- checkpoints ------------------------------------------------------------------------------------------

    @property
    def _replicas(self) -> tuple[str, ...]:
        """The addresses that store checkpoints: the client's, then those of the nodes that are joined."""
        nodes = (self._states[node] for node in sorted(self._states, key=natural))
        return tuple(address for address in (self._local.states, *nodes) if address)

    def announce_replicas(self) -> None:
        """Send to all machines which of them store checkpoints, and where the jobs are placed."""
        self._announcing = False
        self._local.set_replicas(self._network.name, self._run, Replicas(self._replicas, self._placed()))
        for node in self._states:
            self._queues.put((node, 0), partial(self._send_replicas, node))

    def _announce_soon(self) -> None:
        """Announce new incarnations, once for all that start in this turn of the loop: replicas accept no others."""
        if not self._announcing:
            self._announcing = True
            asyncio.get_running_loop().call_soon(self.announce_replicas)

    async def _send_replicas(self, node: str) -> None:
        replicas = Replicas(self._replicas, self._placed())
        await self._ask(node, "replicas", replicas=link_messages.replicas_to_plain(replicas))

    async def say_ended(self) -> None:
        """Report the end of the run to the nodes, so that they remove it; a node that does not answer removes it later."""
        nodes = list(self._states)
        await asyncio.gather(
            *(self._ask(node, "ended", timeout=_FAREWELL_SECONDS) for node in nodes), return_exceptions=True
        )

    # -- callbacks of the link ---------------------------------------------------------------------------

    def up(self, node: str) -> None:
        """Handle a node that has joined: request its description and its inventory."""
        self._early[node] = []
        self._queues.put((node, 0), partial(self._greet, node))

    def down(self, node: str, reason: str) -> None:
        """Handle the loss of a node; pending instructions for it are dropped."""
        self._queues.cut(lambda lane: lane[0] == node)
        for key in [key for key in self._shipping if key[0] == node]:
            self._shipping.pop(key).cancel()
        self._early.pop(node, None)
        if self._states.pop(node, None) is not None:
            self.announce_replicas()
        self._on_event(NodeLost(node, reason))

    def refused(self, node: str, reason: str) -> None:
        """Handle a node that has answered and cannot be used."""
        self._on_event(NodeRefused(node, (reason,)))

    def posted(self, node: str, topic: str, data: Plain) -> None:
        """Handle a message of a node; events are held back until it counts as joined."""
        if topic != "event":
            _log.debug("%s: unknown topic %s", node, topic)
            return
        if node in self._early:
            self._early[node].append(data)
        else:
            self._hear(node, data)

    async def _greet(self, node: str) -> None:
        try:
            hello = await self._ask(node, "hello", address=node, run=self._run, peers=self._peers)
            inventory = await self._ask(node, "inventory")
        except LinkError as error:
            if self.link is not None:
                self.link.drop(node, str(error))
            return
        try:
            joined, states = _joined(node, hello, inventory), str(hello["states"])
            refused = differences(hello["versions"], self._packages)
        except (AttributeError, LookupError, TypeError, ValueError, FissionError) as error:
            refused = (f"what it says of itself cannot be understood ({type(error).__name__}: {error})",)
        if refused:
            self._early.pop(node, None)
            self._on_event(NodeRefused(node, refused))
            return
        if self._network.settings.pre_copy:
            await self._pre_copy(node)
        self._states[node] = states
        self.announce_replicas()
        self._on_event(joined)
        for data in self._early.pop(node, ()):
            self._hear(node, data)
        self._queues.put((node, _AHEAD), partial(self._prepare, node))

    def _hear(self, node: str, data: Plain) -> None:
        event = link_messages.event_from_plain(data)
        if getattr(event, "node", node) != node:
            _log.warning("%s speaks for %s: ignored", node, getattr(event, "node", ""))
            return
        self._on_event(event)

    def _complain(self, node: str, error: FissionError) -> None:
        text = str(error)  # the text of a broken link names the node
        _log.warning("%s", text if text.startswith(node) else f"node {node}: {text}")

    def _failed(self, error: Exception) -> None:
        level = logging.WARNING if isinstance(error, FissionError) else logging.ERROR
        _log.log(level, "%s", error, exc_info=None if isinstance(error, FissionError) else error)


def _joined(node: str, hello: Mapping[str, Plain], inventory: Sequence[Plain]) -> NodeJoined:
    return NodeJoined(
        node,
        link_messages.info_from_plain(hello["info"]),
        name=hello["name"],
        groups=frozenset(hello["groups"]),
        slots=hello["slots"],
        occupied=hello["occupied"],
        service=hello["service"],
        versions={
            name: version for name, version in hello["versions"].items() if name in ("fission", "python")
        },
        inventory=tuple(link_messages.resident_from_plain(line) for line in inventory),
        tq=hello.get("tq", {}),
    )


def _message(instruction: ToNode) -> link_messages.JobControlMessage:
    match instruction:
        case SendRoute():
            return messages.Route(instruction.pipe, instruction.address)
        case ReceiverGone():
            return messages.ReceiverGone(instruction.pipe)
        case SenderGone():
            return messages.SenderGone(instruction.pipe)
        case BeginEpoch():
            return messages.BeginEpoch(instruction.epoch)
    raise ValueError(f"{instruction} is no message to a job")
