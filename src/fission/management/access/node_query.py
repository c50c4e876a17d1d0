"""Requests to the nodes of a network outside of a run."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from fission.engine.client.link import StreamClientLink
from fission.engine.protocol.interfaces import LinkError, Plain
from fission.errors import FissionError
from fission.security import IdentityFiles

Request = Callable[..., Awaitable[Plain]]
"""`await request(operation, **arguments)`: the answer of one node. Raises LinkError."""

Work = Callable[[str, Request], Awaitable[Any]]
"""`await work(node, request)`: the work for one node."""

_NODES_SECONDS = 6.0
_POLL_SECONDS = 0.1


class NodeQuery:
    """Runs some work for each node that answers. Afterwards `missing` has the reason for each node without a result.

    Nodes accept an `observer`, which changes nothing, also while another client runs the network; other queries are
    refused then.
    """

    def __init__(
        self,
        network: str,
        nodes: Mapping[str, int],
        identity: IdentityFiles | None,
        *,
        observer: bool = False,
    ) -> None:
        self.missing: dict[str, str] = {}
        self._network = network
        self._nodes = dict(nodes)
        self._identity = identity
        self._observer = observer
        self._done: dict[str, Any] = {}
        self._up: asyncio.Queue[str] = asyncio.Queue()

    async def run(self, work: Work) -> dict[str, Any]:
        """Return the results of the work by node address."""
        link = StreamClientLink(
            identity=self._identity,
            network=self._network,
            client=f"query-{os.getpid()}",
            pulse_interval=1.0,
            up=self._up.put_nowait,
            down=lambda _node, _reason: None,
            refused=lambda node, reason: self.missing.update({node: f"refused: {reason}"}),
            posted=lambda _node, _topic, _data: None,
            about={"observer": True} if self._observer else {},
        )
        await link.start()
        try:
            link.invite(self._nodes)
            deadline = asyncio.get_running_loop().time() + _NODES_SECONDS
            async with asyncio.TaskGroup() as tasks:
                begun: set[str] = set()
                while self._open(link, begun) and asyncio.get_running_loop().time() < deadline:
                    with contextlib.suppress(TimeoutError):
                        node = await asyncio.wait_for(self._up.get(), _POLL_SECONDS)
                        if node not in begun:
                            begun.add(node)
                            tasks.create_task(self._do(link, node, work))
                for node in self._open(link, begun):
                    self.missing[node] = "no answer"
            done = self._done.keys() | self.missing.keys()
            self.missing.update({node: why for node, why in link.away().items() if node not in done})
        finally:
            await link.close()
        return self._done

    def _open(self, link: StreamClientLink, begun: set[str]) -> set[str]:
        """The nodes about which nothing is known yet."""
        away = {node for node, why in link.away().items() if why}
        return self._nodes.keys() - begun - self.missing.keys() - away

    async def _do(self, link: StreamClientLink, node: str, work: Work) -> None:
        try:
            self._done[node] = await work(node, partial(link.request, node))
        except LinkError as error:
            self.missing[node] = str(error)
        except FissionError as error:
            self.missing[node] = f"refused: {error}"
