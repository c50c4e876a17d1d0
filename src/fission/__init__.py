"""FISSION: spread a dataflow of jobs over many small devices, and keep it running when one dies.

```python
from fission import PicklePipe, PythonJob, simulate
```

The names are imported on first use.
"""

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from fission.api import Handle, run, simulate
    from fission.api.networks import load
    from fission.core.head import Head
    from fission.core.jobs import (
        ClockJob,
        CSVSinkJob,
        DistributingJob,
        ExecutableJob,
        FileSinkJob,
        ForwardingJob,
        InteractiveJob,
        LocalJob,
        LoggingJob,
        LoggingSinkJob,
        PythonJob,
        SourceJob,
    )
    from fission.core.network import Settings
    from fission.core.nodes import BaseNode, LocalNode, MultiNode
    from fission.core.pipes import ArrayPipe, BasePipe, BytesPipe, JSONPipe, OptionalMixIn, PicklePipe
    from fission.errors import FissionError
    from fission.project.loaded import LoadedNetwork as Network

__all__ = [
    "ArrayPipe",
    "BaseNode",
    "BasePipe",
    "BytesPipe",
    "CSVSinkJob",
    "ClockJob",
    "DistributingJob",
    "ExecutableJob",
    "FileSinkJob",
    "FissionError",
    "ForwardingJob",
    "Handle",
    "Head",
    "InteractiveJob",
    "JSONPipe",
    "LocalJob",
    "LocalNode",
    "LoggingJob",
    "LoggingSinkJob",
    "MultiNode",
    "Network",
    "OptionalMixIn",
    "PicklePipe",
    "PythonJob",
    "Settings",
    "SourceJob",
    "load",
    "run",
    "simulate",
]

_WHERE = {
    "api": ("Handle", "run", "simulate"),
    "api.networks": ("load",),
    "core.head": ("Head",),
    "core.jobs": (
        "CSVSinkJob",
        "ClockJob",
        "DistributingJob",
        "ExecutableJob",
        "FileSinkJob",
        "ForwardingJob",
        "InteractiveJob",
        "LocalJob",
        "LoggingJob",
        "LoggingSinkJob",
        "PythonJob",
        "SourceJob",
    ),
    "core.network": ("Settings",),
    "core.nodes": ("BaseNode", "LocalNode", "MultiNode"),
    "core.pipes": ("ArrayPipe", "BasePipe", "BytesPipe", "JSONPipe", "OptionalMixIn", "PicklePipe"),
    "errors": ("FissionError",),
}


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - only where one of these is used

    if name == "Network":
        return import_module("fission.project.loaded").LoadedNetwork
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
