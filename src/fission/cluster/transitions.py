"""The states of jobs, nodes and the network, and how a job moves between them: tables.

```
             PLACE          LISTEN          READY           FINISH
  WAITING ----------> PLACED -----> STARTING -----> RUNNING -------> FINISHED
     ^  ^                |             |              |  |
     |  +---- LOSE ------+-------------+--------------+  | FAIL
     |  (node lost)      | CRASH       | CRASH        |  v
     |                   v             v        CRASH | FAILED (reported; its process has not ended yet)
     +--- NO_NODE --- BACKING_OFF <----+--------------+--+ CRASH or LOSE
                         | PLACE: again                       STOP: -> STOPPING -> STOPPED
                                                              MOVE: -> MOVING -> WAITING
```
"""

from dataclasses import dataclass
from enum import IntEnum, auto


class JobState(IntEnum):
    """The state of a job, as far as the client knows."""

    WAITING = auto()  # until a node takes it
    PLACED = auto()  # StartJob was sent, the process does not listen yet
    STARTING = auto()  # listens; setup() runs
    RUNNING = auto()
    BACKING_OFF = auto()  # crashed; starts again after a delay, on its node if that is up
    FAILED = auto()  # has reported that it cannot go on; its process has not ended yet
    FINISHED = auto()  # its stream is processed; it is never started again
    STOPPING = auto()
    STOPPED = auto()
    MOVING = auto()  # is being stopped, to continue elsewhere


class JobMove(IntEnum):
    """The inputs of the state machine of a job."""

    PLACE = auto()
    NO_NODE = auto()
    LISTEN = auto()
    READY = auto()
    FAIL = auto()  # it reports that it cannot go on
    CRASH = auto()  # its process has ended
    LOSE = auto()  # its node is lost, or no longer has it
    FINISH = auto()
    STOP = auto()
    MOVE = auto()  # it continues elsewhere


_S, _M = JobState, JobMove

