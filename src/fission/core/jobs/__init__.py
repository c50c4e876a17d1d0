"""Jobs: the base classes of user code, and predefined jobs.

Predefined jobs are imported on first use, as a job process needs at most one of them.
"""

from fission.core.head import Head
from fission.core.jobs.base import BaseJob, LocalJob
from fission.core.jobs.python import PythonJob

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from fission.core.jobs.executable import (
        DynamicExecutableJob,
        DynamicMARVELOJob,
        ExecutableJob,
        MARVELOJob,
    )
    from fission.core.jobs.files import SinkFile
    from fission.core.jobs.interactive import InteractiveJob
    from fission.core.jobs.library import ClockJob, DistributingJob, ForwardingJob, SourceJob
    from fission.core.jobs.logged import LoggingJob, LoggingSinkJob
    from fission.core.jobs.pace import PaceClock
    from fission.core.jobs.sinks import CSVSinkJob, FileSinkJob
    from fission.core.jobs.status import FINISHED, RESTARTING, RUNNING, STOPPED, JobStatus

__all__ = [
    "FINISHED",
    "RESTARTING",
    "RUNNING",
    "STOPPED",
    "BaseJob",
    "CSVSinkJob",
    "ClockJob",
    "DistributingJob",
    "DynamicExecutableJob",
    "DynamicMARVELOJob",
    "ExecutableJob",
    "FileSinkJob",
    "ForwardingJob",
    "Head",
    "InteractiveJob",
    "JobStatus",
    "LocalJob",
    "LoggingJob",
    "LoggingSinkJob",
    "MARVELOJob",
    "PaceClock",
    "PythonJob",
    "SinkFile",
    "SourceJob",
]

_WHERE = {
    "executable": ("DynamicExecutableJob", "DynamicMARVELOJob", "ExecutableJob", "MARVELOJob"),
    "interactive": ("InteractiveJob",),
    "library": ("ClockJob", "DistributingJob", "ForwardingJob", "SourceJob"),
    "logged": ("LoggingJob", "LoggingSinkJob"),
    "files": ("SinkFile",),
    "pace": ("PaceClock",),
    "sinks": ("CSVSinkJob", "FileSinkJob"),
    "status": ("FINISHED", "RESTARTING", "RUNNING", "STOPPED", "JobStatus"),
}


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - only where one of these is used

    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
