"""Frames of a pairing: four bytes of length, a byte for the kind, and contents. Bounded before anything is stored."""

import enum
import struct
from typing import Final, NamedTuple

from fission.pairing.errors import PairingError

__all__ = ["LARGEST_SEALED", "LARGEST_UNPAIRED", "Frame", "FrameReader", "Kind", "encode"]

LARGEST_UNPAIRED: Final = 512
"""Bytes of a frame from a peer that has not confirmed the key."""
LARGEST_SEALED: Final = 32 << 10
_HEAD: Final = struct.Struct(">I")


class Kind(enum.Enum):
    """What a frame contains."""

    HELLO = b"h"
    SHARE = b"s"
    CONFIRM = b"c"
    SEALED = b"e"
    REFUSED = b"r"


class Frame(NamedTuple):
    """One frame."""

    kind: Kind
    data: bytes


def encode(kind: Kind, data: bytes) -> bytes:
    """Return a frame as bytes."""
    return _HEAD.pack(1 + len(data)) + kind.value + data


class FrameReader:
    """Cuts received bytes into frames. `largest` is the limit for the next one; raise it when the peer is paired."""

    def __init__(self) -> None:
        self.largest = LARGEST_UNPAIRED
        self._buffer = bytearray()

    @property
    def wanted(self) -> int:
        """The number of bytes that the current frame still needs, at least 1."""
        if len(self._buffer) < _HEAD.size:
            return _HEAD.size - len(self._buffer)
        return max(1, _HEAD.size + self._length() - len(self._buffer))

    def feed(self, data: bytes) -> Frame | None:
        """Take at most `wanted` bytes; return the frame when it is whole. Raises PairingError for what is no frame."""
        self._buffer += data
        if len(self._buffer) < _HEAD.size:
            return None
        length = self._length()
        if not 1 <= length <= self.largest:
            raise PairingError("it does not speak the pairing protocol", found=f"a frame of {length} bytes")
        if len(self._buffer) < _HEAD.size + length:
            return None
        body = bytes(self._buffer[_HEAD.size : _HEAD.size + length])
        self._buffer.clear()
        try:
            return Frame(Kind(body[:1]), body[1:])
        except ValueError:
            raise PairingError("it does not speak the pairing protocol", found="an unknown frame") from None

    def _length(self) -> int:
        (length,) = _HEAD.unpack_from(self._buffer)
        return int(length)
