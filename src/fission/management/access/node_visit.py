"""Asking the nodes of a network for something, outside of a run."""

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

Ask = Callable[..., Awaitable[Plain]]
"""`await ask(operation, **arguments)`: one node's answer. Raises LinkError."""

Work = Callable[[str, Ask], Awaitable[Any]]
"""`await work(node, ask)`: what is to be done with one node."""

_NODES_SECONDS = 6.0
_LOOK_SECONDS = 0.1


class Visit:
    """Does some work with each node that answers; `missing` says then with whom it was not done, and why.

    An `observer` changes nothing, and comes also while another client has the network; anybody else is refused then.
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
        """Return what the work has returned, by the addresses of the nodes."""
        link = StreamClientLink(
            identity=self._identity,
            network=self._network,
            client=f"visitor-{os.getpid()}",
            pulse_interval=1.0,
            up=self._up.put_nowait,
            down=lambda _node, _reason: None,
            refused=lambda node, reason: self.missing.update({node: f"refuses: {reason}"}),
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
                        node = await asyncio.wait_for(self._up.get(), _LOOK_SECONDS)
                        if node not in begun:
                            begun.add(node)
                            tasks.create_task(self._do(link, node, work))
                for node in self._open(link, begun):
                    self.missing[node] = "has not answered"
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
            self.missing[node] = f"refuses: {error}"
