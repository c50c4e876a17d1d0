"""The processes of a network on one machine, for people that look at them with the tools of the system."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Processes", "processes_here"]


@dataclass(frozen=True, slots=True)
class Processes:
    """`pid`: the process that runs the jobs of the machine, a node service or the client; `jobs`: job ids to process ids."""

    host: str
    pid: int
    jobs: dict[int, int]


def processes_here(jobs: Mapping[int, int]) -> Processes:
    """Return the processes of this machine, whose jobs this process runs."""
    return Processes(socket.gethostname(), os.getpid(), dict(jobs))
