"""The bytes of a block as `write` of its pipe makes them, for programs that know nothing of our shorter ways.

Nearly always that is the block itself. Only a PicklePipe and an ArrayPipe have a way of their own to carry arrays (see
`codec`); there the value is made, and written again. Back there is nothing to do: what `write` makes is always a block.
"""

import pickle
from collections.abc import Callable
from io import BytesIO
from typing import Any

from fission.channel.wire.arrays import MARK, array_decoder
from fission.channel.wire.frames import Payload
from fission.core.pipes import ArrayPipe, BasePipe, PicklePipe

__all__ = ["plain_bytes"]


def plain_bytes(pipe: BasePipe) -> Callable[[Payload], bytes] | None:
    """Return the function that makes plain bytes of a block; None: every block of this pipe is plain."""
    kind: Any = type(pipe)
    if kind.write is PicklePipe.write and kind.read is PicklePipe.read:
        decode = array_decoder(str(pipe), _load)
        return _rewriter(decode, pipe.write)
    if isinstance(pipe, ArrayPipe):
        decode = array_decoder(str(pipe), lambda payload: pipe.unpack(_whole(payload)))
        return _rewriter(decode, lambda file, array: pipe.write(file, pipe.pack(array)))
    return None


def _rewriter(
    decode: Callable[[Payload], Any], write: Callable[[Any, Any], None]
) -> Callable[[Payload], bytes]:
    def rewrite(payload: Payload) -> bytes:
        if not isinstance(payload, tuple) and payload[: len(MARK)] != MARK:
            return bytes(payload)
        file = BytesIO()
        write(file, decode(payload))
        return file.getvalue()

    return rewrite


def _load(payload: Payload) -> Any:
    return (
        pickle.loads(payload[0], buffers=payload[1:]) if isinstance(payload, tuple) else pickle.loads(payload)
    )


def _whole(payload: Payload) -> bytes:
    return b"".join(payload) if isinstance(payload, tuple) else bytes(payload)
