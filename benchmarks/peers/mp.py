"""Bare multiprocessing: its Queue (bounded) and its Pipe, with the pickling that they bring.

Both need their ends to be handed to the processes when these start, so the parent makes them.
"""

from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.queues import Queue
from typing import Any

from benchmarks.workloads import Plan


class QueuePeer:
    """`multiprocessing.Queue` of as many blocks as fit 16 MiB; None ends the stream."""

    def __init__(self, context: SpawnContext, plan: Plan) -> None:
        self.queues: list[Queue[Any]] = [context.Queue(plan.workload.queue) for _ in range(2)]
        self.elements = plan.workload.elements

    def send(self, pipe: int, blocks: Iterable[Any]) -> None:
        """Put every block and None. The queue pickles later, in a thread: copy what the source changes."""
        queue = self.queues[pipe - 1]
        if self.elements and pipe == 1:
            for block in blocks:
                queue.put(block.copy())
        else:
            for block in blocks:
                queue.put(block)
        queue.put(None)
        queue.close()
        queue.join_thread()

    def receive(self, pipe: int) -> Iterator[Any]:
        """Yield the blocks until None."""
        get = self.queues[pipe - 1].get
        while (block := get()) is not None:
            yield block


class PipePeer:
    """`multiprocessing.Pipe`, one direction; None ends the stream."""

    def __init__(self, context: SpawnContext, plan: Plan) -> None:  # noqa: ARG002 - the same call for both
        self.ends: list[tuple[Connection[Any, Any], Connection[Any, Any]]]
        self.ends = [context.Pipe(duplex=False) for _ in range(2)]

    def send(self, pipe: int, blocks: Iterable[Any]) -> None:
        """Send every block and None."""
        connection = self.ends[pipe - 1][1]
        for block in blocks:
            connection.send(block)
        connection.send(None)

    def receive(self, pipe: int) -> Iterator[Any]:
        """Yield the blocks until None."""
        receive = self.ends[pipe - 1][0].recv
        while (block := receive()) is not None:
            yield block
