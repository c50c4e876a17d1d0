"""The messages between a supervisor and its job process, over a socket pair that only these two hold.

The supervisor sends `Start` first, then routes; the job process reports its progress. A message is a plain dataclass; on the
socket it is plain data (see `serialization.plain`) in MessagePack, behind its length in eight bytes. Both directions use this
codec, so that the supervisor, which runs in the node service, unpickles nothing that a process with user code has sent. The only
pickle is `JobSpec.job`, opaque bytes from the client's order, which only the job process opens.

Every message is bounded. The texts that user code determines (log records, messages and tracebacks of exceptions) are cut when
the message is made; a larger frame is refused by the reader.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fission.errors import RunError
from fission.serialization import msgpack_codec
from fission.serialization.limits import MESSAGE_LIMIT, TEXT_LIMIT, shorten
from fission.serialization.plain import read, write

_LENGTH = struct.Struct("<Q")

FROM_JOB_LIMIT = 1 << 20
"""Bytes of the largest message of a job process."""

TO_JOB_LIMIT = 1 << 30
"""Bytes of the largest message of a supervisor; a `Start` contains the whole pickled job."""

_MOST_LEVEL = 1000
_MOST_DIMENSIONS = 64


class Phase(StrEnum):
    """What a job process was doing when it failed."""

    LOADING = "loading"
    CONNECT = "connect"
    SETUP = "setup"
    RUN = "run"
    FINISH = "finish"
    TEARDOWN = "teardown"


LOG_EPOCH = 0
"""The epoch of a checkpoint that is no state, but the log of a job's optional inputs; its versions are counted as rounds."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """From the job process: its state after a round is in a file. The answer is `Stored`, once a copy exists elsewhere.

    With `epoch` `LOG_EPOCH` it is a version of the log of the job's optional inputs. `digest` is that of the state. `path` is ""
    where the state equals the previous one, whose file stays valid.
    """

    epoch: int
    round: int
    path: str
    digest: str
    size: int = 0
    needed_from: tuple[int, int] = (1, 0)
    """The job's restart point: of the states before it only the last may be needed, of those after it any."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """All that a job process needs before it can start.

    `job` is the pickled job with its pipes. `needed_blocks` has for each pipe the number of blocks that its sender must be able
    to keep, so that downstream jobs that collect many for one round can be served. `queue_limits` has for each live pipe the
    number of blocks that may wait (`MAX_QUEUE` of the receiving job), 0 for the default.
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
    """The job had a predecessor, and continues at its restart point."""
    stored: bool = False
    """A state of a predecessor was stored elsewhere."""
    epoch: int = 1
    """The epoch in which a job that numbers blocks by itself begins."""
    senders: dict[int, int] = field(default_factory=dict)
    """For each input the oldest incarnation of its sender that is accepted; without an entry, any is."""
    sources: dict[int, int] = field(default_factory=dict)
    """For each input the job that sends on it. Where it is known, only placements that the client has announced are accepted."""
    state_folder: str = ""
    """Where the job writes its checkpoints; "" when they are not kept."""
    checkpoints: "tuple[Checkpoint, ...]" = ()
    """The stored checkpoints of the predecessor."""
    progress_timeout: float = 0.0
    """Seconds after which a process without progress is ended; such a process reports several times within them. 0: never."""
    trial: str = ""
    """File for rounds that are repeated elsewhere (see `runtime.checkpointing.replay_check`); "" for none."""


@dataclass(frozen=True, slots=True)
class Start:
    """To the job process: the first message."""

    spec: JobSpec


@dataclass(frozen=True, slots=True)
class Route:
    """To the job process: the receiver of output pipe `pipe` listens at `address`."""

    pipe: int
    address: str


@dataclass(frozen=True, slots=True)
class ReceiverGone:
    """To the job process: the receiver of output pipe `pipe` has finished and needs no more blocks."""

    pipe: int


@dataclass(frozen=True, slots=True)
class SenderGone:
    """To the job process: the sender of asynchronous input `pipe` has finished; no END will come."""

    pipe: int


