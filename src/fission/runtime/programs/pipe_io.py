"""The job's ends of a program's pipes: an `InputEnd` buffers what is to be written, an `OutputEnd` splits what is read."""

import array
import fcntl
import os
import termios
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import accumulate, chain, islice

from fission.channel.wire.frames import Buffer, Payload, payload_size
from fission.channel.wire.plain import plain_bytes
from fission.core.head import MAX_HEAD_SIZE
from fission.core.pipes import BasePipe
from fission.runtime.data.ports import InPort, OutPort
from fission.runtime.programs.deframers import Blocks, deframer_for

__all__ = ["CHUNK", "End", "InputEnd", "OutputEnd", "resize"]

CHUNK = 256 << 10
"""Bytes that are moved at once, and the capacity that is requested for a pipe."""


class InputEnd:
    """The end that we write to. `offer` rounds, then `flush` whenever the pipe has room; at last `close`.

    `fd` is None as long as a named pipe is not open.
    """

    def __init__(self, port: InPort, head_size: int) -> None:
        self.pipe = port.pipe
        self.port = port
        self.fd: int | None = None
        self.path = ""
        self.live = port.mailbox is not None or port.pipe.DELIVERY == "live"
        self.broken = False
        """Whether the program has closed its end."""
        self.closed = False
        self.written = 0
        """Bytes since the start."""
        self.queued = 0
        self._head_size = head_size
        self._queue: deque[memoryview] = deque()
        self._plain = plain_bytes(port.pipe)
        self._offered = 0  # bytes
        self._trail: deque[tuple[int, int, Sequence[int]]] = (
            deque()
        )  # bytes before, first serial, ends of rounds
        self._serial = 0

    def offer(self, serial: int, count: int, column: Sequence[Payload], heads: Sequence[int]) -> None:
        """Queue the blocks of `count` rounds; `heads` are the wire heads of the blocks of each of them."""
        blocks = column if self._plain is None else list(map(self._plain, column))
        parts, sizes = self._parts(blocks, heads)
        ends = _ends_of_rounds(sizes, len(column) // count)
        if self.broken or self.closed:
            self.written += ends[-1]
        else:
            data = memoryview(b"".join(parts))
            self._queue.append(data)
            self.queued += len(data)
        if self.port.mailbox is None:
            self._trail.append((self._offered, serial, ends))
        self._offered += ends[-1]

    def _parts(self, blocks: Sequence[Payload], heads: Sequence[int]) -> tuple[list[Buffer], list[int]]:
        size = self._head_size
        sizes = [payload_size(block) + size for block in blocks]
        whole = [b"".join(block) if isinstance(block, tuple) else block for block in blocks]
        if not size:
            return whole, sizes
        prefixes = [(wire >> 8 * (MAX_HEAD_SIZE - size)).to_bytes(size, "big") for wire in heads]
        rounds = len(blocks) // len(heads)
        return list(chain.from_iterable(zip(prefixes * rounds, whole, strict=True))), sizes

    def flush(self) -> bool:
        """Write as much as the pipe takes; return whether anything was written. Detects a closed end."""
        moved = False
        while self._queue and self.fd is not None:
            data = self._queue[0]
            try:
                count = os.write(self.fd, data[:CHUNK])
            except BlockingIOError:
                break
            except BrokenPipeError:
                self.give_up()
                return True
            moved = True
            self.written += count
            self.queued -= count
            if count == len(data):
                self._queue.popleft()
            else:
                self._queue[0] = data[count:]
        return moved

    def give_up(self) -> None:
        """The program reads no more here: what is buffered, and what is still offered, counts as written."""
        self.broken = True
        self._drop()

    def close(self) -> None:
        """Signal the end of the stream to the program."""
        self.closed = True
        self._drop()
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def _drop(self) -> None:
        self._queue.clear()
        self.queued = 0
        self.written = self._offered

    def unread(self) -> int:
        """Bytes that the program has not read from the pipe yet."""
        if self.fd is None or self.broken:
            return 0
        count = array.array("i", [0])
        fcntl.ioctl(self.fd, termios.FIONREAD, count)
        return count[0]

    @property
    def drained(self) -> bool:
        """Whether the program has read everything."""
        return not self.queued and not self.unread()

    def rounds(self, size: int) -> int:
        """Rounds, since the start, that lie in the first `size` bytes; `size` never becomes smaller."""
        trail = self._trail
        while trail:
            before, serial, ends = trail[0]
            inside = bisect_right(ends, size - before)
            self._serial = serial + inside
            if inside < len(ends):
                break
            trail.popleft()
        return self._serial


class OutputEnd:
    """The end that we read from. `read` when something has come."""

    def __init__(self, port: OutPort, head_size: int) -> None:
        self.pipe: BasePipe = port.pipe
        self.port = port
        self.fd: int | None = None
        self.path = ""
        self.ready = False
        """There is something to be read. Before a named pipe is opened, reading would look like its end."""
        self.opened = False
        self.ended = False
        self.produced = 0
        """Blocks, since the start."""
        self.epoch = 0
        """Of the last block."""
        self._cutter = deframer_for(port.pipe, head_size)

    @property
    def wanted(self) -> bool:
        """Whether there is room for more."""
        sender = self.port.sender
        return sender.writable or sender.finished

    def read(self) -> Blocks:
        """Read once. Raises PipeError for what is no block."""
        self.ready = False
        if self.fd is None:
            return []
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return []
        self.opened = True
        if data:
            return self._cutter.feed(data)
        self.close()
        return self._cutter.end()

    def close(self) -> None:
        """Close this end; nothing more is read."""
        self.ended = True
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


End = InputEnd | OutputEnd


def resize(fd: int, *, live: bool) -> None:
    """Give a pipe a large capacity, or one page where buffered blocks would become stale."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096 if live else CHUNK)
    except OSError:  # a user may have only so many large pipes: this one keeps the size that it has
        return


def _ends_of_rounds(sizes: Sequence[int], blocks: int) -> Sequence[int]:
    """The end of each round, in bytes, for this number of blocks per round."""
    if sizes.count(sizes[0]) == len(sizes):
        one = sizes[0] * blocks
        return range(one, one * (len(sizes) // blocks) + 1, one) if one else [0] * (len(sizes) // blocks)
    return list(islice(accumulate(sizes), blocks - 1, None, blocks))
