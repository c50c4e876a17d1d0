"""The status of a job, with the numbers that user code knows."""

from enum import IntEnum

__all__ = ["FINISHED", "RESTARTING", "RUNNING", "STOPPED", "JobStatus"]


class JobStatus(IntEnum):
    """The status of a job."""

    STOPPED = 0
    RUNNING = 1
    RESTARTING = 2
    FINISHED = 3


STOPPED = JobStatus.STOPPED
RUNNING = JobStatus.RUNNING
RESTARTING = JobStatus.RESTARTING
FINISHED = JobStatus.FINISHED