JOB_TABLE: dict[tuple[JobState, JobMove], JobState] = {
    (_S.WAITING, _M.PLACE): _S.PLACED,
    (_S.WAITING, _M.LISTEN): _S.STARTING,  # adopted: its node came back with it
    (_S.WAITING, _M.READY): _S.RUNNING,  # adopted
    (_S.WAITING, _M.FINISH): _S.FINISHED,
    (_S.WAITING, _M.STOP): _S.STOPPED,
    (_S.PLACED, _M.LISTEN): _S.STARTING,
    (_S.PLACED, _M.READY): _S.RUNNING,
    (_S.PLACED, _M.FAIL): _S.FAILED,
    (_S.PLACED, _M.CRASH): _S.BACKING_OFF,
    (_S.PLACED, _M.LOSE): _S.WAITING,
    (_S.PLACED, _M.FINISH): _S.FINISHED,
    (_S.PLACED, _M.STOP): _S.STOPPING,
    (_S.STARTING, _M.LISTEN): _S.STARTING,
    (_S.STARTING, _M.READY): _S.RUNNING,
    (_S.STARTING, _M.FAIL): _S.FAILED,
    (_S.STARTING, _M.CRASH): _S.BACKING_OFF,
    (_S.STARTING, _M.LOSE): _S.WAITING,
    (_S.STARTING, _M.FINISH): _S.FINISHED,
    (_S.STARTING, _M.STOP): _S.STOPPING,
    (_S.RUNNING, _M.LISTEN): _S.RUNNING,
    (_S.RUNNING, _M.READY): _S.RUNNING,
    (_S.RUNNING, _M.FAIL): _S.FAILED,
    (_S.RUNNING, _M.CRASH): _S.BACKING_OFF,
    (_S.RUNNING, _M.LOSE): _S.WAITING,
    (_S.RUNNING, _M.FINISH): _S.FINISHED,
    (_S.RUNNING, _M.STOP): _S.STOPPING,
    (_S.BACKING_OFF, _M.PLACE): _S.PLACED,
    (_S.BACKING_OFF, _M.NO_NODE): _S.WAITING,
    (_S.BACKING_OFF, _M.LOSE): _S.BACKING_OFF,
    (_S.BACKING_OFF, _M.FINISH): _S.FINISHED,
    (_S.BACKING_OFF, _M.STOP): _S.STOPPED,
    (_S.FAILED, _M.CRASH): _S.BACKING_OFF,
    (_S.FAILED, _M.LOSE): _S.BACKING_OFF,
    (_S.FAILED, _M.FINISH): _S.FINISHED,
    (_S.FAILED, _M.STOP): _S.STOPPING,
    (_S.FINISHED, _M.CRASH): _S.FINISHED,
    (_S.FINISHED, _M.LOSE): _S.FINISHED,
    (_S.FINISHED, _M.STOP): _S.FINISHED,
    (_S.STOPPING, _M.LISTEN): _S.STOPPING,
    (_S.STOPPING, _M.READY): _S.STOPPING,
    (_S.STOPPING, _M.FAIL): _S.STOPPING,
    (_S.STOPPING, _M.FINISH): _S.FINISHED,
    (_S.STOPPING, _M.CRASH): _S.STOPPED,
    (_S.STOPPING, _M.LOSE): _S.STOPPED,
    (_S.STOPPING, _M.STOP): _S.STOPPING,
    (_S.STOPPED, _M.STOP): _S.STOPPED,
    (_S.PLACED, _M.MOVE): _S.MOVING,
    (_S.STARTING, _M.MOVE): _S.MOVING,
    (_S.RUNNING, _M.MOVE): _S.MOVING,
    (_S.MOVING, _M.MOVE): _S.MOVING,
    (_S.MOVING, _M.LISTEN): _S.MOVING,
    (_S.MOVING, _M.READY): _S.MOVING,
    (_S.MOVING, _M.FAIL): _S.MOVING,
    (_S.MOVING, _M.FINISH): _S.FINISHED,
    (_S.MOVING, _M.CRASH): _S.WAITING,
    (_S.MOVING, _M.LOSE): _S.WAITING,
    (_S.MOVING, _M.STOP): _S.STOPPING,
}

ALIVE = frozenset({_S.PLACED, _S.STARTING, _S.RUNNING})
"""A process should exist and work."""


class NodeStatus(IntEnum):
    """The state of a node; only one that is UP gets jobs."""

    UP = auto()
    FENCED = auto()  # back with jobs that run elsewhere by now; until those have ended
    DRAINING = auto()
    AWAITED = auto()  # known from before the client was restarted, has not joined again yet
    LOST = auto()
    REFUSED = auto()


REACHABLE = frozenset({NodeStatus.UP, NodeStatus.FENCED, NodeStatus.DRAINING})
"""Instructions go to these nodes only."""


class Phase(IntEnum):
    """The phase of the network."""

    GATHERING = auto()  # nodes join; the start was not requested yet
    STARTING = auto()  # to be placed as soon as no node is FENCED
    RUNNING = auto()
    ENDING = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers behind the rules; times in seconds."""

    max_restarts: int = 3
    """At the same round, before the network ends."""
    back_off: tuple[float, ...] = (0.0, 0.1, 0.5, 2.0)
    """Before the first, second, ... restart at the same round; the last one from then on."""
    allocation_timeout: float | None = None
    """How long a job may wait for a node; None: for ever."""
    link_timeout: float | None = 5.0
    """How long two nodes may not reach each other before a job moves; longer than a silent node is detected. None: for ever."""
    return_grace: float = 5.0
    """How long after a restart of the client nodes may take to join again."""
    fence_grace: float = 3.0
    """How long a start waits for nodes that still run jobs of an earlier run."""
    exit_grace: float = 2.0
    """How long a process may take to end before it is ended by force."""
    force_grace: float = 0.5
    """How long the network waits for processes that were ended by force."""
    surplus_grace: float = 10.0
    """How long a restarted job may take to say that it has finished when its sender says that it must have."""
