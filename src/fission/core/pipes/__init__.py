"""Pipes: what users pass as inputs and outputs of jobs, and inherit from for protocols of their own."""

from fission.core.pipes.arrays import ArrayPipe, OptionalArrayPipe
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
