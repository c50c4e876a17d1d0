"""What travels over a connection: batches of blocks and control frames, and their bytes.

All numbers are little-endian. Every frame begins with the same 8 bytes.

| offset | size | field  |                                                        |
|--------|------|--------|--------------------------------------------------------|
| 0      | 4    | length | bytes of the whole frame, these included               |
| 4      | 1    | kind   | see below                                              |
| 5      | 1    | flags  | of a DATA frame; 0 in others                           |
| 6      | 2    | magic  | 0xF155: a stream that has lost its place is found out  |

DATA (kind 1) goes on with

| offset | size | field  |                                                        |
|--------|------|--------|--------------------------------------------------------|
| 8      | 4    | epoch  |                                                        |
| 12     | 8    | first  | sequence number of the first block, from 1             |
| 20     | 4    | count  | blocks, 1 to 8192                                      |
| 24     | 4    | head   | wire head, the same for all blocks                     |
| 28     | 8    | mono   | monotonic time of sending the first block, seconds     |
| 36     | 8    | wall   | wall time of the same moment, seconds since 1970       |
| 44     |      | sizes  | flag FIXED: one u32, the size of every block;          |
|        |      |        | no flag: u32[count], the size of each block;           |
|        |      |        | flag PARTS: u32[count], the parts of each block (1 to  |
|        |      |        | 8192 in all), then a u32 for the size of each part     |
|        |      | blocks | the payloads, without gaps, to the end of the frame    |

The other kinds go on, from offset 8, with

| kind      | from     | fields                                                                        |
|-----------|----------|-------------------------------------------------------------------------------|
| 2 HELLO   | sender   | version u16, pipe u32, incarnation u32, released: epoch u32 and sqn u64, run: |
|           |          | UTF-8 text to the end                                                         |
| 3 WELCOME | receiver | epoch u32, next u64, repeat u64; epoch 0: wherever the sender begins          |
| 4 ACK     | receiver | epoch u32, sqn u64                                                            |
| 5 END     | sender   | epoch u32, next u64                                                           |
| 6 DONE    | receiver |                                                                               |
| 7 REFUSE  | receiver | reason: UTF-8 text to the end                                                 |
| 8 SECURED | receiver | epoch u32, sqn u64                                                            |
| 9 PRESS   | sender   |                                                                               |

An ACK means: released, never needed again. On a live pipe, where nothing is needed again: worked off.

A HELLO comes first on a connection; it keeps its layout in all versions of this protocol. No control frame is
longer than 4096 bytes, so a stranger cannot make anybody keep more than that.
"""

from dataclasses import dataclass, field
from struct import Struct

from fission.core.head import WIRE_CORRUPTED, WIRE_FINISHED, WIRE_RESET

__all__ = [
    "DATA_HEADER",
    "FIXED",
    "FRAME_HEADER",
    "HELLO",
    "LARGE",
    "LONE",
    "MAGIC",
    "MAX_BLOCK",
    "MAX_BLOCKS",
    "MAX_CONTROL",
    "PARTS",
    "POSITION",
    "REQUEST",
    "SIZE",
    "VERSION",
    "WIRE_CORRUPTED",
    "WIRE_FINISHED",
    "WIRE_RESET",
    "Ack",
    "Batch",
    "Buffer",
    "CheckpointRequest",
    "Control",
    "Done",
    "Durable",
    "End",
    "Frame",
    "Hello",
    "Kind",
    "Payload",
    "Refuse",
    "Welcome",
    "frozen",
    "payload_size",
]

Buffer = bytes | bytearray | memoryview
Payload = Buffer | tuple[Buffer, ...]
"""One block as it travels; a tuple of several parts is a pickle and the large buffers that belong to it.

A memoryview has one dimension of single bytes.
"""

VERSION = 2
"""Version of this protocol; both ends must speak the same one."""

