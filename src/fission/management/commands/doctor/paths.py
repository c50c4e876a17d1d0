"""Has every node, and this machine, try to reach a port of every other one, as jobs do."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fission.core.network import Network
from fission.diagnosis.facts import CLIENT, NodeFacts, Outcome, PathFacts, Reach
from fission.engine.client.client_host import client_address
from fission.engine.node.machine import port_range
from fission.engine.node.probe import OPEN, REACH, TARGETS
from fission.engine.protocol.interfaces import LinkError, Plain
from fission.engine.transport.reach import REACH_SECONDS, ProbePort, reach
from fission.management.access.node_query import NodeQuery, Request

_OPEN_SECONDS: Final = 25.0
"""How long the ports are open: until the last node has joined, and the attempts are over."""
_ALL_OPEN_SECONDS: Final = 8.0
_ANSWER_SECONDS: Final = REACH_SECONDS + 5.0

Query = Callable[[Mapping[str, int]], NodeQuery]


@dataclass(frozen=True, slots=True)
class _Target:
    """An open port; `node` is the machine's address in NODES, or CLIENT."""

    node: str
    address: str
    port: int
    token: str

    def plain(self) -> Plain:
        return [self.address, self.port, self.token]


async def try_paths(
    query: Query, nodes: Sequence[NodeFacts], ports: Mapping[str, int], network: Network, *, local: bool
) -> tuple[list[PathFacts], dict[str, str]]:
    """Return the ways that were tried, and why some nodes have tried none.

    Only nodes that can probe take part. With more than `TARGETS` of them each tries that many. `local`: the client has jobs.
    """
    probing = [one for one in nodes if one.probes and one.address]
    if not probing:
        return [], {}
    trial = _Trial(probing, ports, network, local=local)
    await trial.open_own()
    try:
        asking = query({one.node: ports[one.node] for one in probing})
        await asyncio.gather(asking.run(trial.ask), trial.reach_all())
    finally:
        trial.close()
    order = {node: index for index, node in enumerate([CLIENT, *ports])}
    return sorted(trial.paths, key=lambda path: (order[path.target], order[path.source])), asking.missing


def neighbors(node: str, nodes: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the nodes that `node` tries: all others, or the `most` that follow it in a circle: each is tried as often."""
    start = nodes.index(node) + 1
    return (*nodes[start:], *nodes[: start - 1])[:most]


class _Trial:
    def __init__(
        self, nodes: Sequence[NodeFacts], ports: Mapping[str, int], network: Network, *, local: bool
    ) -> None:
        self.paths: list[PathFacts] = []
        self._nodes = {one.node: one for one in nodes}
        self._ports = ports
        self._network = network
        self._local = local
        loop = asyncio.get_running_loop()
        self._opened: dict[str, asyncio.Future[_Target]] = {one.node: loop.create_future() for one in nodes}
        self._own: dict[str, ProbePort] = {}
        self._own_range = port_range()

    async def open_own(self) -> None:
        """Open a port at each address of this machine that a node connects to."""
        for node in self._nodes.values():
            address = client_address(self._network, _own_address(node.address))
            if address and address not in self._own:
                port = ProbePort(address, _OPEN_SECONDS)
                with contextlib.suppress(OSError):  # CLIENT_IP may be that of a router
                    await port.open()
                    self._own[address] = port

    def close(self) -> None:
        """Close the ports of this machine."""
        for port in self._own.values():
            port.close()

    async def ask(self, node: str, request: Request) -> None:
        """Have a node open a port, and try those of the others. Raises LinkError."""
        try:
            self._opened[node].set_result(await self._open(node, request))
        except LinkError:
            self._opened[node].cancel()  # the others do not wait for it
            raise
        opened = {target.node: target for target in await self._targets()}
        others = neighbors(node, tuple(opened), TARGETS - 1)
        targets = [*(opened[other] for other in others), *self._own_target(node)]
        found = await self._try(request, [target.plain() for target in targets])
        first = dict(zip(targets, found, strict=True))
        again = [target for target, one in first.items() if _is_worth_more(target, one)]
        services = [[target.address, self._ports[target.node], ""] for target in again]
        second = dict(zip(again, await self._try(request, services), strict=True))
        for target, one in first.items():
            self._note(node, target.node, one, second.get(target))

    async def _open(self, node: str, request: Request) -> _Target:
        answer = await request(OPEN, seconds=_OPEN_SECONDS)
        match answer:
            case {"port": int(port), "token": str(token)}:
                return _Target(node, self._nodes[node].address, port, token)
        raise LinkError("its open port cannot be understood", where=node)

    async def reach_all(self) -> None:
        """Try the ports of all nodes from this machine."""
        targets = await self._targets()
        found = await asyncio.gather(*(reach(one.address, one.port, one.token) for one in targets))
        for target, one in zip(targets, found, strict=True):
            # the port of the service has just answered
            service = Reach(Outcome.REACHED) if _is_worth_more(target, one) else None
            self._note(CLIENT, target.node, one, service)

    async def _targets(self) -> list[_Target]:
        """Return the ports that are open, once all are, or the time is up."""
        done, _ = await asyncio.wait(self._opened.values(), timeout=_ALL_OPEN_SECONDS)
        return [one.result() for one in self._opened.values() if one in done and not one.cancelled()]

    def _own_target(self, node: str) -> list[_Target]:
        address = client_address(self._network, _own_address(self._nodes[node].address))
        port = self._own.get(address)
        return [] if port is None else [_Target(CLIENT, address, port.port, port.token)]

    async def _try(self, request: Request, targets: list[Plain]) -> list[Reach]:
        if not targets:
            return []
        answer = await request(REACH, targets=targets, timeout=_ANSWER_SECONDS)
        if not isinstance(answer, list) or len(answer) != len(targets):
            raise LinkError("its report cannot be understood")
        return [Reach.read(one) for one in answer]

    def _note(self, source: str, target: str, data: Reach, service: Reach | None) -> None:
        needed = self._local or CLIENT not in (source, target)
        machine = self._nodes[target].machine if target in self._nodes else None
        first, last = self._own_range if target == CLIENT else (-1, -1)
        if machine is not None:
            first, last = machine.first_port, machine.last_port
        self.paths.append(PathFacts(source, target, data, service, needed, first, last))


def _is_worth_more(target: _Target, found: Reach) -> bool:
    """Whether the port of the service tells more: whether the machine can be reached at all."""
    return target.node != CLIENT and found.outcome in (
        Outcome.REFUSED,
        Outcome.SILENT,
        Outcome.UNREACHABLE,
    )


def _own_address(node: str) -> str:
    """Return the address of this machine on the way to a node, "" if there is no way. Sends nothing."""
    family = socket.AF_INET6 if ":" in node else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((node, 9))
            return str(sock.getsockname()[0])
    except OSError:
        return ""
