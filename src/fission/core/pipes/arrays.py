"""Pipes for numpy arrays, without pickle. numpy is imported with the first array.

A block on the wire, little-endian: length of the dtype text (u16), number of dimensions (u16); the dtype as
text (`numpy.dtype.str`, or the literal of its fields); the shape (u64 each); the elements, in C order.
"""

from __future__ import annotations

import re
import struct
from math import prod

from fission.core.pipes.base import BasePipe, brief, checked_count, read_exactly
from fission.core.pipes.optional import OptionalMixIn
from fission.errors import PipeError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from typing import IO, Any

    import numpy as np
    from numpy.typing import DTypeLike

__all__ = ["ArrayPipe", "OptionalArrayPipe"]

_LENGTHS = struct.Struct("<HH")
_DTYPE = re.compile(r"\[|[<>|=][b-zA-Z]")
"""How `numpy.dtype.str`, or a list of fields, begins; numpy itself takes much more, some of it deprecated."""


class ArrayPipe(BasePipe):
    """Carries numpy arrays of any shape and dtype but objects; received arrays are writable.

    With `dtype` (as for `numpy.dtype`) or `shape` (a tuple of ints; None for a dimension of any length), other
    arrays are refused at both ends. A subclass may set `DTYPE`, `SHAPE`, `BLOCK_COUNT` instead.
    """

    BLOCK_SIZE: int | str = "array"
    DTYPE: DTypeLike | None = None
    SHAPE: tuple[int | None, ...] | None = None

    def __init__(
        self,
        id: int,
        dtype: DTypeLike | None = None,
        shape: int | tuple[int | None, ...] | list[int | None] | None = None,
        block_count: int | None = None,
    ) -> None:
        super().__init__(id)
        if dtype is not None:
            self.DTYPE = checked_dtype(dtype, str(self))
        if shape is not None:
            self.SHAPE = checked_shape(shape, str(self))
        count = self.BLOCK_COUNT if block_count is None else block_count
        self.BLOCK_COUNT = checked_count(count, "block_count", str(self))

    def check(self, obj: object) -> None:
        """Raise PipeError unless the object is an array that this pipe carries."""
        import numpy as np  # noqa: PLC0415 - see the top

        if not isinstance(obj, np.ndarray):
            raise PipeError(
                "wrong type of block",
                where=str(self),
                expected="a numpy array",
                found=brief(obj),
                hint="numpy.asarray makes one of a number or a list",
            )
        if obj.dtype.hasobject or not obj.dtype.itemsize:
            raise PipeError(
                "arrays of objects, or of nothing, are not carried",
                where=str(self),
                expected="numbers, strings or fields of them",
                found=str(obj.dtype),
                hint="PicklePipe carries any object",
            )
        if self.DTYPE is not None and obj.dtype != self.DTYPE:
            raise PipeError(
                "wrong dtype", where=str(self), expected=str(np.dtype(self.DTYPE)), found=str(obj.dtype)
            )
        if self.SHAPE is not None and obj.shape != self.SHAPE and not _fits(obj.shape, self.SHAPE):
            raise PipeError("wrong shape", where=str(self), expected=str(self.SHAPE), found=str(obj.shape))

    def pack(self, obj: Any) -> Any:
        """Return the array as bytes. Raises PipeError when it is none, or has another dtype or shape."""
        self.check(obj)
        return _header(obj, str(self)) + obj.tobytes()

    def unpack(self, data: Any) -> Any:
        """Return the array, writable. Raises PipeError as `pack`, and when the bytes are not an array.

        An empty block replaces one that was lost before any arrived: zeros. What is not bytes (the default of an
        optional pipe) is returned unchanged.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            return data
        array = _parse(data, str(self)) if len(data) else self._zeros()
        self.check(array)
        return array

    def read(self, file: IO[bytes]) -> Any:
        """Read one block as bytes.

        Raises EOFError when the file has ended, PipeError when it ends within the block.
        """
        where = str(self)
        start = read_exactly(file, _LENGTHS.size, where=where)
        text_length, dimensions = _LENGTHS.unpack(start)
        description = read_exactly(file, text_length + 8 * dimensions, where=where, begun=True)
        dtype, shape = _describe(description, text_length, where)
        count = prod(shape) * dtype.itemsize
        try:
            return start + description + read_exactly(file, count, where=where, begun=True)
        except (OverflowError, MemoryError) as error:
            raise PipeError(
                "no array", where=where, expected="a block that fits into memory", found=f"{count} bytes"
            ) from error

    def _zeros(self) -> np.ndarray[Any, Any]:
        import numpy as np  # noqa: PLC0415 - see the top

        shape = (0,) if self.SHAPE is None else tuple(length or 0 for length in self.SHAPE)
        return np.zeros(shape, self.DTYPE)


class OptionalArrayPipe(OptionalMixIn, ArrayPipe):
    """An `ArrayPipe` that is never waited for."""


def checked_dtype(given: Any, where: str) -> np.dtype[Any] | None:
    """Return the dtype that an array pipe was given. Raises PipeError for one that a pipe cannot carry."""
    import numpy as np  # noqa: PLC0415 - see the top

    if given is None:
        return None
    try:
        dtype: np.dtype[Any] = np.dtype(given)
    except Exception as error:  # numpy parses the text of a dtype in ways that raise anything
        raise PipeError(
            "no dtype", where=where, expected="as for numpy.dtype", found=repr(given)[:100]
        ) from error
    if dtype.hasobject or not dtype.itemsize or dtype.subdtype is not None:
        raise PipeError(
            "no array on a pipe has this dtype",
            where=where,
            expected="numbers, texts of a known length, or fields of them",
            found=str(dtype),
            hint="PicklePipe carries any object" if dtype.hasobject else "",
        )
    return dtype


def checked_shape(given: Any, where: str) -> tuple[int | None, ...] | None:
    """Return the shape that an array pipe was given. Raises PipeError for an invalid one."""
    if given is None:
        return None
    lengths = (given,) if isinstance(given, int) else given
    if not isinstance(lengths, tuple | list) or not all(
        length is None or _is_length(length) for length in lengths
    ):
        raise PipeError(
            "no shape", where=where, expected="a tuple of lengths, None for any", found=brief(given)
        )
    return tuple(length if length is None else int(length) for length in lengths)


def _is_length(value: object) -> bool:
    index = getattr(value, "__index__", None)
    return index is not None and not isinstance(value, bool) and index() >= 0


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(w is None or s == w for s, w in zip(shape, wanted, strict=True))


def _fields(dtype: np.dtype[Any], where: str) -> object:
    from numpy.lib.format import dtype_to_descr  # noqa: PLC0415 - dtypes with fields are rare

    try:
        return dtype_to_descr(dtype)
    except ValueError as error:
        raise PipeError(
            "fields that overlap are not carried", where=where, found=str(dtype), hint=str(error)
        ) from error


def _header(array: np.ndarray[Any, Any], where: str) -> bytes:
    text = (array.dtype.str if array.dtype.names is None else repr(_fields(array.dtype, where))).encode()
    return _LENGTHS.pack(len(text), array.ndim) + text + struct.pack(f"<{array.ndim}Q", *array.shape)


def _describe(description: bytes, text_length: int, where: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return dtype and shape from the bytes between the lengths and the elements."""
    import numpy as np  # noqa: PLC0415 - see the top

    try:
        text = description[:text_length].decode()
        if not _DTYPE.match(text):
            raise ValueError(text)
        if text.startswith("["):
            from ast import literal_eval  # noqa: PLC0415 - dtypes with fields are rare

            from numpy.lib.format import descr_to_dtype  # noqa: PLC0415

            dtype: np.dtype[Any] = descr_to_dtype(literal_eval(text))
        else:
            dtype = np.dtype(text)
        if dtype.hasobject or not dtype.itemsize:  # pointers, taken from bytes, could read any memory
            raise ValueError("objects, or nothing")
        dimensions = (len(description) - text_length) // 8
        return dtype, struct.unpack_from(f"<{dimensions}Q", description, text_length)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise PipeError("no array", where=where, expected="a dtype", found=brief(description)) from error


def _parse(data: bytes | bytearray | memoryview, where: str) -> np.ndarray[Any, Any]:
    import numpy as np  # noqa: PLC0415 - see the top

    try:
        text_length, dimensions = _LENGTHS.unpack_from(data)
        start = _LENGTHS.size + text_length + 8 * dimensions
        dtype, shape = _describe(bytes(data[_LENGTHS.size : start]), text_length, where)
        if start + prod(shape) * dtype.itemsize != len(data):
            raise ValueError("too many bytes, or too few")
        return np.ndarray(shape, dtype, data, start).copy()
    except (ValueError, TypeError, OverflowError, struct.error) as error:
        raise PipeError(
            "no array", where=where, expected="header and elements", found=brief(bytes(data))
        ) from error
