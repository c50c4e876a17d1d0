"""How messages share one connection: cut into pieces, so that a large one does not hold up a pulse or a command.

```
piece:  kind (1 byte)  length (4 bytes, big endian)  length bytes of a message
kind:   PULSE, or the number of a lane, with MORE when the message goes on in a later piece of its lane
```

Messages of one lane arrive in the order in which they were put there; those of another lane may overtake them.
Bytes in, bytes out: no socket, no clock.
"""

import enum
import struct
from collections import deque

from fission.errors import RunError

__all__ = ["FIRST_MESSAGE", "LARGEST_MESSAGE", "Assembler", "Lane", "Outbox"]

LARGEST_MESSAGE = 512 << 20
FIRST_MESSAGE = 64 << 10
"""The largest message that an unverified peer may send."""

_HEADER = struct.Struct(">BI")
_PIECE = 64 << 10
_PULSE = 0x40
_MORE = 0x80


class Lane(enum.IntEnum):
    """Where a message travels."""

    ORDERED = 0
    """Commands, answers, and what nodes tell."""
    BULK = 1
    """Large requests and answers, such as files: they wait for nothing and nothing waits for them."""


class Outbox:
    """What is to be sent. `put` messages, then take bytes with `take` as long as there are any.

    `size` is the number of bytes of messages that wait.
    """

    def __init__(self) -> None:
        self._lanes: tuple[deque[memoryview], ...] = tuple(deque() for _ in Lane)
        self._pulse = False
        self._turn = 0
        self.size = 0

    def put(self, message: bytes, lane: Lane = Lane.ORDERED) -> None:
        """Queue a message."""
        self._lanes[lane].append(memoryview(message))
        self.size += len(message)

    def pulse(self) -> None:
        """Queue a sign of life: it goes first, and only one at a time."""
        self._pulse = True

    def __bool__(self) -> bool:
        return self._pulse or any(self._lanes)

    def take(self) -> bytes:
        """Return the next bytes for the connection, at most little more than 64 KiB; b"" when nothing waits."""
        parts: list[bytes | memoryview] = []
        if self._pulse:
            self._pulse = False
            parts.append(_HEADER.pack(_PULSE, 0))
        room = _PIECE
        while room > 0 and any(self._lanes):
            room -= self._piece(self._next_lane(), room, parts)
        return b"".join(parts)

    def _next_lane(self) -> int:
        """SerialExecutor take turns."""
        count = len(self._lanes)
        self._turn = next(
            lane
            for lane in ((self._turn + step) % count for step in range(1, count + 1))
            if self._lanes[lane]
        )
        return self._turn

    def _piece(self, lane: int, room: int, parts: list[bytes | memoryview]) -> int:
        queue = self._lanes[lane]
        message = queue[0]
        piece, rest = message[:room], message[room:]
        if rest:
            queue[0] = rest
        else:
            queue.popleft()
        parts.append(_HEADER.pack(lane | _MORE if rest else lane, len(piece)))
        parts.append(piece)
        self.size -= len(piece)
        return len(piece) + _HEADER.size


class Assembler:
    """Puts messages together again: `feed` it what has arrived. `largest` may be raised later.

    It holds no more than `largest` bytes per lane. After an error the connection is of no use.
    """

    def __init__(self, largest: int = FIRST_MESSAGE) -> None:
        self.largest = largest
        self._parts: tuple[bytearray, ...] = tuple(bytearray() for _ in Lane)
        self._head = bytearray()
        self._lane: bytearray | None = None
        self._more = False
        self._missing = 0

    def feed(self, data: memoryview) -> list[bytes]:
        """Return the messages that are complete now. Raises RunError for what breaks the rules."""
        messages: list[bytes] = []
        while data:
            if self._lane is None:
                count = _HEADER.size - len(self._head)
                self._head += data[:count]
                data = data[count:]
                if len(self._head) == _HEADER.size:
                    self._begin(*_HEADER.unpack(self._head))
                    self._head.clear()
            else:
                self._lane += data[: self._missing]
                count = min(len(data), self._missing)
                data = data[count:]
                self._missing -= count
            if self._lane is not None and not self._missing:
                if not self._more:
                    messages.append(bytes(self._lane))
                    self._lane.clear()
                self._lane = None
        return messages

    def _begin(self, kind: int, length: int) -> None:
        if kind == _PULSE and not length:
            return
        lane = kind & ~_MORE
        if lane >= len(self._parts):
            raise RunError(
                "it does not speak the protocol of FISSION's links", found=f"a piece of kind {kind}"
            )
        part = self._parts[lane]
        if len(part) + length > self.largest:
            raise RunError(
                "it sends a message that is too large",
                expected=f"at most {self.largest} bytes",
                found=f"{len(part) + length} bytes",
            )
        self._lane, self._more, self._missing = part, bool(kind & _MORE), length