MAGIC = 0xF155
MAX_BLOCK = 1 << 30
"""Largest block in bytes (1 GiB), all its parts together."""
MAX_BLOCKS = 1 << 13
"""Most blocks, and most parts of blocks, in one frame."""
MAX_CONTROL = 4096
"""Longest control frame in bytes."""
LARGE = 64 << 10
"""Payloads of this many bytes travel in a buffer of their own; smaller ones are joined."""

FIXED = 1
PARTS = 2
FRAME_HEADER = Struct("<IBBH")
DATA_HEADER = Struct("<IBBHIQIIdd")
LONE = Struct("<IBBHIQIIddI")
"""Header and size of a DATA frame with one block of one part."""
POSITION = Struct("<IQ")
REQUEST = Struct("<IQQ")
HELLO = Struct("<HIIIQ")
SIZE = Struct("<I")


class Kind:
    """The byte that identifies the kind of a frame."""

    DATA = 1
    HELLO = 2
    WELCOME = 3
    ACK = 4
    END = 5
    DONE = 6
    REFUSE = 7
    SECURED = 8
    PRESS = 9


@dataclass(slots=True)
class Batch:
    """Consecutive blocks of one epoch that travel together.

    `first` is the sequence number of the first block, `head` the wire head of all of them, `mono` and `wall`
    the time at which the first was sent (seconds). Payloads of a batch that was received may be writable
    memory, which belongs to what they are decoded to: use `frozen` to keep one that may be decoded again.
    """

    epoch: int
    first: int
    head: int
    mono: float
    wall: float
    blocks: list[Payload]
    _nbytes: int = field(default=-1, repr=False, compare=False)

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def last(self) -> int:
        """Sequence number of the last block."""
        return self.first + len(self.blocks) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of all payloads together; counted once, so read it before you change `blocks`, or never."""
        size = self._nbytes
        if size < 0:
            size = self._nbytes = sum(map(payload_size, self.blocks))
        return size


@dataclass(frozen=True, slots=True)
class Hello:
    """A sender introduces itself: first frame of a connection.

    `released`: up to where it has nothing to send any more. (0, 0): it has been restarted and does not know yet where it
    will begin; the receiver's answer names it. A receiver that does not know either answers `Welcome(0, 0)`, and the
    sender sends HELLO again when it knows.
    """

    version: int
    run: str
    pipe: int
    incarnation: int
    released: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Welcome:
    """The receiver's answer: the next position that it requests; (0, 0) leaves the choice to the sender.

    `repeat`: the results of all blocks of this epoch up to here are known downstream, although the receiver was restarted and
    requests some of them again. They must be the same blocks.
    """

    epoch: int
    next: int
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """The receiver will never again need anything up to this position: released."""

    epoch: int
    sqn: int


@dataclass(frozen=True, slots=True)
class End:
    """The sender has written everything: `next` is the number after the last block."""

    epoch: int
    next: int


@dataclass(frozen=True, slots=True)
class Done:
    """The receiver needs no further blocks."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The receiver will not talk to this sender."""

    reason: str


@dataclass(frozen=True, slots=True)
class Durable:
    """What the receiving job has made of the blocks up to here is stored, or will be worked off downstream without it.

    It is no release: the job may have to begin earlier after a restart. But from here on the sender must let through as
    many blocks as the jobs downstream may need before they can release any, however full its window is.
    """

    epoch: int
    sqn: int


@dataclass(frozen=True, slots=True)
class CheckpointRequest:
    """The sender, or a job upstream of it, waits for a release: a checkpoint should follow soon."""


Control = Hello | Welcome | Ack | End | Done | Refuse | Durable | CheckpointRequest
Frame = Batch | Control


def payload_size(payload: Payload) -> int:
    """Return the bytes of one block."""
    return sum(map(len, payload)) if isinstance(payload, tuple) else len(payload)


def frozen(payload: Payload) -> Payload:
    """Return the block in immutable memory: itself if it is immutable already, else a copy.

    For blocks that may be decoded again: decoding hands writable memory to the user.
    """
    if type(payload) is bytes:
        return payload
    if isinstance(payload, tuple):
        return tuple(map(bytes, payload))
    return bytes(payload)
