"""Encodes values to blocks and back, as the pipe defines, at the least cost that it allows.

A value goes through `pack` and `write` of its pipe, a block through `read` and `unpack`. Where these are the
library's own, what they would do is done directly, without a file between. The pairs:

| write and read                   | block                                                                   |
|----------------------------------|-------------------------------------------------------------------------|
| both of PicklePipe               | a pickle; an array alone as in `arrays`; a pickle and its large buffers |
| both of JSONPipe                 | a line                                                                  |
| both of BasePipe, fixed size     | the bytes                                                               |
| all four methods of an ArrayPipe | as in `arrays`                                                          |
| any other                        | what `write` writes to a file                                           |

A `pack` or `unpack` of the user's own is called before or after. What the user's own methods raise passes
through; what the library cannot carry is an OutputError, what it cannot make sense of a PipeError.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Any

from fission.channel.wire.arrays import array_decoder, array_encoder
from fission.channel.wire.frames import LARGE, MAX_BLOCK, Buffer, Payload, payload_size
from fission.core.pipes import ArrayPipe, BasePipe, BytesPipe, JSONPipe, PicklePipe
from fission.errors import OutputError, PipeError

__all__ = ["Codec", "codec_for"]

Encode = Callable[[Any], Payload]
Decode = Callable[[Payload], Any]

_PICKLE = 0x80
"""First byte of every pickle of protocol 2 and above."""
_INT = Struct("<IqB")
_INT_VALUE = Struct("<Iqx")
_INT_START = int.from_bytes(b"\x80\x05\x8a\x08", "little")
_INT_STOP = ord(".")
"""An integer of up to 64 bits becomes a pickle of always the same form (PROTO 5, LONG1 of 8 bytes, STOP): made three
times as fast as by `pickle.dumps`, and blocks of one size travel best."""
_TINY = frozenset({float, bool, type(None)})
"""Types whose pickles are never large, and never fail."""
_PLAIN = frozenset({int, str, bytes})
"""Types without buffers in them."""
_MOST_BUFFERS = 1000


@dataclass(frozen=True, slots=True)
class Codec:
    """The two directions of one pipe, to be called once per block.

    `encode(value)` returns a block that shares no memory which the user could change. It raises OutputError when
    the pipe cannot carry the value; the text names the pipe, what was expected and what was given.
    `decode(block)` returns the value. Arrays may share the memory of the block and are writable, so that a block
    is decoded once; decode `frames.frozen(block)` to be able to do so again. Raises PipeError.
    """

    encode: Encode
    decode: Decode


def codec_for(pipe: BasePipe) -> Codec:
    """Return the codec of a pipe. Call it once and keep it: it learns what the pipe carries."""
    if isinstance(pipe, ArrayPipe) and _has(pipe, ArrayPipe, "pack", "write", "read", "unpack", "check"):
        return Codec(_array_encoder(pipe), _array_decoder(pipe))
    where = str(pipe)
    if _has(pipe, PicklePipe, "write", "read"):
        codec = Codec(_pickle_encoder(where), _pickle_decoder(where))
    elif _has(pipe, JSONPipe, "write", "read"):
        codec = Codec(_json_encoder(where), _json_decoder(where))
    elif _has(pipe, BasePipe, "write", "read") and isinstance(pipe.BLOCK_SIZE, int):
        codec = Codec(_bytes_encoder(pipe, pipe.BLOCK_SIZE), _bytes_decoder(where, pipe.BLOCK_SIZE))
        if _has(pipe, BytesPipe, "pack"):  # it does no more than our encoder
            return Codec(codec.encode, _before(pipe, codec.decode))
    else:
        codec = Codec(_writer(pipe), _reader(pipe))
    return Codec(_after(pipe, codec.encode), _before(pipe, codec.decode))


def _has(pipe: BasePipe, kind: type[BasePipe], *names: str) -> bool:
    """Whether these methods of the pipe are those of a class of the library."""
    return all(getattr(getattr(pipe, name, None), "__func__", None) is getattr(kind, name) for name in names)


def _after(pipe: BasePipe, encode: Encode) -> Encode:
    """Return the encoder behind the pipe's `pack`, if it has one of its own."""
    if _has(pipe, BasePipe, "pack"):
        return encode
    pack = pipe.pack

    def packed(value: Any) -> Payload:
        try:
            data = pack(value)
        except PipeError as error:
            raise _output_error(error) from error
        return encode(data)

    return packed


