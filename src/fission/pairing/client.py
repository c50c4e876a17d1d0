"""The client pairs a device: connects, proves that it knows the code, and sends a certificate."""

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from fission.pairing.errors import PairingError
from fission.pairing.frames import LARGEST_SEALED, Frame, FrameReader
from fission.pairing.handshake import ClientPairing, State

__all__ = ["pair"]

_SECONDS: Final = 20.0

Certify = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Return the files of a certificate (name to text) for the device that says this of itself. Raises FissionError."""


def pair(
    host: str, port: int, code: str, about: Mapping[str, str | int], certify: Certify
) -> tuple[dict[str, str], dict[str, Any]]:
    """Pair a device; return what it says of itself, and its result. `certify` is called when the code was confirmed.

    Raises PairingError with `host` as its place.
    """
    with contextlib.ExitStack() as stack:
        try:
            sock = stack.enter_context(socket.create_connection((host, port), timeout=_SECONDS))
            side = ClientPairing(code, about)
            frames = FrameReader()
            sock.sendall(side.begin())
            while side.state is not State.PAIRED:
                sock.sendall(side.receive(_next(frames, sock)))
            frames.largest = LARGEST_SEALED
            sock.sendall(side.seal(certify(side.peer)))
            return side.peer, side.open(_next(frames, sock))
        except PairingError as error:
            error.where = error.where or host
            raise
        except ConnectionRefusedError:
            raise PairingError(
                f"nothing listens at port {port}",
                where=host,
                hint="Start it on the device: fission-node --pair",
            ) from None
        except TimeoutError:
            raise PairingError(f"no answer from port {port}", where=host) from None
        except OSError as error:
            raise PairingError(f"the connection failed ({error.strerror or error})", where=host) from None


def _next(frames: FrameReader, sock: socket.socket) -> Frame:
    while True:
        data = sock.recv(frames.wanted)
        if not data:
            raise PairingError(
                "the other side has closed the connection",
                hint="Does fission-node --pair run there? A node that serves already is not paired again",
            )
        frame = frames.feed(data)
        if frame is not None:
            return frame
