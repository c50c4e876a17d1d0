"""Turns the bytes of a connection back into frames, however they were cut on the way.

Small frames are received into one buffer that is used again and again; their blocks are copied out of it, once.
A frame of more than 128 KiB is received straight into memory of its own, one piece for each large part; whoever
gets the frame owns that memory and may write to it.

Rules
-----
1. Before a HELLO has come only control frames are taken: a stranger is given 4 KiB of memory and no more.
2. A frame says how long it is, and the sizes in it must agree with that.
3. After an error there are no more frames, because nobody knows where the next one begins. Close the
   connection; what was lost with it is sent again over the next one.
"""

from collections import deque
from math import isfinite
from struct import error as StructError  # noqa: N812 - it is a class

from fission.channel.wire.frames import (
    DATA_HEADER,
    FIXED,
    FRAME_HEADER,
    HELLO,
    LONE,
    MAGIC,
    MAX_BLOCK,
    MAX_BLOCKS,
    MAX_CONTROL,
    POSITION,
    REQUEST,
    SIZE,
    Ack,
    Batch,
    CheckpointRequest,
    Control,
    Done,
    Durable,
    End,
    Frame,
    Hello,
    Kind,
    Refuse,
    Welcome,
)
from fission.channel.wire.pieces import WRITABLE, Malformed, OwnMemory, Sizes, cut, cut_equal
from fission.errors import RemoteProtocolError

RECEIVE_BUFFER = 256 << 10
"""Bytes offered for receiving once a HELLO has come."""
OWN_MEMORY = 128 << 10
"""A longer frame is received into memory of its own. Header and sizes of any frame are shorter than this."""
_PEEK = 64
"""Bytes offered after such a frame: the header of the next one, so that its blocks need not be moved."""
_REMEMBERED = 8
_Position = tuple[int, int, int, float, float]
"""epoch, first, head, mono, wall"""
_OVERHEAD = DATA_HEADER.size + 8 * MAX_BLOCKS