def _before(pipe: BasePipe, decode: Decode) -> Decode:
    """Return the decoder before the pipe's `unpack`, if it has one of its own."""
    if _has(pipe, BasePipe, "unpack"):
        return decode
    unpack = pipe.unpack
    return lambda payload: unpack(decode(payload))


# -- pickles ---------------------------------------------------------------------------------------------


def _pickle_encoder(where: str) -> Encode:
    dumps, pack_int = pickle.dumps, _INT.pack
    encode_object = _object_encoder(where)
    encode_array = array_encoder(encode_object)

    def encode(value: Any) -> Payload:
        kind = type(value)
        if kind is int:
            try:
                return pack_int(_INT_START, value, _INT_STOP)
            except StructError:
                return encode_object(value)
        if kind in _TINY:
            return dumps(value, 5)
        return encode_array(value)

    return encode


def _object_encoder(where: str) -> Encode:
    """Pickle; once a value was large, look for buffers in all that follow."""
    dumps = pickle.dumps
    large = False

    def encode(value: Any) -> Payload:
        nonlocal large
        try:
            if large:
                payload = _dump_with_buffers(value)
            else:
                payload = dumps(value, 5)
                if len(payload) < LARGE:
                    return payload
                if type(value) not in _PLAIN:
                    large = True
                    payload = _dump_with_buffers(value)
        except Exception as error:
            raise OutputError(
                "a value that cannot be pickled",
                where=where,
                expected="an object that pickle can carry",
                found=_brief(value),
                hint=f"{type(error).__name__}: {error}",
            ) from error
        _check_size(payload, where)
        return payload

    return encode


