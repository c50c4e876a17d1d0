"""The bare loop with many blocks per send: the upper bound for a framework that batches.

The batch is a fixed number of blocks, so it is measured at full speed only: a block that waits for others
has no latency worth measuring.
"""

import pickle
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers.arrays import HEADER, decode_header, encode_header
from benchmarks.peers.unix import accept, connect, receive_body, receive_exactly
from benchmarks.workloads import Plan

if TYPE_CHECKING:
    import socket

COUNT = struct.Struct("<II")
"""Blocks in the batch, bytes of all pickles; then one length per block, then the pickles."""


class BareBatchedPeer:
    """`workload.batch` blocks per send."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.elements = plan.workload.elements
        self.batch = plan.workload.batch

    def send(self, pipe: int, blocks: Iterable[Any]) -> None:
        """Send every block, `batch` at a time; the end of the stream is the end of the connection."""
        iterator = iter(blocks)
        with connect(self.folder, pipe) as connection:
            if self.elements:
                send_array_batches(connection, iterator, self.batch, self.elements)
            else:
                send_object_batches(connection, iterator, self.batch)

    def receive(self, pipe: int) -> Iterator[Any]:
        """Yield the blocks one by one until the connection ends."""
        with accept(self.folder, pipe) as connection:
            receive = receive_array_batches if self.elements else receive_object_batches
            for batch in receive(connection):
                yield from batch


def send_object_batches(connection: "socket.socket", blocks: Iterator[Any], size: int) -> None:
    """Pickle each block by itself, send `size` of them in one buffer."""
    dumps = pickle.dumps
    while pickles := [dumps(block, 5) for block in islice(blocks, size)]:
        body = b"".join(pickles)
        lengths = struct.pack(f"<{len(pickles)}I", *map(len, pickles))
        connection.sendall(COUNT.pack(len(pickles), len(body)) + lengths + body)


def receive_object_batches(connection: "socket.socket") -> Iterator[Iterable[Any]]:
    """Yield each batch as a list of objects."""
    loads = pickle.loads
    stream = connection.makefile("rb", buffering=1 << 18)
    while head := stream.read(COUNT.size):
        count, nbytes = COUNT.unpack(head)
        lengths = struct.unpack(f"<{count}I", stream.read(4 * count))
        body = stream.read(nbytes)
        start = 0
        objects = []
        for length in lengths:
            stop = start + length
            objects.append(loads(body[start:stop]))
            start = stop
        yield objects


def send_array_batches(connection: "socket.socket", blocks: Iterator[Any], size: int, elements: int) -> None:
    """Copy `size` arrays into the rows of one, send it behind one header."""
    import numpy as np

    rows = np.empty((size, elements))
    while True:
        count = 0
        for count, block in enumerate(islice(blocks, size), 1):
            rows[count - 1] = block
        if not count:
            return
        batch = rows[:count]
        connection.sendmsg([encode_header(batch)])
        connection.sendall(batch.data.cast("B"))


def receive_array_batches(connection: "socket.socket") -> Iterator[Iterable[Any]]:
    """Yield each batch as an array of two dimensions: iterating over it gives the blocks, without a copy."""
    import numpy as np

    head = bytearray(HEADER)
    while receive_exactly(connection, memoryview(head)):
        dtype, shape, _ = decode_header(bytes(head))
        batch = np.empty(shape, dtype)
        receive_body(connection, batch.data.cast("B"))
        yield batch