class FrameDecoder:
    """Receive into what `get_buffer` returns, tell `buffer_updated` how many bytes came, get frames.

    Raises RemoteProtocolError for bytes that are no frames, and for more than `max_block` bytes of blocks in
    one frame; then close the connection.
    """

    __slots__ = (
        "_buffer",
        "_end",
        "_events",
        "_failure",
        "_max_block",
        "_open",
        "_own",
        "_position",
        "_start",
        "_view",
        "_window",
    )

    def __init__(self, max_block: int = MAX_BLOCK) -> None:
        self._max_block = max_block
        self._open = False  # a HELLO has come
        self._buffer = bytearray(MAX_CONTROL)
        self._view = memoryview(self._buffer)
        self._window = RECEIVE_BUFFER
        self._start = 0  # received and not yet decoded: _buffer[_start:_end]
        self._end = 0
        self._own: OwnMemory | None = None
        self._position: _Position = (0, 0, 0, 0.0, 0.0)  # of the batch that _own belongs to
        self._failure: RemoteProtocolError | None = None
        self._events: deque[Control | tuple[int, int, int]] = deque(maxlen=_REMEMBERED)

    def get_buffer(self) -> memoryview:
        """Return writable memory, at least one byte, to receive into; ask again after `buffer_updated`."""
        if self._own is not None:
            return self._own.room
        return self._view[self._end : self._end + self._window]

    def buffer_updated(self, count: int) -> list[Frame]:
        """Take in the `count` bytes that were received; return the frames that they complete."""
        if self._failure is not None:
            raise self._failure
        frames: list[Frame] = []
        if self._own is not None:
            if self._own.received(count):
                frames.append(self._finish_own(self._own))
                self._window = _PEEK
            return frames
        if not self._end and count >= LONE.size and self._open:
            lone = self._lone(count)
            if lone is not None:
                frames.append(lone)
                return frames
        self._end += count
        try:
            self._decode(frames)
        except Malformed as error:
            self._failure = RemoteProtocolError(
                error.what,
                where="incoming frames",
                expected=error.expected,
                found=error.found,
                events=tuple(map(_event, self._events)),
            )
            raise self._failure from None
        self._make_room()
        return frames

    # -- the receive buffer ------------------------------------------------------------------------------

    def _decode(self, frames: list[Frame]) -> None:
        """Decode the complete frames of the buffer; begin a long one that is not complete."""
        while (there := self._end - self._start) >= FRAME_HEADER.size:
            start = self._start
            length, kind, flags, magic = FRAME_HEADER.unpack_from(self._buffer, start)
            if magic != MAGIC:
                raise Malformed("these bytes are no frame", expected=f"{MAGIC:#x}", found=f"{magic:#x}")
            if kind == Kind.DATA:
                self._check_data(length)
                if length > OWN_MEMORY:
                    if not self._begin_own(start, length, frames):
                        return
                    continue
            elif flags or not FRAME_HEADER.size <= length <= MAX_CONTROL:
                raise Malformed(
                    f"a frame of kind {kind} that cannot be", found=f"{length} bytes, flags {flags}"
                )
            if length > there:
                return
            self._start = start + length
            if kind == Kind.DATA:
                frames.append(self._batch(start, start + length))
            else:
                frames.append(self._control(kind, start + FRAME_HEADER.size, start + length))

    def _make_room(self) -> None:
        """Leave room in the buffer for any frame that is not received into memory of its own."""
        start, end = self._start, self._end
        waiting = end - start
        self._window = RECEIVE_BUFFER
        if self._open and len(self._buffer) < RECEIVE_BUFFER:
            larger = bytearray(RECEIVE_BUFFER)
            larger[:waiting] = self._buffer[start:end]
            self._buffer, self._view = larger, memoryview(larger)
        elif waiting:
            if len(self._buffer) - start >= OWN_MEMORY:
                return
            self._buffer[:waiting] = self._buffer[start:end]
        self._start, self._end = 0, waiting

    # -- control frames ----------------------------------------------------------------------------------

    def _control(self, kind: int, start: int, stop: int) -> Control:
        try:
            frame = _control(kind, bytes(self._view[start:stop]))
        except (StructError, UnicodeDecodeError) as error:
            raise Malformed(f"a frame of kind {kind} that cannot be read: {error}") from None
        self._open = self._open or isinstance(frame, Hello)
        self._events.append(frame)
        return frame

    # -- DATA frames -------------------------------------------------------------------------------------

    def _check_data(self, length: int) -> None:
        if not self._open:
            raise Malformed("blocks before a HELLO", expected="HELLO", found="DATA")
        if not DATA_HEADER.size < length <= _OVERHEAD + self._max_block:
            raise Malformed(
                "a DATA frame of impossible length",
                expected=f"at most {self._max_block} bytes of blocks",
                found=f"{length} bytes",
            )

    def _header(self, start: int) -> tuple[int, int, _Position]:
        """Return flags, number of blocks, and what a Batch begins with."""
        _, _, flags, _, epoch, first, count, head, mono, wall = DATA_HEADER.unpack_from(self._buffer, start)
        if (
            not 1 <= count <= MAX_BLOCKS
            or not 1 <= first < 1 << 63
            or not isfinite(mono)
            or not isfinite(wall)
        ):
            raise Malformed(
                "a DATA header with impossible values",
                expected=f"1 to {MAX_BLOCKS} blocks from number 1 on, finite times",
                found=f"{count} from {first}, {mono}, {wall}",
            )
        self._events.append((epoch, first, count))
        return flags, count, (epoch, first, head, mono, wall)

    def _batch(self, start: int, stop: int) -> Batch:
        """Make a batch of a frame that lies in the buffer."""
        flags, count, position = self._header(start)
        at = start + DATA_HEADER.size
        if flags == FIXED and stop - at >= 4:
            (size,) = SIZE.unpack_from(self._buffer, at)
            at += 4
            self._check_total(size * count, stop - at)
            return Batch(*position, cut_equal(self._buffer, self._view, at, size, count), size * count)
        sizes = Sizes.read(self._buffer, flags, count, at, stop)
        if sizes is None:
            raise Malformed(
                "a DATA frame that is shorter than its sizes", found=f"{stop - at} bytes, {count} blocks"
            )
        at += sizes.field
        self._check_total(sizes.total, stop - at)
        return Batch(*position, sizes.group(cut(self._buffer, self._view, at, sizes)), sizes.total)

    def _lone(self, count: int) -> Batch | None:
        """Decode what lies in an empty buffer if it is one frame with one small block: the shortest way.

        A paced stream comes like that; after a pause every function that is called costs several microseconds.
        """
        length, kind, flags, magic, epoch, first, number, head, mono, wall, size = LONE.unpack_from(
            self._buffer
        )
        if (
            length != count
            or magic != MAGIC
            or kind != Kind.DATA
            or flags != FIXED
            or number != 1
            or size != count - LONE.size
            or size > self._max_block
            or not 0 < first < 1 << 63
            or not isfinite(mono + wall)
        ):
            return None
        self._events.append((epoch, first, 1))
        self._window = RECEIVE_BUFFER
        block = self._buffer[LONE.size : count]
        return Batch(epoch, first, head, mono, wall, [block if size >= WRITABLE else bytes(block)], size)

    def _begin_own(self, start: int, length: int, frames: list[Frame]) -> bool:
        """Begin a long frame once its sizes are there; True when even its end is there already."""
        at, end = start + DATA_HEADER.size, self._end
        if at > end:
            return False
        flags, count, position = self._header(start)
        sizes = Sizes.read(self._buffer, flags, count, at, end)
        if sizes is None:
            return False
        at += sizes.field
        self._check_total(sizes.total, start + length - at)
        own = OwnMemory(sizes)
        self._own, self._position = own, position
        while at < end:
            room = own.room
            count = min(len(room), end - at)
            room[:count] = self._view[at : at + count]
            at += count
            if own.received(count):
                frames.append(self._finish_own(own))
                break
        self._start = at
        return self._own is None

    def _finish_own(self, own: OwnMemory) -> Batch:
        self._own = None
        return Batch(*self._position, own.blocks(), own.total)

    def _check_total(self, said: int, there: int) -> None:
        if said != there or said > self._max_block:
            raise Malformed(
                "the sizes of the blocks do not agree with the length of their frame",
                expected=f"{there} bytes, at most {self._max_block}",
                found=f"{said} bytes",
            )


