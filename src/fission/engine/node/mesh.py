"""Polls the quality of a node's links in its mesh, where there is a mesh."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterable

from fission.engine.node.batctl import Batctl

MESH_SECONDS = 5.0
"""Seconds between two polls."""


class Mesh:
    """`meet` peers, let `watch` run as a task until it is cancelled; `tq` is what was found last."""

    def __init__(self) -> None:
        self.tq: dict[str, float] = {}
        self._batctl = Batctl() if shutil.which("batctl") else None
        self._peers: set[str] = set()

    def meet(self, peers: Iterable[object]) -> None:
        """Include the links to these addresses; entries that are no text are ignored."""
        self._peers |= {peer for peer in peers if isinstance(peer, str)}

    async def watch(self) -> None:
        """Poll until cancelled; return at once where there is no mesh."""
        while self._batctl is not None:
            with contextlib.suppress(OSError):
                found = await asyncio.to_thread(self._batctl.qualities, sorted(self._peers))
                self.tq = {address: float(quality) for address, quality in found.items()}
            await asyncio.sleep(MESH_SECONDS)
