"""The instructions of the coordinator. Carry them out in order; those for one node over one connection.

An instruction returns nothing: its effect comes back as an event. All but `StartJob` are idempotent, and are sent again to
the processes that a node still has when it joins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fission.placement import Placement


class Outcome(StrEnum):
    """Why a network ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """What ended a network: one line, the traceback if user code raised, the job if it was one."""

    message: str
    traceback: str = ""
    job: int | None = None


@dataclass(frozen=True, slots=True)
class StartJob:
    """Ship the files of the job and start its process. Answer with JobNotStarted when that fails.

    `resume`: the job had a predecessor and continues at its restart point; `stored`: a checkpoint of a predecessor exists.
    `epoch` is the one in which a job that numbers blocks by itself begins. `senders` maps each incoming pipe to the newest
    incarnation of its sender: the job accepts no older one.
    """

    node: str
    job: int
    incarnation: int
    resume: bool
    epoch: int
    stored: bool = False
    senders: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StopJob:
    """End the process of this incarnation (of another `run` perhaps), at once if `force`.

    Answer with JobExited even if there is no such process.
    """

    node: str
    job: int
    incarnation: int
    run: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class SendRoute:
    """Send the job the address at which the receiver of its output `pipe` listens."""

    node: str
    job: int
    incarnation: int
    pipe: int
    address: str


@dataclass(frozen=True, slots=True)
class ReceiverGone:
    """Inform the job that the receiver of its output `pipe` has finished and needs nothing more."""

    node: str
    job: int
    incarnation: int
    pipe: int


@dataclass(frozen=True, slots=True)
class SenderGone:
    """Inform the job that the sender of its asynchronous input `pipe` has finished: no END will come from it."""

    node: str
    job: int
    incarnation: int
    pipe: int


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """Make the job number its blocks from 1 in this epoch; it ignores an epoch that is not newer than its own."""

    node: str
    job: int
    incarnation: int
    epoch: int


@dataclass(frozen=True, slots=True)
class ReloadFailed:
    """The new code of a job has failed before its first round: its next start, which follows, needs the old code again."""

    job: int
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A line for people; `level` as in `logging` (see `fission.core.levels`)."""

    level: int
    text: str
    job: int | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class RequestAccepted:
    """A step that an operator request leads to, in one line. A request may have several answers of both kinds."""

    request: int
    text: str
    job: int | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """Why an operator request, or a part of it, is not carried out, in one line."""

    request: int
    text: str
    job: int | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """The placement at the start, with the reasons: for people."""

    placement: Placement


@dataclass(frozen=True, slots=True)
class EndNetwork:
    """The last instruction: no reachable process is left. `exit_code` is that of the command."""

    outcome: Outcome
    exit_code: int
    failure: Failure | None = None


ToNode = StartJob | StopJob | SendRoute | ReceiverGone | SenderGone | BeginEpoch
Answer = RequestAccepted | RequestRefused
Instruction = ToNode | Answer | Notice | Placed | ReloadFailed | EndNetwork
