"""Messages between client and nodes as plain data, and back. No other types can be read.

What comes from the other side is read by the `..._from_plain` functions, which raise WireError, one line, for
everything that is not what it should be. The conversion follows the annotations of the classes (`serialization.plain`).
"""

from fission.cluster import (
    InventoryEntry,
    JobExited,
    JobFailed,
    JobFinished,
    JobListening,
    JobNotStarted,
    JobProgress,
    JobReady,
    JobStored,
    NodeDraining,
    NodeReport,
    PipesSilent,
)
from fission.core.nodes import NodeInfo
from fission.engine.protocol.interfaces import JobOrder, JobSaid, Plain, Replicas
from fission.engine.protocol.processes import Processes
from fission.runtime.messages import BeginEpoch, ReceiverGone, Route, SenderGone, Stored, Tap
from fission.serialization.plain import WireError, read, write

__all__ = [
    "JobControlMessage",
    "NodeFact",
    "WireError",
    "event_from_plain",
    "event_to_plain",
    "info_from_plain",
    "info_to_plain",
    "message_from_plain",
    "message_to_plain",
    "order_from_plain",
    "order_to_plain",
    "processes_from_plain",
    "processes_to_plain",
    "replicas_from_plain",
    "replicas_to_plain",
    "resident_from_plain",
    "resident_to_plain",
]

NodeFact = (
    JobNotStarted
    | JobListening
    | JobReady
    | JobProgress
    | JobStored
    | PipesSilent
    | JobFinished
    | JobFailed
    | JobExited
    | NodeReport
    | NodeDraining
    | JobSaid
)
"""Events that a node sends to its client. The client itself detects joins and losses."""

JobControlMessage = Route | ReceiverGone | SenderGone | BeginEpoch | Stored | Tap
"""Messages to a running job."""


def event_to_plain(event: NodeFact) -> Plain:
    """An event of a node, ready to be posted."""
    return write(NodeFact, event)


def event_from_plain(data: Plain) -> NodeFact:
    """An event of a node, as it was posted."""
    return read(NodeFact, "event of a node", data)  # type: ignore[no-any-return] # its converter makes no others


def order_to_plain(order: JobOrder) -> Plain:
    """The order to start an incarnation."""
    return write(JobOrder, order)


def order_from_plain(data: Plain) -> JobOrder:
    """The order to start an incarnation, as a node gets it."""
    return read(JobOrder, "order of a job", data)  # type: ignore[no-any-return]


def replicas_to_plain(replicas: Replicas) -> Plain:
    """The machines that store checkpoints, and the placement of the jobs."""
    return write(Replicas, replicas)


def replicas_from_plain(data: Plain) -> Replicas:
    """The machines that store checkpoints, and the placement of the jobs, as a node gets them."""
    return read(Replicas, "list of replicas", data)  # type: ignore[no-any-return]


def message_to_plain(message: JobControlMessage) -> Plain:
    """A message to a running job."""
    return write(JobControlMessage, message)


def message_from_plain(data: Plain) -> JobControlMessage:
    """A message to a running job, as a node gets it."""
    return read(JobControlMessage, "message to a job", data)  # type: ignore[no-any-return]


def resident_to_plain(resident: InventoryEntry) -> Plain:
    """A line of an inventory."""
    return write(InventoryEntry, resident)


def resident_from_plain(data: Plain) -> InventoryEntry:
    """A line of an inventory, as a client gets it."""
    return read(InventoryEntry, "line of an inventory", data)  # type: ignore[no-any-return]


def info_to_plain(info: NodeInfo) -> Plain:
    """How a node is doing."""
    return write(NodeInfo, info)


def info_from_plain(data: Plain) -> NodeInfo:
    """How a node is doing, as a client gets it."""
    return read(NodeInfo, "load of a node", data)  # type: ignore[no-any-return]


def processes_to_plain(processes: Processes) -> Plain:
    """The processes of a machine."""
    return write(Processes, processes)


def processes_from_plain(data: Plain) -> Processes:
    """The processes of a machine, as a client gets them."""
    return read(Processes, "list of processes", data)  # type: ignore[no-any-return]
