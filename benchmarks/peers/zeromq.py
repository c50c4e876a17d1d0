"""Bare pyzmq: PUSH and PULL over ipc, one block per message, high-water marks of what fits 16 MiB.

An empty message ends the stream; the sender's LINGER waits until everything has left.
"""

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import zmq

from benchmarks.peers.arrays import HEADER, LARGE, decode_header, encode_header
from benchmarks.workloads import Plan


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
                    # The source changes its array in place: copy it. One that was received need not be copied.
                    send(block, copy=block.flags.owndata)
            send(b"")
        zmq.Context.instance().term()

    def receive(self, pipe: int) -> Iterator[Any]:
        """Yield the blocks until the empty message."""
        with self._socket(zmq.PULL) as socket:
            socket.bind(f"ipc://{self.folder}/pipe-{pipe}.zmq")
            if not self.elements:
                while data := socket.recv():
                    yield pickle.loads(data)
            elif self.large:
                yield from self._receive_large(socket)
            else:
                yield from self._receive_small(socket)

    @staticmethod
    def _receive_small(socket: "zmq.Socket[bytes]") -> Iterator[Any]:
        import numpy as np

        while data := socket.recv():
            dtype, shape, _ = decode_header(data[:HEADER])
            yield np.ndarray(shape, dtype, bytearray(data), HEADER)

    @staticmethod
    def _receive_large(socket: "zmq.Socket[bytes]") -> Iterator[Any]:
        import numpy as np

        while head := socket.recv():
            dtype, shape, _ = decode_header(head)
            yield np.ndarray(shape, dtype, socket.recv(copy=False).buffer)
