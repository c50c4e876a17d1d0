"""Jobs: what users inherit from, and the jobs that come with fission."""

from fission.core.jobs.base import BaseJob, LocalJob
from fission.core.jobs.library import ClockJob, DistributingJob, ForwardingJob, SourceJob
from fission.core.jobs.logged import LoggingJob, LoggingSinkJob
from fission.core.jobs.python import PythonJob
from fission.core.jobs.sinks import CSVSinkJob
from fission.core.jobs.states import FINISHED, RESTARTING, RUNNING, STOPPED, JobState

__all__ = [
    "FINISHED",
    "RESTARTING",
    "RUNNING",
    "STOPPED",
    "BaseJob",
    "CSVSinkJob",
    "ClockJob",
    "DistributingJob",
    "ForwardingJob",
    "JobState",
    "LocalJob",
    "LoggingJob",
    "LoggingSinkJob",
    "PythonJob",
    "SourceJob",
]
