"""The blocks inside a DATA frame: how large they are, and how they are cut out of what was received."""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice, pairwise, repeat
from struct import iter_unpack

from fission.channel.wire.frames import FIXED, LARGE, MAX_BLOCKS, PARTS, Buffer, Payload

WRITABLE = 256
"""Blocks of this many bytes become bytearrays, of which an array can be made without another copy."""


class Malformed(Exception):  # noqa: N818 - never leaves the decoder
    """These bytes cannot be a frame. The decoder makes a RemoteProtocolError of it."""

    def __init__(self, what: str, *, expected: str = "", found: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.found = found


class Sizes:
    """Sizes of the `parts` of all blocks; `table` has the number of parts of each block; empty means one.

    `field` is the number of bytes that this takes in the frame, `total` what the parts add up to.
    """

    __slots__ = ("field", "parts", "table", "total")

    def __init__(self, parts: Sequence[int], *, field: int, table: Sequence[int] = ()) -> None:
        self.parts = parts
        self.table = table
        self.field = field
        self.total = sum(parts)

    @classmethod
    def read(cls, buffer: bytearray, flags: int, count: int, at: int, limit: int) -> "Sizes | None":
        """Read the sizes of `count` blocks, which begin at `at`; None when they go beyond `limit`."""
        if flags == FIXED:
            one = _numbers(buffer, 1, at, limit)
            return None if one is None else cls(list(repeat(one[0], count)), field=4)
        if flags == 0:
            each = _numbers(buffer, count, at, limit)
            return None if each is None else cls(each, field=4 * count)
        if flags != PARTS:
            raise Malformed(
                "a DATA frame with unknown flags", expected=f"0, {FIXED} or {PARTS}", found=str(flags)
            )
        table = _numbers(buffer, count, at, limit)
        if table is None:
            return None
        number = sum(table)
        if 0 in table or number > MAX_BLOCKS:
            raise Malformed("a DATA frame with impossible parts", found=f"{number} parts of {count} blocks")
        parts = _numbers(buffer, number, at + 4 * count, limit)
        return None if parts is None else cls(parts, field=4 * (count + number), table=table)

    def group(self, parts: list[Buffer]) -> list[Payload]:
        """Return the blocks that these parts make."""
        if not self.table:
            return parts  # type: ignore[return-value]  # a list of blocks of one part each
        ahead = iter(parts)
        return [next(ahead) if number == 1 else tuple(islice(ahead, number)) for number in self.table]


def _numbers(buffer: bytearray, count: int, at: int, limit: int) -> Sequence[int] | None:
    end = at + 4 * count
    if end > limit:
        return None
    numbers = array("I")
    numbers.frombytes(buffer[at:end])
    if sys.byteorder == "big":  # pragma: no cover - tested on little-endian machines only
        numbers.byteswap()
    return numbers


def cut_equal(buffer: bytearray, view: memoryview, at: int, size: int, count: int) -> list[Payload]:
    """Copy `count` blocks of equal size out of a buffer; about 0.1 us each."""
    end = at + size * count
    if size >= WRITABLE:
        return [buffer[i : i + size] for i in range(at, end, size)]
    if size:
        return list(chain.from_iterable(iter_unpack(f"{size}s", view[at:end])))
    return [b""] * count


def cut(buffer: bytearray, view: memoryview, at: int, sizes: Sizes) -> list[Buffer]:
    """Copy parts of these sizes out of a buffer."""
    source: Buffer = buffer
    if sizes.total < WRITABLE * len(sizes.parts):
        source = bytes(view[at : at + sizes.total])
        at = 0
    return [source[i:j] for i, j in pairwise(accumulate(sizes.parts, initial=at))]


class OwnMemory:
    """Memory for the blocks of one long frame: a piece for each large part, one for neighboring small ones.

    Sizes that lie cost no more than one piece: the next is taken when this one is full.
    """

    __slots__ = ("_filled", "_parts", "_piece", "_run", "_runs", "_sizes", "_view", "total")

    def __init__(self, sizes: Sizes) -> None:
        self.total = sizes.total
        self._sizes = sizes
        self._parts: list[Buffer] = []
        self._runs = _runs(sizes.parts)
        self._advance()

    @property
    def room(self) -> memoryview:
        """Where to put what comes next; at least one byte."""
        return self._view[self._filled :]

    def received(self, count: int) -> bool:
        """`count` bytes have been put into `room`; True when the frame is complete."""
        self._filled += count
        if self._filled < len(self._view):
            return False
        piece = self._piece
        if isinstance(piece, bytearray) and len(self._run) > 1:
            self._parts += cut(piece, self._view, 0, Sizes(self._run, field=0))
        else:
            self._parts.append(piece)
        return not self._advance()

    def blocks(self) -> list[Payload]:
        """Return the blocks; the frame must be complete."""
        return self._sizes.group(self._parts)

    def _advance(self) -> bool:
        """Begin the next piece; False when there is none."""
        for run in self._runs:
            size = sum(run)
            if size:
                self._run = run
                self._piece = _uninitialized(size) if len(run) == 1 else bytearray(size)
                self._view = memoryview(self._piece)
                self._filled = 0
                return True
            self._parts += [b""] * len(run)
        return False


def _runs(sizes: Iterable[int]) -> Iterator[list[int]]:
    """Cut a row of sizes into single large ones and runs of small ones."""
    run: list[int] = []
    for size in sizes:
        if size < LARGE:
            run.append(size)
            continue
        if run:
            yield run
            run = []
        yield [size]
    if run:
        yield run


def _uninitialized(size: int) -> bytearray | memoryview:
    """Return writable memory. A bytearray is filled with zeros first, which costs like a copy; numpy's is not."""
    numpy = sys.modules.get("numpy")
    empty = getattr(numpy, "empty", None)  # None also while numpy is being imported
    return bytearray(size) if empty is None else memoryview(empty(size, "B"))
