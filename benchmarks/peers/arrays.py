"""The header of an array on the wire: bytes that follow, dtype, shape; one size, to keep data aligned."""

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEADER = 64
LARGE = 1 << 16
"""From so many bytes on, an array is sent and received without a copy in user space."""
_PARTS = struct.Struct("<QB7s6Q")
_cache: dict[tuple[Any, tuple[int, ...]], bytes] = {}


def encode_header(array: "NDArray[Any]") -> bytes:
    """Return the 64 bytes before the array's data; at most 6 dimensions; kept for the next one of its kind."""
    key = (array.dtype, array.shape)
    header = _cache.get(key)
    if header is None:
        shape = array.shape + (0,) * (6 - array.ndim)
        header = _PARTS.pack(array.nbytes, array.ndim, array.dtype.str.encode(), *shape)
        _cache[key] = header
    return header


@lru_cache(maxsize=16)
def decode_header(header: bytes) -> "tuple[np.dtype[Any], tuple[int, ...], int]":
    """Return dtype, shape and number of bytes of the array that follows."""
    import numpy as np

    nbytes, ndim, dtype, *shape = _PARTS.unpack(header)
    return np.dtype(dtype.rstrip(b"\0").decode()), tuple(shape[:ndim]), nbytes
