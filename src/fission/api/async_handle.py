"""The asynchronous form of a handle: `async with simulate(network) as handle`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fission.api.base import BaseHandle, Result
from fission.api.events import Event
from fission.api.streams import BUFFER, BlockStream
from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.core.nodes import BaseNode
from fission.monitor import NetworkView

__all__ = ["AsyncHandle"]


class AsyncHandle:
    """A handle whose methods are coroutines; the event loop goes on while they wait. Streams are for `async for`."""

    def __init__(self, handle: BaseHandle) -> None:
        self._handle = handle

    @property
    def network(self) -> Network:
        """The network."""
        return self._handle.network

    @property
    def running(self) -> bool:
        """Whether the network was started and has not ended."""
        return self._handle.running

    def pipe(
        self, id: int, *, latest: bool = False, buffer: int = BUFFER, as_arrays: bool = False
    ) -> BlockStream:
        """Return the blocks of a pipe, for `async for`; see `BaseHandle.pipe`."""
        return self._handle.pipe(id, latest=latest, buffer=buffer, as_arrays=as_arrays)

    async def wait(self) -> Result:
        """Wait for the end of the network; see `BaseHandle.wait`."""
        return await asyncio.to_thread(self._handle.wait)

    async def stop(self) -> None:
        """Stop the network and wait for its end."""
        await asyncio.to_thread(self._handle.stop)

    async def status(self) -> NetworkView:
        """Return what runs where."""
        return await asyncio.to_thread(self._handle.status)

    async def processes(self) -> dict[str, dict[str, Any]]:
        """Return the processes of each machine; see `BaseHandle.processes`."""
        return await asyncio.to_thread(self._handle.processes)

    async def events(self) -> AsyncIterator[Event]:
        """Yield what has happened and what happens, until the network ends."""
        following = self._handle.events()
        while (event := await asyncio.to_thread(next, following, None)) is not None:
            yield event

    def logs(self, job: str | int | type[BaseJob] | None = None) -> list[Event]:
        """Return the newest lines of a job, or of all."""
        return self._handle.logs(job)

    async def move(self, job: str | int | type[BaseJob], node: str | BaseNode = "") -> None:
        """Move a job; see `BaseHandle.move`."""
        await asyncio.to_thread(self._handle.move, job, node)

    async def drain(self, node: str | BaseNode, *, undo: bool = False) -> None:
        """Move all jobs away from a node; see `BaseHandle.drain`."""
        await asyncio.to_thread(lambda: self._handle.drain(node, undo=undo))

    async def reload(self, kind: type[BaseJob] | None = None) -> list[str]:
        """Give new code to jobs while the network runs; see `BaseHandle.reload`."""
        return await asyncio.to_thread(self._handle.reload, kind)

    async def rebalance(self) -> None:
        """Move the jobs to where they would be placed now."""
        await asyncio.to_thread(self._handle.rebalance)

    async def start(self) -> None:
        """Start the network; return when all its jobs run."""
        try:
            await asyncio.to_thread(self._handle.start)
        except BaseException:
            await self.stop()
            raise

    async def leave(self, *, failed: bool) -> None:
        """Stop at the end of a block; raise the error that has ended the network unless the block has `failed` itself."""
        await asyncio.to_thread(lambda: self._handle.leave(failed=failed))
