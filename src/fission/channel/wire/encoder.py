"""Frames as bytes, ready to be written; `decoder` has the way back, `frames` the layout."""

import sys
from array import array
from struct import error as StructError  # noqa: N812 - it is a class
from typing import cast

from fission.channel.wire.frames import (
    DATA_HEADER,
    FIXED,
    FRAME_HEADER,
    HELLO,
    LARGE,
    LONE,
    MAGIC,
    MAX_BLOCK,
    MAX_BLOCKS,
    MAX_CONTROL,
    PARTS,
    POSITION,
    REQUEST,
    SIZE,
    Ack,
    Batch,
    Buffer,
    CheckpointRequest,
    Control,
    Done,
    Durable,
    End,
    Hello,
    Kind,
    Payload,
    Welcome,
)
from fission.errors import LocalProtocolError

__all__ = ["encode_batch", "encode_control", "encode_lone"]

_MAX_BUFFERS = 512
"""Most buffers that a frame is returned in: half of what one writing system call takes."""
_MAX_REASON = 1000


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
    Ack: Kind.ACK,
    End: Kind.END,
    Durable: Kind.SECURED,
}


def _body(frame: Control) -> tuple[int, bytes]:
    match frame:
        case Hello(version, run, pipe, incarnation, released):
            return Kind.HELLO, HELLO.pack(version, pipe, incarnation, *released) + run.encode()
        case Welcome(epoch, number, repeat):
            return Kind.WELCOME, REQUEST.pack(epoch, number, repeat)
        case Ack(epoch, number) | End(epoch, number) | Durable(epoch, number):
            return _WITH_POSITION[type(frame)], POSITION.pack(epoch, number)
        case Done():
            return Kind.DONE, b""
        case CheckpointRequest():
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
