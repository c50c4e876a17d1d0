"""Encodes plain data as MessagePack without extension types, so that decoding runs nothing and imports nothing."""

from typing import Any

import msgpack

from fission.errors import RunError

__all__ = ["decode", "encode"]


def encode(data: Any) -> bytes:
    """Encode plain data (see `serialization.plain`). Raises RunError for anything else.

    Text may have lone surrogates: output that is not UTF-8 is passed on unchanged.
    """
    try:
        packed: bytes = msgpack.packb(data, use_bin_type=True, unicode_errors="surrogatepass")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RunError(f"this cannot be sent ({error})", expected="plain data") from None
    return packed


def decode(data: bytes) -> Any:
    """Decode plain data; tuples come back as lists. Raises RunError for other bytes."""
    try:
        return msgpack.unpackb(
            data, raw=False, strict_map_key=False, unicode_errors="surrogatepass", ext_hook=_reject_extension
        )
    except Exception as error:  # noqa: BLE001 - msgpack raises its own types, ValueError, TypeError, UnicodeDecodeError
        raise RunError(f"the data received is not plain data ({type(error).__name__})") from None


def _reject_extension(code: int, _: bytes) -> Any:
    raise ValueError(f"extension type {code}")
