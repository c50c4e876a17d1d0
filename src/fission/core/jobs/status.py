"""The states of a job, as the client and the nodes tell them."""

from enum import IntEnum

__all__ = ["FINISHED", "RESTARTING", "RUNNING", "STOPPED", "JobStatus"]


class JobStatus(IntEnum):
    """What a job is doing."""

    STOPPED = 0
    RUNNING = 1
    RESTARTING = 2
    FINISHED = 3


STOPPED = JobStatus.STOPPED
RUNNING = JobStatus.RUNNING
RESTARTING = JobStatus.RESTARTING
FINISHED = JobStatus.FINISHED
