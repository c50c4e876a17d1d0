"""Split the byte stream that a program writes into blocks, whatever the pieces in which it arrives.

A cutter's `feed` returns the blocks that are complete, in runs with the same head: `(wire head, blocks)`; its `end`
returns the last ones, and raises PipeError when the stream ends within a block. With heads, each block has `head_size`
bytes before it; without, `head_size` is 0 and all heads are 0.
"""

from collections.abc import Callable
from typing import IO, Any, Protocol, cast

from fission.channel.wire.frames import MAX_BLOCK, Payload
from fission.core.head import MAX_HEAD_SIZE
from fission.core.pipes import BasePipe, JSONPipe
from fission.core.pipes.base import brief
from fission.errors import PipeError

__all__ = ["Blocks", "Deframer", "deframer_for"]

Blocks = list[tuple[int, list[Payload]]]


class Deframer(Protocol):
    """See above."""

    def feed(self, data: bytes) -> Blocks:
        """Add what was read; return the blocks that are complete."""

    def end(self) -> Blocks:
        """The stream has ended."""


def deframer_for(pipe: BasePipe, head_size: int) -> Deframer:
    """Return the deframer for what a program writes to this pipe."""
    kind: Any = type(pipe)
    if kind.read_wrapper is BasePipe.read_wrapper:
        if kind.read is BasePipe.read and isinstance(pipe.BLOCK_SIZE, int):
            return FixedSizeDeframer(pipe.BLOCK_SIZE, head_size, str(pipe))
        if kind.read is JSONPipe.read and kind.write is JSONPipe.write and not head_size:
            return LineDeframer(str(pipe))
    return ReadMethodDeframer(pipe.read_wrapper, head_size, str(pipe))


class FixedSizeDeframer:
    """Blocks of a fixed size."""

    def __init__(self, size: int, head_size: int, where: str) -> None:
        self._size = size
        self._head_size = head_size
        self._unit = head_size + size
        self._where = where
        self._rest = bytearray()

    def feed(self, data: bytes) -> Blocks:
        """Return the complete blocks."""
        rest, unit = self._rest, self._unit
        if rest:
            rest += data
            if len(rest) < unit:
                return []
            data = bytes(rest)
            rest.clear()
        whole = len(data) // unit * unit
        if whole < len(data):
            rest += data[whole:]
        size, skip = self._size, self._head_size
        if not skip:
            return [(0, [data[at : at + size] for at in range(0, whole, unit)])] if whole else []
        runs: Blocks = []
        last = None
        for at in range(0, whole, unit):
            head = data[at : at + skip]
            if head != last:
                last, blocks = head, cast("list[Payload]", [])
                runs.append((_wire(head), blocks))
            blocks.append(data[at + skip : at + unit])
        return runs

    def end(self) -> Blocks:
        """Raise PipeError for an incomplete block."""
        if self._rest:
            raise _half_a_block(self._where, f"{self._unit} bytes", f"{len(self._rest)} bytes")
        return []


class LineDeframer:
    """Lines of JSON: checked here, so that an error names the program and not its receiver, and passed on unchanged."""

    def __init__(self, where: str) -> None:
        from json import loads  # noqa: PLC0415 - only where a program writes JSON

        self._loads: Callable[[bytes], Any] = loads
        self._where = where
        self._rest = bytearray()

    def feed(self, data: bytes) -> Blocks:
        """Split at the ends of lines."""
        rest = self._rest
        rest += data
        if b"\n" not in data:
            _check_size(len(rest), self._where)
            return []
        *lines, left = bytes(rest).split(b"\n")
        self._rest = bytearray(left)
        for line in lines:
            try:
                self._loads(line)
            except ValueError as error:
                raise PipeError(
                    "what the program has written is no JSON",
                    where=self._where,
                    expected="one value per line, in UTF-8",
                    found=brief(line),
                ) from error
        return [(0, [line + b"\n" for line in lines])]

    def end(self) -> Blocks:
        """A last line without a line end is a block."""
        return self.feed(b"\n") if self._rest.strip() else []


