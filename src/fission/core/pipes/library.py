"""Pipes for Python objects, JSON and bytes, and their mix-ins."""

from __future__ import annotations

from fission.core.pipes.base import BasePipe, brief, checked_count
from fission.core.pipes.optional import OptionalMixIn
from fission.errors import PipeError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from typing import IO, Any

__all__ = [
    "BytesPipe",
    "JSONMixIn",
    "JSONPipe",
    "OptionalBytesPipe",
    "OptionalJSONPipe",
    "OptionalPicklePipe",
    "PickleMixIn",
    "PicklePipe",
    "ReadJSONMixIn",
    "ReadPickleMixIn",
    "WriteJSONMixIn",
    "WritePickleMixIn",
]

PICKLE_PROTOCOL = 5


class ReadPickleMixIn:
    """Blocks are read as pickles."""

    BLOCK_SIZE: int | str = "pickle"

    def read(self, file: IO[bytes]) -> Any:
        """Read exactly one pickle and return the object. Raises EOFError when the file has ended."""
        from pickle import load  # noqa: PLC0415 - it takes long to import

        return load(file)


class WritePickleMixIn:
    """Blocks are written as pickles."""

    BLOCK_SIZE: int | str = "pickle"

    def write(self, file: IO[bytes], data: Any) -> None:
        """Write the object as one pickle (protocol 5)."""
        from pickle import dumps  # noqa: PLC0415 - it takes long to import

        file.write(dumps(data, PICKLE_PROTOCOL))


class PickleMixIn(ReadPickleMixIn, WritePickleMixIn):
    """Blocks are pickles."""


class PicklePipe(PickleMixIn, BasePipe):
    """Carries nearly any Python object."""


class ReadJSONMixIn:
    """Blocks are read as lines of JSON."""

    BLOCK_SIZE: int | str = "json"

    def read(self, file: IO[bytes]) -> Any:
        """Read one line and return its value. Raises EOFError when the file has ended."""
        from json import loads  # noqa: PLC0415 - only where a pipe carries JSON

        line = file.readline()
        if not line:
            raise EOFError(f"{self}: no more blocks")
        try:
            return loads(line)
        except ValueError as error:
            raise PipeError(
                "no JSON", where=str(self), expected="one value per line, in UTF-8", found=brief(line)
            ) from error


class WriteJSONMixIn:
    """Blocks are written as lines of JSON."""

    BLOCK_SIZE: int | str = "json"

    def write(self, file: IO[bytes], data: Any) -> None:
        """Write the value as one line. Raises PipeError when JSON cannot represent it."""
        from json import dumps  # noqa: PLC0415 - only where a pipe carries JSON

        try:
            line = dumps(data)
        except (TypeError, ValueError) as error:
            raise PipeError(
                "the value cannot be written as JSON",
                where=str(self),
                expected="dict, list, str, int, float, bool or None",
                found=brief(data),
                hint=str(error),
            ) from error
        file.write(line.encode() + b"\n")


class JSONMixIn(ReadJSONMixIn, WriteJSONMixIn):
    """Blocks are lines of JSON."""


class JSONPipe(JSONMixIn, BasePipe):
    """Carries JSON values, one UTF-8 line per block."""


class BytesPipe(BasePipe):
    """Carries blocks of exactly `block_size` bytes: bytes, bytearray, or any other buffer.

    A subclass may set `BLOCK_SIZE` and `BLOCK_COUNT` instead of passing them.
    """

    BLOCK_SIZE: int | str = 0

    def __init__(self, id: int, block_size: int | None = None, block_count: int | None = None) -> None:
        super().__init__(id)
        hint = f"{type(self).__name__}({id}, 16) has blocks of 16 bytes"
        size = self.BLOCK_SIZE if block_size is None else block_size
        count = self.BLOCK_COUNT if block_count is None else block_count
        self.BLOCK_SIZE = checked_count(size, "block_size", str(self), hint)
        self.BLOCK_COUNT = checked_count(count, "block_count", str(self))

    def pack(self, obj: Any) -> Any:
        """Return the value as bytes of its own. Raises PipeError when it is not `BLOCK_SIZE` bytes."""
        try:
            view = memoryview(obj)
        except TypeError:
            raise PipeError(
                "wrong type of block", where=str(self), expected="bytes", found=brief(obj)
            ) from None
        if view.nbytes != self.BLOCK_SIZE:
            raise PipeError(
                "wrong length of block",
                where=str(self),
                expected=f"{self.BLOCK_SIZE} bytes",
                found=f"{view.nbytes} bytes",
            )
        return view.tobytes()


class OptionalPicklePipe(OptionalMixIn, PicklePipe):
    """A `PicklePipe` that is never waited for."""


class OptionalJSONPipe(OptionalMixIn, JSONPipe):
    """A `JSONPipe` that is never waited for."""


class OptionalBytesPipe(OptionalMixIn, BytesPipe):
    """A `BytesPipe` that is never waited for."""
