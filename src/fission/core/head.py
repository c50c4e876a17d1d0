"""Heads: one to four bytes of flags that travel with every block.

Bits are counted from the left: bit 0 is the most significant one. The system defines the first three
(`CORRUPTED`, `RESET`, `FINISHED`), the others are free for users. Because they are counted from the
left, a head that grows or shrinks keeps its flags; on the wire every head is left-aligned in 32 bits.
"""

from __future__ import annotations

from fission.errors import HeadError, HeadIndexError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal, SupportsIndex, overload

__all__ = [
    "CORRUPTED",
    "FINISHED",
    "MAX_HEAD_SIZE",
    "RESET",
    "WIRE_CORRUPTED",
    "WIRE_FINISHED",
    "WIRE_RESET",
    "Head",
]

CORRUPTED = 0
"""Index of the corrupted bit: something that the block was computed from was lost."""

RESET = 1
"""Index of the reset bit: numbering starts here."""

FINISHED = 2
"""Index of the finished bit: no block follows this one."""

MAX_HEAD_SIZE = 4
"""Bytes."""

_WIRE_BITS = 8 * MAX_HEAD_SIZE
WIRE_CORRUPTED = 1 << (_WIRE_BITS - 1 - CORRUPTED)
WIRE_RESET = 1 << (_WIRE_BITS - 1 - RESET)
WIRE_FINISHED = 1 << (_WIRE_BITS - 1 - FINISHED)


class Head:
    """Flags of a block: `value` as an unsigned integer in `length_in_bytes` bytes (1 to 4).

    `head[i]` is a bool, `head[i] = 1` sets a bit (not the reset bit: only the system starts numbering again,
    so that is a ValueError), `head[i:j]` is a Head of the number that those bits make. `& | ^` take a Head or
    an int and, like `~ << >>`, give a new Head; two heads of different size are aligned at bit 0, which keeps
    the flags in place. Two heads are equal when size and bits are; an int equals a head of that value.
    """

    __slots__ = ("_size", "_value")
    __hash__ = None  # type: ignore[assignment]  # heads are mutable

    def __init__(self, value: int | Head = 0, length_in_bytes: int = 1) -> None:
        if not _is_size(length_in_bytes):
            raise HeadError(
                "wrong size",
                where="Head",
                expected=f"1 to {MAX_HEAD_SIZE} bytes",
                found=repr(length_in_bytes),
            )
        number = _number(value)
        if number < 0 or number >> (8 * length_in_bytes):
            raise HeadError(
                "the value does not fit",
                where="Head",
                expected=f"0 to {(1 << 8 * length_in_bytes) - 1} in {length_in_bytes} bytes",
                found=str(number),
            )
        self._value = number
        self._size = length_in_bytes

    @classmethod
    def from_wire(cls, wire: int, size: int) -> Head:
        """Return the head of `size` bytes from the left-aligned 32 bits of `wire`."""
        return cls((wire & 0xFFFFFFFF) >> (_WIRE_BITS - 8 * size), size)

    def to_wire(self) -> int:
        """Return the bits left-aligned in 32 bits."""
        return self._value << (_WIRE_BITS - 8 * self._size)

    @property
    def value(self) -> int:
        """The bits as an unsigned integer."""
        return self._value

    @property
    def head_size(self) -> int:
        """Bytes. Assigning n adds n bytes of zeros at the end (up to 4), -n takes n away (down to 1)."""
        return self._size

    @head_size.setter
    def head_size(self, change: int) -> None:
        size = min(max(self._size + change, 1), MAX_HEAD_SIZE)
        self._value = self.to_wire() >> (_WIRE_BITS - 8 * size)
        self._size = size

    head = value
    """The same as `value`, under the name that older code uses."""

    def to_bytes(self, length: int | None = None, byteorder: Literal["big", "little"] = "big") -> bytes:
        """Return the head as bytes, bit 0 first; `length` and `byteorder` are those of `int.to_bytes`."""
        return self._value.to_bytes(self._size if length is None else length, byteorder)

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return self._value != 0

    def __int__(self) -> int:
        return self._value

    __index__ = __int__

    def __iter__(self) -> Iterator[bool]:
        return (self[index] for index in range(8 * self._size))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Head):
            return self._size == other._size and self._value == other._value
        if isinstance(other, int):
            return self._value == other
        return NotImplemented

    def __repr__(self) -> str:
        return f"Head(0b{self._value:0{8 * self._size}b}, {self._size})"

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, index: SupportsIndex) -> bool: ...
        @overload
        def __getitem__(self, index: slice) -> Head: ...

    def __getitem__(self, index: SupportsIndex | slice) -> bool | Head:
        if isinstance(index, slice):
            chosen = range(8 * self._size)[index]
            number = 0
            for bit in chosen:
                number = number << 1 | self[bit]
            return Head(number, max(1, (len(chosen) + 7) // 8))
        return bool(self._value & self._mask(index))

    def __setitem__(self, index: SupportsIndex, bit: object) -> None:
        mask = self._mask(index)
        if not bit:
            self._value &= ~mask
        elif mask == self._mask(RESET):
            raise HeadError(
                "the reset bit cannot be set",
                where=f"Head, bit {RESET}",
                hint="Only the system restarts the numbering",
            )
        else:
            self._value |= mask

    def __and__(self, other: Head | int) -> Head:
        left, right, size = self._aligned(other)
        return Head(left & right, size)

    def __or__(self, other: Head | int) -> Head:
        left, right, size = self._aligned(other)
        return Head(left | right, size)

    def __xor__(self, other: Head | int) -> Head:
        left, right, size = self._aligned(other)
        return Head(left ^ right, size)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __lshift__(self, count: int) -> Head:
        return Head((self._value << count) & self._all, self._size)

    def __rshift__(self, count: int) -> Head:
        return Head(self._value >> count, self._size)

    def __invert__(self) -> Head:
        return Head(~self._value & self._all, self._size)

    @property
    def _all(self) -> int:
        return (1 << 8 * self._size) - 1

    def _mask(self, index: SupportsIndex) -> int:
        bits = 8 * self._size
        try:
            position: int = range(bits)[index]
        except IndexError:
            raise HeadIndexError(
                "no such bit",
                where="Head",
                expected=f"0 to {bits - 1} in {self._size} bytes",
                found=str(index),
            ) from None
        return 1 << (bits - 1 - position)

    def _aligned(self, other: Head | int) -> tuple[int, int, int]:
        """Return both values and their common size; an int is cut to the size of this head."""
        if not isinstance(other, Head):
            return self._value, other & self._all, self._size
        size = max(self._size, other._size)
        return (
            self._value << 8 * (size - self._size),
            other._value << 8 * (size - other._size),
            size,
        )


def _is_size(size: object) -> bool:
    return isinstance(size, int) and 1 <= size <= MAX_HEAD_SIZE


def _number(value: object) -> int:
    if not isinstance(value, int | Head):
        raise HeadError("wrong value", where="Head", expected="an int", found=repr(value))
    return int(value)
