"""What the coordinator wants done. Carry instructions out in order; those for one node over one connection.

None of them returns anything: what becomes of it comes back as an event. All but `StartJob` may be carried
out twice without harm, and are sent again to whatever a node still has when it joins.
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
    """What ended a network: one line, the user's traceback if it was his code, the job if it was one."""

    message: str
    traceback: str = ""
    job: int | None = None


@dataclass(frozen=True, slots=True)
class StartJob:
    """Ship what the job needs and start its process. Answer with JobNotStarted when that fails.

    `resume`: it had a predecessor and goes on at its restart point; `stored`: a state of one was kept. `epoch` is the one
    in which a job that numbers blocks by itself begins. `senders` has the newest incarnation of the sender of each pipe that
    comes in: the job listens to none before it.
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
    """Tell the job that the receiver of its output `pipe` listens at `address`."""

    node: str
    job: int
    incarnation: int
    pipe: int
    address: str


@dataclass(frozen=True, slots=True)
class ReceiverGone:
    """Tell the job that the receiver of its output `pipe` has finished and needs nothing more."""

    node: str
    job: int
    incarnation: int
    pipe: int


@dataclass(frozen=True, slots=True)
class SenderGone:
    """Tell the job that the sender of its asynchronous input `pipe` has finished: no END will come from it."""

    node: str
    job: int
    incarnation: int
    pipe: int


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """Tell the job to number its blocks from 1 in this epoch; it ignores an epoch that is not newer than its own."""

    node: str
    job: int
    incarnation: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Tell:
    """A line for people; `level` as in `logging`."""

    level: int
    text: str
    job: int | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the jobs go at the start, and why: for people."""

    placement: Placement


@dataclass(frozen=True, slots=True)
class EndNetwork:
    """The last instruction: nothing runs any more that can be reached. `exit_code` is that of the command."""

    outcome: Outcome
    exit_code: int
    failure: Failure | None = None


ToNode = StartJob | StopJob | SendRoute | ReceiverGone | SenderGone | BeginEpoch
Instruction = ToNode | Tell | Placed | EndNetwork
