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
| 3 WELCOME | receiver | epoch u32, next u64; 0 and 0: wherever the sender begins                      |
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

import sys
from array import array
from dataclasses import dataclass, field
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import cast

from fission.core.head import WIRE_CORRUPTED, WIRE_FINISHED, WIRE_RESET
from fission.errors import LocalProtocolError

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
    "SIZE",
    "VERSION",
    "WIRE_CORRUPTED",
    "WIRE_FINISHED",
    "WIRE_RESET",
    "Ack",
    "Batch",
    "Buffer",
    "Control",
    "Done",
    "End",
    "Frame",
    "Hello",
    "Kind",
    "Payload",
    "Press",
    "Refuse",
    "Secured",
    "Welcome",
    "encode_batch",
    "encode_control",
    "encode_lone",
    "frozen",
    "payload_size",
]

Buffer = bytes | bytearray | memoryview
Payload = Buffer | tuple[Buffer, ...]
"""One block as it travels; a tuple of several parts is a pickle and the large buffers that belong to it.

A memoryview has one dimension of single bytes.
"""

VERSION = 1
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
_MAX_BUFFERS = 512
"""Most buffers that a frame is returned in: half of what one writing system call takes."""
_MAX_REASON = 1000

FIXED = 1
PARTS = 2
FRAME_HEADER = Struct("<IBBH")
DATA_HEADER = Struct("<IBBHIQIIdd")
LONE = Struct("<IBBHIQIIddI")
"""Header and size of a DATA frame with one block of one part."""
POSITION = Struct("<IQ")
HELLO = Struct("<HIIIQ")
SIZE = Struct("<I")


class Kind:
    """The byte that tells the kinds of frames apart."""

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
    will begin; the receiver's answer tells it. A receiver that does not know either answers `Welcome(0, 0)`, and the
    sender says HELLO again when it knows.
    """

    version: int
    run: str
    pipe: int
    incarnation: int
    released: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Welcome:
    """The receiver's answer: the position that it wants next; (0, 0) where that is the sender's choice."""

    epoch: int
    next: int


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
    """The receiver wants nothing more, ever."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The receiver will not talk to this sender."""

    reason: str


@dataclass(frozen=True, slots=True)
class Secured:
    """What the receiving job has made of the blocks up to here is stored, or will be worked off downstream without it.

    It is no release: the job may have to begin earlier after a restart. But from here on the sender must let through as
    many blocks as the jobs downstream may need before they can release any, however full its window is.
    """

    epoch: int
    sqn: int


@dataclass(frozen=True, slots=True)
class Press:
    """The sender waits for a release, or somebody before it does: let there be a checkpoint soon."""


Control = Hello | Welcome | Ack | End | Done | Refuse | Secured | Press
Frame = Batch | Control


def payload_size(payload: Payload) -> int:
    """Return the bytes of one block."""
    return sum(map(len, payload)) if isinstance(payload, tuple) else len(payload)


def frozen(payload: Payload) -> Payload:
    """Return the block in memory that nobody can change: itself where that is so already, else a copy.

    For blocks that may be decoded again: decoding hands writable memory to the user.
    """
    if type(payload) is bytes:
        return payload
    if isinstance(payload, tuple):
        return tuple(map(bytes, payload))
    return bytes(payload)


def encode_lone(epoch: int, first: int, head: int, mono: float, wall: float, block: bytes) -> bytes:
    """Return the DATA frame of one small block, as `encode_batch` makes it; a shorter way to it.

    All fields must fit; `block` has less than LARGE bytes.
    """
    size = len(block)
    return (
        LONE.pack(LONE.size + size, Kind.DATA, FIXED, MAGIC, epoch, first, 1, head, mono, wall, size) + block
    )


def encode_control(frame: Control) -> bytes:
    """Return the bytes of a control frame. Raises LocalProtocolError when a field does not fit."""
    try:
        kind, body = _body(frame)
    except (StructError, UnicodeError) as error:
        raise LocalProtocolError(f"a field does not fit its frame: {error}", where=repr(frame)) from None
    length = FRAME_HEADER.size + len(body)
    if length > MAX_CONTROL:
        raise LocalProtocolError(
            "the frame is too long",
            where=type(frame).__name__,
            expected=f"at most {MAX_CONTROL} bytes",
            found=str(length),
        )
    return FRAME_HEADER.pack(length, kind, 0, MAGIC) + body


