"""Plain data on the wire: MessagePack without any extension, so that reading it runs nothing and imports nothing."""

from typing import Any

import msgpack

from fission.errors import RunError

__all__ = ["decode", "encode"]


def encode(data: Any) -> bytes:
    """Turn plain data (see `engine.base.Plain`) into bytes. Raises RunError for everything else.

    Text may have lone surrogates: output that was no UTF-8 is passed on as it is.
    """
    try:
        packed: bytes = msgpack.packb(data, use_bin_type=True, unicode_errors="surrogatepass")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RunError(f"this cannot be sent ({error})", expected="plain data") from None
    return packed


def decode(data: bytes) -> Any:
    """Turn bytes into plain data; tuples come back as lists. Raises RunError for bytes that are none."""
    try:
        return msgpack.unpackb(
            data, raw=False, strict_map_key=False, unicode_errors="surrogatepass", ext_hook=_refuse
        )
    except Exception as error:  # noqa: BLE001 - many types of its own, ValueError, TypeError, UnicodeDecodeError
        raise RunError(f"it has sent what is no plain data ({type(error).__name__})") from None


def _refuse(code: int, _: bytes) -> Any:
    raise ValueError(f"extension type {code}")
