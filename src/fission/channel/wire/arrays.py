"""A numpy array as one block: a short header and the elements as they lie in memory; no pickle.

| offset | size | field    |                                                                                |
|--------|------|----------|--------------------------------------------------------------------------------|
| 0      | 2    | mark     | 93 FA: no pickle begins so, nor any block that an ArrayPipe writes by itself   |
| 2      | 2    | length   | of the header in bytes, a multiple of 16, so that the elements are aligned     |
| 4      |      | text     | UTF-8, padded with spaces: `<f8|500,2`, dtype (or its fields as a literal) and |
|        |      |          | shape                                                                          |
| length |      | elements | in C order, in the byte order of the dtype                                     |

Most pipes carry one dtype and shape all the time, so both directions try the last header first.
"""

import sys
from collections.abc import Callable
from math import prod
from struct import Struct
from typing import TYPE_CHECKING, Any, TypeAlias

from fission.channel.wire.frames import LARGE, MAX_BLOCK, Buffer, Payload
from fission.errors import PipeError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]
    Dtype: TypeAlias = np.dtype[Any]
    Check: TypeAlias = Callable[[Array], None]

__all__ = ["MARK", "array_decoder", "array_encoder"]

MARK = b"\x93\xfa"
_START = Struct("<2sH")
_ALIGNMENT = 16
_LONGEST_HEADER = 0xFFF0
_REMEMBERED = 256
"""Headers kept per pipe; a pipe with more shapes than that forgets them all and begins again."""


def array_encoder(
    otherwise: Callable[[Any], Payload], check: "Check | None" = None
) -> Callable[[Any], Payload]:
    """Return a function that makes a block of an array (exactly numpy.ndarray), with one copy of its elements.

    All other values, arrays of objects, and dtypes without a textual form are left to `otherwise`. `check` is
    called for the first array of each dtype and shape, and may raise.
    """
    known: dict[tuple[Dtype, tuple[int, ...]], tuple[bytes, bool]] = {}
    ndarray: Any = None  # until numpy has been imported no value is one
    last_dtype: Dtype | None = None
    last_shape: tuple[int, ...] = ()
    header, large = b"", False

    def encode(value: Any) -> Payload:
        nonlocal ndarray, last_dtype, last_shape, header, large
        if type(value) is not ndarray:
            if ndarray is None:
                ndarray = getattr(sys.modules.get("numpy"), "ndarray", None)
                if type(value) is ndarray:
                    return encode(value)
            return otherwise(value)
        dtype, shape = value.dtype, value.shape
        if dtype is not last_dtype or shape != last_shape:
            entry = known.get((dtype, shape))
            if entry is None:
                if check is not None:
                    check(value)
                entry = _describe(dtype, shape)
                if entry is None:
                    return otherwise(value)
                if len(known) >= _REMEMBERED:
                    known.clear()
                known[dtype, shape] = entry
            header, large = entry
            last_dtype, last_shape = dtype, shape
        return _encode_large(header, value) if large else header + value.tobytes()

    return encode


def _encode_large(header: bytes, array: Any) -> Payload:
    """Copy the elements once, in whatever order they lie."""
    try:
        return b"".join((header, array))
    except TypeError:  # not in C order, or of a dtype (datetime64) that lends out no memory
        import numpy as np  # noqa: PLC0415 - not before there is an array

        memory: Any = np.empty(len(header) + array.nbytes, np.uint8)
        memory[: len(header)] = np.frombuffer(header, np.uint8)
        np.ndarray(array.shape, array.dtype, memory, len(header))[...] = array
        return memoryview(memory).toreadonly()