_WITH_POSITION: dict[type, int] = {
    Welcome: Kind.WELCOME,
    Ack: Kind.ACK,
    End: Kind.END,
    Secured: Kind.SECURED,
}


def _body(frame: Control) -> tuple[int, bytes]:
    match frame:
        case Hello(version, run, pipe, incarnation, released):
            return Kind.HELLO, HELLO.pack(version, pipe, incarnation, *released) + run.encode()
        case Welcome(epoch, number) | Ack(epoch, number) | End(epoch, number) | Secured(epoch, number):
            return _WITH_POSITION[type(frame)], POSITION.pack(epoch, number)
        case Done():
            return Kind.DONE, b""
        case Press():
            return Kind.PRESS, b""
    return Kind.REFUSE, frame.reason[:_MAX_REASON].encode(errors="replace")


def encode_batch(batch: Batch) -> list[Buffer]:
    """Return the bytes of a DATA frame as buffers to be written one after the other.

    Payloads below 64 KiB are joined (copied once). Larger ones are returned as they are, so they must not
    change until the frame is released. Raises LocalProtocolError when the batch does not fit a frame.
    """
    blocks = batch.blocks
    count = len(blocks)
    if tuple not in set(map(type, blocks)) and len(lengths := set(map(len, blocks))) == 1:
        (size,) = lengths
        total = size * count
        if total > MAX_BLOCK or count > MAX_BLOCKS:
            raise _does_not_fit(batch, count, total)
        header = _data_header(batch, FIXED, DATA_HEADER.size + 4 + total) + SIZE.pack(size)
        parts = cast("list[Buffer]", blocks)
        return [b"".join((header, *parts))] if size < LARGE else _gather(header, parts)
    table, parts = _split(blocks)
    sizes = list(map(len, parts))
    total = sum(sizes)
    if not blocks or len(sizes) > MAX_BLOCKS or total > MAX_BLOCK or 0 in table:
        raise _does_not_fit(batch, len(sizes), total)
    flags, numbers = (0, sizes) if len(sizes) == count else (PARTS, table + sizes)
    header = _data_header(batch, flags, DATA_HEADER.size + 4 * len(numbers) + total) + _numbers(numbers)
    return _gather(header, parts)


def _does_not_fit(batch: Batch, parts: int, size: int) -> LocalProtocolError:
    return LocalProtocolError(
        "the batch does not fit a frame",
        where=f"epoch {batch.epoch}, block {batch.first}",
        expected=f"1 to {MAX_BLOCKS} blocks, at most as many parts, and {MAX_BLOCK} bytes",
        found=f"{batch.count} with {parts} parts and {size} bytes",
    )


def _split(blocks: list[Payload]) -> tuple[list[int], list[Buffer]]:
    """Return how many parts each block has, and all parts."""
    table: list[int] = []
    parts: list[Buffer] = []
    for block in blocks:
        if isinstance(block, tuple):
            table.append(len(block))
            parts += block
        else:
            table.append(1)
            parts.append(block)
    return table, parts


def _numbers(numbers: list[int]) -> bytes:
    packed = array("I", numbers)
    if sys.byteorder == "big":  # pragma: no cover - tested on little-endian machines only
        packed.byteswap()
    return packed.tobytes()


def _data_header(batch: Batch, flags: int, length: int) -> bytes:
    count = len(batch.blocks)
    try:
        return DATA_HEADER.pack(
            length,
            Kind.DATA,
            flags,
            MAGIC,
            batch.epoch,
            batch.first,
            count,
            batch.head,
            batch.mono,
            batch.wall,
        )
    except StructError as error:
        raise LocalProtocolError(
            f"a field does not fit its frame: {error}", where=repr(batch)[:200]
        ) from None


def _gather(header: bytes, parts: list[Buffer]) -> list[Buffer]:
    """Join what is small; leave what is large alone."""
    buffers: list[Buffer] = []
    small: list[Buffer] = [header]
    for part in parts:
        if len(part) < LARGE:
            small.append(part)
            continue
        if small:
            buffers.append(b"".join(small))
            small = []
        buffers.append(part)
    if small:
        buffers.append(b"".join(small))
    return buffers if len(buffers) <= _MAX_BUFFERS else [b"".join(buffers)]
