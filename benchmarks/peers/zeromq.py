"""Bare pyzmq: PUSH and PULL over ipc, one block per message, high-water marks of what fits 16 MiB.

An empty message ends the stream, and the sender's LINGER waits until everything has left. Even so the last
blocks and that message are lost now and then (it seems that a receiver which was full drops what it had
read when the sender closes). So SILENCE_MS ends the stream too, and what is missing is counted as lost.
"""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import zmq

from benchmarks.peers.arrays import HEADER, LARGE, decode_header, encode_header
from benchmarks.workloads import Plan

SILENCE_MS = 2000
"""After the first block; far more than any pause of a source."""


class ZeroMQPeer:
    """One message per block; a large array goes as header and body, its body not copied by the receiver."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.elements = plan.workload.elements
        self.large = plan.workload.nbytes >= LARGE
        self.queue = plan.workload.queue

    def _socket(self, kind: int) -> "zmq.Socket[bytes]":
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        socket.sndhwm = socket.rcvhwm = self.queue
        socket.linger = 10_000
        return socket

    def send(self, pipe: int, blocks: Iterable[Any]) -> None:
        """Send every block and an empty message, then wait until all have left."""
        with self._socket(zmq.PUSH) as socket:
            socket.connect(f"ipc://{self.folder}/pipe-{pipe}.zmq")
            send = socket.send
            if not self.elements:
                for block in blocks:
                    send(pickle.dumps(block, 5))
            elif not self.large:
                for block in blocks:
                    send(encode_header(block) + block.tobytes())
            else:
                for block in blocks:
                    send(encode_header(block), zmq.SNDMORE)
                    # The source changes its array in place: copy it. One that was received needs none.
                    send(block, copy=block.flags.owndata)
            send(b"")
        zmq.Context.instance().term()

    def receive(self, pipe: int) -> Iterator[Any]:
        """Yield the blocks until the empty message."""
        with self._socket(zmq.PULL) as socket:
            socket.bind(f"ipc://{self.folder}/pipe-{pipe}.zmq")
            socket.poll()
            socket.rcvtimeo = SILENCE_MS
            receive = receive_objects
            if self.elements:
                receive = receive_large if self.large else receive_small
            with suppress(zmq.Again):
                yield from receive(socket)


def receive_objects(socket: "zmq.Socket[bytes]") -> Iterator[Any]:
    """Yield what was pickled; zmq.Again after silence."""
    while data := socket.recv():
        yield pickle.loads(data)


def receive_small(socket: "zmq.Socket[bytes]") -> Iterator[Any]:
    """Yield small arrays, each copied into memory that it may change."""
    import numpy as np

    while data := socket.recv():
        dtype, shape, _ = decode_header(data[:HEADER])
        yield np.ndarray(shape, dtype, bytearray(data), HEADER)


def receive_large(socket: "zmq.Socket[bytes]") -> Iterator[Any]:
    """Yield large arrays in the memory that the library received them into."""
    import numpy as np

    while head := socket.recv():
        dtype, shape, _ = decode_header(head)
        yield np.ndarray(shape, dtype, socket.recv(copy=False).buffer)