_WITH_POSITION: dict[int, type[Ack | End | Durable]] = {
    Kind.ACK: Ack,
    Kind.END: End,
    Kind.SECURED: Durable,
}


def _control(kind: int, body: bytes) -> Control:
    match kind:
        case Kind.HELLO:
            version, pipe, incarnation, epoch, sqn = HELLO.unpack_from(body)
            return Hello(version, body[HELLO.size :].decode(), pipe, incarnation, (epoch, sqn))
        case Kind.WELCOME:
            return Welcome(*REQUEST.unpack(body))
        case Kind.ACK | Kind.END | Kind.SECURED:
            return _WITH_POSITION[kind](*POSITION.unpack(body))
        case Kind.DONE if not body:
            return Done()
        case Kind.REFUSE:
            return Refuse(_printable(body.decode()))
        case Kind.PRESS if not body:
            return CheckpointRequest()
    raise Malformed(
        "a frame of unknown kind", expected="kind 1 to 9", found=f"kind {kind} with {len(body)} bytes"
    )


def _printable(text: str) -> str:
    """Return text of an unverified peer as one line without control characters, for a log."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _event(event: Control | tuple[int, int, int]) -> str:
    if isinstance(event, tuple):
        epoch, first, count = event
        return f"DATA epoch {epoch}, blocks {first} to {first + count - 1}"
    return repr(event)