class ReadMethodDeframer:
    """Whatever the pipe's `read_wrapper` reads.

    It reads from what has come. When that is not enough it is called again later, from the beginning of the block.
    """

    def __init__(self, read: Callable[[IO[bytes]], Any], head_size: int, where: str) -> None:
        self._read = read
        self._head_size = head_size
        self._where = where
        self._stock = _Stock()

    def feed(self, data: bytes) -> Blocks:
        """Return the complete blocks."""
        stock = self._stock
        stock.data += data
        _check_size(len(stock.data), self._where)
        runs: Blocks = []
        try:
            while stock.worth_trying:
                head, block = self._one()
                if not runs or runs[-1][0] != head:
                    runs.append((head, []))
                runs[-1][1].append(block)
        except _More:
            pass
        stock.keep()
        return runs

    def end(self) -> Blocks:
        """The stream has ended: what is buffered is complete."""
        stock = self._stock
        stock.ended = True
        left = len(stock.data)
        try:
            return self.feed(b"")
        except PipeError:
            raise
        except Exception as error:  # EOFError, or what the user's read or a pickle raises for too few bytes
            raise _half_a_block(self._where, "what read takes", f"{left} bytes") from error

    def _one(self) -> tuple[int, Payload]:
        stock, size = self._stock, self._head_size
        stock.begin()
        head = 0
        if size:
            bits = stock.read(size)
            if len(bits) < size:
                raise _half_a_block(self._where, f"{size} bytes of head", f"{len(bits)} bytes")
            head = _wire(bits)
        before = stock.at
        block = self._read(cast("IO[bytes]", stock))
        if not isinstance(block, bytes | bytearray | memoryview):
            raise PipeError(
                "read_wrapper has returned no bytes",
                where=self._where,
                expected="the bytes of one block, as write makes them",
                found=brief(block),
            )
        if stock.at == before:
            raise PipeError("read_wrapper has taken nothing", where=self._where, expected="one block")
        return head, bytes(block)


class _More(BaseException):
    """The data has not arrived yet. It is no Exception, so that user code does not catch it by accident."""


class _Stock:
    """The received part of a stream as a readable file; `_More` is raised where a real file would block."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.at = 0
        self.ended = False
        self._start = 0
        self._wanted = 0

    @property
    def worth_trying(self) -> bool:
        """Whether a block may be complete: not before the data that the last attempt lacked has arrived."""
        left = len(self.data) - self.at
        return left > 0 if self.ended else left > 0 and len(self.data) >= self._wanted

    def begin(self) -> None:
        """Mark the start of a block."""
        self._start = self.at
        self._wanted = 0

    def keep(self) -> None:
        """Drop the blocks that were read."""
        del self.data[: self.at]
        self._wanted = max(0, self._wanted - self.at)
        self.at = self._start = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read as a file does; without a size up to the end."""
        left = len(self.data) - self.at
        if size is None or size < 0:
            self._want(left + 1)
            size = left
        elif size > left:
            self._want(size)
        part = bytes(self.data[self.at : self.at + size])
        self.at += len(part)
        return part

    read1 = read

    def readinto(self, target: Any) -> int:
        """As a file's."""
        view = memoryview(target).cast("B")
        part = self.read(view.nbytes)
        view[: len(part)] = part
        return len(part)

    def readline(self, size: int | None = -1) -> bytes:
        """As a file's."""
        found = self.data.find(b"\n", self.at)
        length = (found + 1 if found >= 0 else len(self.data) + 1) - self.at
        if size is not None and 0 <= size < length:
            length = size
        return self.read(length)

    def readable(self) -> bool:
        """Whether the file is readable: always."""
        return True

    def _want(self, size: int) -> None:
        if not self.ended:
            self._wanted = self.at + size
            self.at = self._start
            raise _More


def _wire(head: bytes) -> int:
    return int.from_bytes(head, "big") << 8 * (MAX_HEAD_SIZE - len(head))


def _check_size(size: int, where: str) -> None:
    if size > MAX_BLOCK:
        raise PipeError(
            "a block that is too large", where=where, expected=f"at most {MAX_BLOCK} bytes", found="no end"
        )


def _half_a_block(where: str, expected: str, found: str) -> PipeError:
    return PipeError(
        "what the program has written ends within a block",
        where=where,
        expected=expected,
        found=found,
        hint="Do its blocks have the size that the pipe says? Does it flush them before it ends?",
    )
