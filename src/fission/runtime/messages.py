"""What a supervisor and its job process say to each other, over a socket pair that only the two hold.

The supervisor speaks first (`Start`), then spreads routes; the job process answers with what it sees. A
message is a plain dataclass; on the socket it is a pickle behind its length in eight bytes.
"""

import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_LENGTH = struct.Struct("<Q")
_ENOUGH = 1 << 30


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """From the job process: its state after a round lies in a file. Answer with `Stored` when a copy is elsewhere.

    `digest` is that of the state: equal ones are the same state, `path` is "" then and the last one counts.
    """

    epoch: int
    round: int
    path: str
    digest: str
    size: int = 0
    needed_from: tuple[int, int] = (1, 0)
    """The job's restart point: of earlier states only the last one may be needed; of later ones nobody knows yet which."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """All that a job process needs to know before it can start.

    `job` is the pickled job with its pipes. `needed_blocks` says for each pipe how many blocks
    its sender must be able to keep, so that jobs downstream that collect many for one round can be served. `queue_limits` says
    how many blocks of a live pipe may wait (`MAX_QUEUE` of the receiving job), 0 for the default.
    """

    run: str
    job_id: int
    name: str
    incarnation: int
    folder: str
    sys_path: tuple[str, ...]
    listen: str
    head_size: int
    log_level: str
    needed_blocks: dict[int, int]
    queue_limits: dict[int, int]
    job: bytes = field(repr=False)
    machine: str = ""
    """Address of the machine; a receiver on the same one is reached by a Unix socket."""
    identity: str = ""
    """Folder with this machine's certificate for data connections; "" for clear text."""
    resume: bool = False
    """The job had a predecessor, and goes on at its restart point."""
    stored: bool = False
    """A state of a predecessor was kept elsewhere."""
    epoch: int = 1
    """The epoch in which a job that numbers blocks by itself begins."""
    senders: dict[int, int] = field(default_factory=dict)
    """For each input the oldest incarnation of its sender that is listened to; none for any."""
    state_folder: str = ""
    """Where the job writes its checkpoints; "" when nobody keeps them."""
    checkpoints: "tuple[Checkpoint, ...]" = ()
    """What is kept of the predecessor's state."""
    trial: str = ""
    """File for rounds that are to be repeated elsewhere (see `runtime.trial`); "" for none."""


@dataclass(frozen=True, slots=True)
class Start:
    """To the job process, first of all."""

    spec: JobSpec


@dataclass(frozen=True, slots=True)
class Route:
    """To the job process: the receiver of output pipe `pipe` listens at `address`."""

    pipe: int
    address: str


@dataclass(frozen=True, slots=True)
class ReceiverGone:
    """To the job process: the receiver of output pipe `pipe` has finished and needs nothing more."""

    pipe: int


@dataclass(frozen=True, slots=True)
class SenderGone:
    """To the job process: the sender of asynchronous input `pipe` has finished; no END will come."""

    pipe: int


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """To the job process: number the blocks from 1 in this epoch, unless it has begun already."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Stored:
    """To the job process: a copy of its state after this round is safe elsewhere."""

    epoch: int
    round: int


@dataclass(frozen=True, slots=True)
class Listening:
    """The job process accepts connections at `address`."""

    address: str


@dataclass(frozen=True, slots=True)
class Ready:
    """`setup()` is done; rounds begin after this one, which is not 0 after a restart."""

    round: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """A report, about twice a second while something moves: rounds of this epoch; `pipes`: counters by the id of each pipe."""

    rounds: int
    cpu_seconds: float
    pipes: dict[int, dict[str, float]]
    epoch: int = 1
    gave_nothing: bool = False
    """The first round of the job returned None although it has outputs."""


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the log, with a level of the `logging` module."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The job's stream has ended and everything it sent has been worked off downstream."""

    rounds: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The job cannot go on. `user` says that its own code raised: then `traceback` shows the user's frames."""

    round: int
    where: str
    message: str
    traceback: str
    user: bool


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Somebody pressed Ctrl+C on, or sent SIGINT to, the job process itself."""


ToJob = Start | Route | ReceiverGone | SenderGone | BeginEpoch | Stored
FromJob = Listening | Ready | Status | Log | Checkpoint | Finished | Failed | Interrupted


def encode(message: ToJob | FromJob) -> bytes:
    """The bytes of one message, to be written to the control socket as they are."""
    body = pickle.dumps(message, protocol=5)
    return _LENGTH.pack(len(body)) + body


class MessageReader:
    """Cuts the byte stream of a control socket into messages: call `feed` with whatever has arrived."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield every message that is complete now."""
        self._data += data
        while len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            if length > _ENOUGH:
                raise ValueError(f"a control message of {length} bytes")
            end = _LENGTH.size + length
            if len(self._data) < end:
                return
            body = bytes(self._data[_LENGTH.size : end])
            del self._data[:end]
            yield pickle.loads(body)
