"""The quality of a node's links in its mesh, asked for again and again, where there is a mesh."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterable

from fission.engine.node.batctl import Batctl

MESH_SECONDS = 5.0
"""How often the mesh is asked."""


class Mesh:
    """`meet` peers, let `watch` run as a task until it is cancelled; `tq` is what was found last."""

    def __init__(self) -> None:
        self.tq: dict[str, float] = {}
        self._batctl = Batctl() if shutil.which("batctl") else None
        self._peers: set[str] = set()

    def meet(self, peers: Iterable[object]) -> None:
        """Ask for the links to these addresses, too; what is no text is none."""
        self._peers |= {peer for peer in peers if isinstance(peer, str)}

    async def watch(self) -> None:
        """Ask again and again; returns at once where nobody can be asked."""
        while self._batctl is not None:
            with contextlib.suppress(OSError):
                found = await asyncio.to_thread(self._batctl.qualities, sorted(self._peers))
                self.tq = {address: float(quality) for address, quality in found.items()}
            await asyncio.sleep(MESH_SECONDS)
