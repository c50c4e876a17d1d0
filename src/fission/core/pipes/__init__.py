"""Pipes: the inputs and outputs of jobs, and base classes for other protocols.

Array pipes are imported on first use.
"""

from fission.core.pipes.base import BasePipe
from fission.core.pipes.library import (
    BytesPipe,
    JSONMixIn,
    JSONPipe,
    OptionalBytesPipe,
    OptionalJSONPipe,
    OptionalPicklePipe,
    PickleMixIn,
    PicklePipe,
    ReadJSONMixIn,
    ReadPickleMixIn,
    WriteJSONMixIn,
    WritePickleMixIn,
)
from fission.core.pipes.optional import OptionalMixIn

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from fission.core.pipes.arrays import ArrayPipe, OptionalArrayPipe

__all__ = [
    "ArrayPipe",
    "BasePipe",
    "BytesPipe",
    "JSONMixIn",
    "JSONPipe",
    "OptionalArrayPipe",
    "OptionalBytesPipe",
    "OptionalJSONPipe",
    "OptionalMixIn",
    "OptionalPicklePipe",
    "PickleMixIn",
    "PicklePipe",
    "ReadJSONMixIn",
    "ReadPickleMixIn",
    "WriteJSONMixIn",
    "WritePickleMixIn",
]


def __getattr__(name: str) -> object:
    if name in ("ArrayPipe", "OptionalArrayPipe"):
        from fission.core.pipes import arrays  # noqa: PLC0415 - only where one of these is used

        return getattr(arrays, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