def _dump_with_buffers(value: Any) -> Payload:
    """Pickle; large buffers are copied once, beside the pickle instead of into it."""
    buffers: list[bytes] = []

    def stays(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < LARGE or len(buffers) >= _MOST_BUFFERS:
            return True
        buffers.append(bytes(raw))
        return False

    data = pickle.dumps(value, 5, buffer_callback=stays)
    return (data, *buffers) if buffers else data


def _pickle_decoder(where: str) -> Decode:
    loads, unpack_int = pickle.loads, _INT_VALUE.unpack
    decode_array = array_decoder(where, _load_with_buffers)

    def decode(payload: Payload) -> Any:
        try:
            if payload[0] == _PICKLE:
                if len(payload) == 13:
                    start, value = unpack_int(payload)  # type: ignore[arg-type]  # one part: it begins with a number
                    if start == _INT_START:
                        return value
                return loads(payload)  # type: ignore[arg-type]
            return decode_array(payload)
        except PipeError:
            raise
        except Exception as error:
            raise PipeError(
                "a block that cannot be unpickled",
                where=where,
                expected="a pickle of what can be imported here",
                found=_brief(payload),
                hint=f"{type(error).__name__}: {error}",
            ) from error

    return decode


def _load_with_buffers(payload: Payload) -> Any:
    if isinstance(payload, tuple):
        return pickle.loads(payload[0], buffers=map(_writable, payload[1:]))
    return pickle.loads(payload)


def _writable(buffer: Buffer) -> Buffer:
    return bytearray(buffer) if memoryview(buffer).readonly else buffer


# -- arrays ----------------------------------------------------------------------------------------------


def _array_encoder(pipe: ArrayPipe) -> Encode:
    where = str(pipe)

    def encode_other(value: Any) -> Payload:
        data = bytes(pipe.pack(value))  # subclasses of ndarray, unusual dtypes; raises for all else
        _check_size(data, where)
        return data

    encode_array = array_encoder(encode_other, pipe.check)

    def encode(value: Any) -> Payload:
        try:
            return encode_array(value)
        except PipeError as error:
            raise _output_error(error) from error

    return encode


def _array_decoder(pipe: ArrayPipe) -> Decode:
    unpack = pipe.unpack
    return array_decoder(str(pipe), lambda payload: unpack(_whole(payload)), pipe.check)


# -- JSON ------------------------------------------------------------------------------------------------


def _json_encoder(where: str) -> Encode:
    from json import JSONEncoder  # noqa: PLC0415 - only where a pipe carries JSON

    dumps = JSONEncoder().encode

    def encode(value: Any) -> Payload:
        try:
            line = dumps(value).encode() + b"\n"
        except Exception as error:
            raise OutputError(
                "a value that JSON cannot say",
                where=where,
                expected="dict, list, str, int, float, bool or None",
                found=_brief(value),
                hint=f"{type(error).__name__}: {error}",
            ) from error
        _check_size(line, where)
        return line

    return encode


def _json_decoder(where: str) -> Decode:
    from json import loads  # noqa: PLC0415

    def decode(payload: Payload) -> Any:
        try:
            return loads(str(_whole(payload), "utf-8"))
        except (ValueError, RecursionError) as error:
            raise PipeError(
                "no JSON",
                where=where,
                expected="one value per line, in UTF-8",
                found=_brief(payload),
                hint=f"{type(error).__name__}: {error}",
            ) from error

    return decode


# -- bytes of fixed size ---------------------------------------------------------------------------------


def _bytes_encoder(pipe: BasePipe, size: int) -> Encode:
    write = _writer(pipe)

    def encode(data: Any) -> Payload:
        return data if type(data) is bytes and len(data) == size else write(data)

    return encode


def _bytes_decoder(where: str, size: int) -> Decode:
    def decode(payload: Payload) -> Any:
        data = payload if type(payload) is bytes else _whole(payload)
        if len(data) != size:
            raise PipeError(
                "wrong length of block", where=where, expected=f"{size} bytes", found=f"{len(data)} bytes"
            )
        return data

    return decode


# -- the user's own read and write -----------------------------------------------------------------------


def _writer(pipe: BasePipe) -> Encode:
    write = pipe.write

    def encode(data: Any) -> Payload:
        file = BytesIO()
        try:
            write(file, data)
        except PipeError as error:
            raise _output_error(error) from error
        payload = file.getvalue()
        _check_size(payload, str(pipe))
        return payload

    return encode


def _reader(pipe: BasePipe) -> Decode:
    read, where = pipe.read, str(pipe)

    def decode(payload: Payload) -> Any:
        file = BytesIO(_whole(payload))
        try:
            data = read(file)
        except EOFError as error:
            raise PipeError(
                "read wants more than write has written",
                where=where,
                expected="read takes the bytes of one block",
                found=f"{payload_size(payload)} bytes",
            ) from error
        rest = file.read()
        if rest:
            raise PipeError(
                "read has left bytes of the block",
                where=where,
                expected="read takes all that write has written",
                found=f"{len(rest)} of {payload_size(payload)} bytes left",
            )
        return data

    return decode


# -- what all share --------------------------------------------------------------------------------------


def _whole(payload: Payload) -> bytes:
    if type(payload) is bytes:
        return payload
    return b"".join(payload) if isinstance(payload, tuple) else bytes(payload)


def _check_size(payload: Payload, where: str) -> None:
    size = payload_size(payload)
    if size > MAX_BLOCK:
        raise OutputError(
            "a block that is too large",
            where=where,
            expected=f"at most {MAX_BLOCK} bytes",
            found=f"{size} bytes",
        )


def _output_error(error: PipeError) -> OutputError:
    return OutputError(
        error.what, where=error.where, expected=error.expected, found=error.found, hint=error.hint
    )


def _brief(value: object) -> str:
    """Say what a value is: its type and the beginning of its text."""
    try:
        text = repr(value[:40] if isinstance(value, bytes | bytearray | str) else value)
    except Exception:  # noqa: BLE001 - the repr of a user's class
        text = ""
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
