"""The bare loop: pickle or raw array, a length, a Unix socket; one block per send, and nothing else.

What any framework is measured against. It numbers nothing, keeps nothing, repeats nothing: a block under way
when a process dies is gone.
"""

import pickle
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers.arrays import HEADER, LARGE, decode_header, encode_header
from benchmarks.peers.unix import accept, connect, receive_body, receive_exactly, send_two
from benchmarks.workloads import Plan

if TYPE_CHECKING:
    import socket

LENGTH = struct.Struct("<I")
CHUNK = 1 << 18
"""Bytes asked for at once where blocks are small."""


class BarePeer:
    """One block per send."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.elements = plan.workload.elements
        self.large = plan.workload.nbytes >= LARGE

    def send(self, pipe: int, blocks: Iterable[Any]) -> None:
        """Send every block; the end of the stream is the end of the connection."""
        with connect(self.folder, pipe) as connection:
            if not self.elements:
                send_objects(connection, blocks)
            elif self.large:
                send_large(connection, blocks)
            else:
                send_small(connection, blocks)

    def receive(self, pipe: int) -> Iterator[Any]:
        """Yield the blocks until the connection ends."""
        with accept(self.folder, pipe) as connection:
            if not self.elements:
                yield from receive_objects(connection)
            elif self.large:
                yield from receive_large(connection)
            else:
                yield from receive_small(connection)


def send_objects(connection: "socket.socket", blocks: Iterable[Any]) -> None:
    """Send any object as length and pickle."""
    dumps, pack, sendall = pickle.dumps, LENGTH.pack, connection.sendall
    for block in blocks:
        data = dumps(block, 5)
        sendall(pack(len(data)) + data)


def receive_objects(connection: "socket.socket") -> Iterator[Any]:
    """Yield objects from a stream of length and pickle (each of them smaller than CHUNK)."""
    loads, length, receive = pickle.loads, LENGTH.unpack_from, connection.recv_into
    buffer = memoryview(bytearray(CHUNK))
    end = 0
    while count := receive(buffer[end:]):
        end += count
        start = 0
        while end - start >= 4:
            stop = start + 4 + length(buffer, start)[0]
            if stop > end:
                break
            yield loads(buffer[start + 4 : stop])
            start = stop
        buffer[: end - start] = buffer[start:end]
        end -= start


def send_small(connection: "socket.socket", blocks: Iterable[Any]) -> None:
    """Send arrays as header and raw bytes, joined (a copy is cheaper than a second buffer for the kernel)."""
    sendall = connection.sendall
    for block in blocks:
        sendall(encode_header(block) + block.tobytes())


def receive_small(connection: "socket.socket") -> Iterator[Any]:
    """Yield small arrays: views into a chunk that is not used again, so they may be kept and changed."""
    import numpy as np

    receive, ndarray = connection.recv_into, np.ndarray
    chunk = np.empty(CHUNK, np.uint8)
    end = 0
    while count := receive(chunk.data[end:]):
        end += count
        start = 0
        while end - start >= HEADER:
            dtype, shape, nbytes = decode_header(chunk[start : start + HEADER].tobytes())
            stop = start + HEADER + nbytes
            if stop > end:
                break
            yield ndarray(shape, dtype, chunk, start + HEADER)
            start = stop
        rest = chunk[start:end]
        chunk = np.empty(CHUNK, np.uint8)
        end -= start
        chunk[:end] = rest


def send_large(connection: "socket.socket", blocks: Iterable[Any]) -> None:
    """Send arrays as header and raw bytes without copying them."""
    for block in blocks:
        send_two(connection, encode_header(block), block.data.cast("B"))


def receive_large(connection: "socket.socket") -> Iterator[Any]:
    """Yield large arrays, each received straight into its own memory."""
    import numpy as np

    head = bytearray(HEADER)
    while receive_exactly(connection, memoryview(head)):
        dtype, shape, _ = decode_header(bytes(head))
        array = np.empty(shape, dtype)
        receive_body(connection, array.data.cast("B"))
        yield array