def _describe(dtype: "Dtype", shape: tuple[int, ...]) -> tuple[bytes, bool] | None:
    """Return the header, and whether the block is a large one."""
    import numpy as np  # noqa: PLC0415

    if dtype.hasobject or not dtype.itemsize or dtype.isalignedstruct:
        return None
    try:
        if np.dtype(dtype.str if dtype.names is None else dtype.descr) != dtype:
            return None
    except (TypeError, ValueError):  # a foreign dtype, or overlapping fields
        return None
    text = f"{dtype.str if dtype.names is None else dtype.descr}|{','.join(map(str, shape))}".encode()
    length = -(-(_START.size + len(text)) // _ALIGNMENT) * _ALIGNMENT
    if length > _LONGEST_HEADER:
        return None
    size = length + prod(shape) * dtype.itemsize
    if size > MAX_BLOCK:
        return None
    return _START.pack(MARK, length) + text.ljust(length - _START.size), size >= LARGE


def array_decoder(
    where: str, otherwise: Callable[[Payload], Any], check: "Check | None" = None
) -> Callable[[Payload], Any]:
    """Return a function that makes an array of a block that begins with `MARK`; all others go to `otherwise`.

    The array is writable and, if the block is, shares its memory; else the elements are copied. The function
    raises PipeError when the block is no array. `check` is called for the first array of each dtype and shape.
    """
    known: dict[bytes, tuple[tuple[int, ...], Dtype, int]] = {}
    header, offset, total = b"", 0, -1
    shape: tuple[int, ...] = ()
    dtype: Dtype | None = None
    ndarray: Any = None

    def find(payload: Buffer) -> None:
        """Make the header of this block the one that is tried first."""
        nonlocal header, offset, total, shape, dtype, ndarray
        start = bytes(payload[: _START.unpack_from(payload)[1]]) if len(payload) >= _START.size else b""
        entry = known.get(start)
        if entry is None:
            new_shape, new_dtype = _read_header(start, where)
            entry = new_shape, new_dtype, len(start) + prod(new_shape) * new_dtype.itemsize
        if entry[2] != len(payload):
            raise PipeError(
                "the elements of an array do not fit its header",
                where=where,
                expected=f"{entry[2]} bytes",
                found=f"{len(payload)} bytes",
            )
        if start not in known:
            import numpy as np  # noqa: PLC0415

            ndarray = np.ndarray
            try:
                array = ndarray(entry[0], entry[1], payload, len(start))
            except ValueError as error:  # too many dimensions
                raise PipeError(
                    "no array", where=where, expected="dtype and shape", found=str(error)
                ) from error
            if check is not None:
                check(array)
            if len(known) >= _REMEMBERED:
                known.clear()
            known[start] = entry
        header, offset = start, len(start)
        shape, dtype, total = entry

    def decode(payload: Payload) -> Any:
        kind = type(payload)
        if (kind is bytearray or kind is bytes) and len(payload) == total and payload.startswith(header):  # type: ignore[union-attr]
            memory: Any = payload
        elif kind is tuple or payload[:2] != MARK:
            return otherwise(payload)
        else:
            memory = payload
            find(memory)
        if kind is bytes or (kind is memoryview and memory.readonly):
            memory = bytearray(memory)
        return ndarray(shape, dtype, memory, offset)

    return decode


def _read_header(header: bytes, where: str) -> "tuple[tuple[int, ...], Dtype]":
    import numpy as np  # noqa: PLC0415

    try:
        text, _, sizes = header[_START.size :].decode().rpartition("|")
        shape = tuple(map(int, sizes.split(","))) if sizes.strip() else ()
        if text.startswith("["):
            from ast import literal_eval  # noqa: PLC0415 - fields are rare

            text = literal_eval(text)
        dtype = np.dtype(text)
        # Elements that are pointers, taken from bytes, would be a way to read any memory.
        usable = (
            header.startswith(MARK) and dtype.itemsize and not dtype.hasobject and min(shape, default=0) >= 0
        )
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise PipeError(
            "no array", where=where, expected="dtype and shape", found=repr(header[:60])
        ) from error
    if not usable:
        raise PipeError("no array", where=where, expected="dtype and shape", found=repr(header[:60]))
    return shape, dtype