@dataclass(frozen=True, slots=True)
class Placed:
    """To the job process: the newest incarnation of jobs, and the node of each; it accepts no others as its senders."""

    jobs: dict[int, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """To the job process: number the blocks from 1 in this epoch, unless it has already begun."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Stored:
    """To the job process: a copy of its state after this round is stored elsewhere."""

    epoch: int
    round: int


@dataclass(frozen=True, slots=True)
class Tap:
    """To the job process: describe blocks of output `pipe` with `TapBlock`, until `seconds` after the last such message.

    At most `rate` blocks and `size_rate` bytes of messages per second are sent. A text has at most `text` characters.
    With `raw` the bytes of blocks up to `RAW_LIMIT` come as well.
    """

    pipe: int
    rate: float
    size_rate: float
    text: int
    raw: bool
    seconds: float


RAW_LIMIT = 1 << 16
"""Bytes of the largest block that a `TapBlock` contains."""

TAP_TEXT = 1 << 14
"""Most characters of the text of a `TapBlock`."""

MOST_TAP_RATE = 1000.0
"""Most blocks per second of a tap."""


@dataclass(frozen=True, slots=True)
class ArraySummary:
    """Describes an array. The statistics are None for elements that are no numbers; complex numbers count by magnitude."""

    dtype: str
    shape: tuple[int, ...]
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    rms: float | None = None
    sampled: bool = False
    """The statistics are those of evenly spaced elements, because there are very many."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", shorten(self.dtype, MESSAGE_LIMIT))
        object.__setattr__(self, "shape", self.shape[:_MOST_DIMENSIONS])


@dataclass(frozen=True, slots=True)
class TapBlock:
    """Describes one block that was sent on an output, for a watcher. It may be dropped anywhere on its way.

    `text` is the value, cut to the length that the tap allows: JSON if `is_json`, else its repr; "" for an array. `payload`
    has the bytes of the block, "" where they are not wanted or too many.
    """

    pipe: int
    epoch: int
    number: int
    size: int
    time: float
    text: str
    is_json: bool = False
    array: ArraySummary | None = None
    payload: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", shorten(self.text, TAP_TEXT))
        object.__setattr__(self, "payload", self.payload if len(self.payload) <= RAW_LIMIT else b"")


@dataclass(frozen=True, slots=True)
class Listening:
    """The job process accepts connections at `address`."""

    address: str


@dataclass(frozen=True, slots=True)
class Ready:
    """`setup()` has returned; the rounds begin after `round`, which is not 0 after a restart."""

    round: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """A report, about twice a second while counters change: rounds of this epoch, and counters by the id of each pipe."""

    rounds: int
    cpu_seconds: float
    pipes: dict[int, dict[str, float]]
    epoch: int = 1
    gave_nothing: bool = False
    """The first round of the job returned None although it has outputs."""
    silent: dict[int, float] = field(default_factory=dict)
    """Pipes whose other machine does not answer, with the seconds for which that is known."""
    computing: bool | None = None
    """Whether a round is being computed; not while the job waits for blocks or for room. None: before and after all rounds."""
    place: str = ""
    """Where the code of the job is, as the lines of a traceback, if one round takes long. A long text is cut."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", shorten(self.place, MESSAGE_LIMIT))


@dataclass(frozen=True, slots=True)
class Log:
    """A record for the log, with a level of the `logging` module. A long text is cut."""

    level: int
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", min(max(self.level, 0), _MOST_LEVEL))
        object.__setattr__(self, "text", shorten(self.text))


@dataclass(frozen=True, slots=True)
class Finished:
    """The job's stream has ended, and the downstream jobs have processed everything it sent."""

    rounds: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The job cannot continue. `user`: its own code raised; then `traceback` shows the user's frames. Long texts are cut."""

    round: int
    where: Phase
    message: str
    traceback: str
    user: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shorten(self.message, MESSAGE_LIMIT))
        object.__setattr__(self, "traceback", shorten(self.traceback, TEXT_LIMIT))


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The job process itself received SIGINT."""


ToJob = Start | Route | ReceiverGone | SenderGone | Placed | BeginEpoch | Stored | Tap
FromJob = Listening | Ready | Status | Log | Checkpoint | Finished | Failed | Interrupted | TapBlock


def encode(message: ToJob | FromJob) -> bytes:
    """The bytes of one message, to be written to the control socket as they are."""
    body = msgpack_codec.encode(write(ToJob | FromJob, message))
    return _LENGTH.pack(len(body)) + body


class MessageReader:
    """Cuts the byte stream of a control socket into messages of `kind`, each of at most `limit` bytes.

    Call `feed` with every piece that has arrived. After a RunError the stream is of no use.
    """

    def __init__(self, kind: Any, limit: int) -> None:
        self._kind = kind
        self._limit = limit
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield every message that is complete now. Raises RunError for data that is no such message."""
        self._data += data
        while len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            if length > self._limit:
                raise RunError(
                    "a control message is too large",
                    expected=f"at most {self._limit} bytes",
                    found=f"{length} bytes",
                )
            end = _LENGTH.size + length
            if len(self._data) < end:
                return
            body = bytes(self._data[_LENGTH.size : end])
            del self._data[:end]
            yield read(self._kind, "control message", msgpack_codec.decode(body))


def from_job() -> MessageReader:
    """A reader for what a job process sends."""
    return MessageReader(FromJob, FROM_JOB_LIMIT)


def to_job() -> MessageReader:
    """A reader for what a supervisor sends."""
    return MessageReader(ToJob, TO_JOB_LIMIT)
