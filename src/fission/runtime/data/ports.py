"""The ends of a job's pipes in its process: protocol state, codec, connection."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from fission.channel.join import InputRule
from fission.channel.mailbox import Mailbox
from fission.channel.receiver import Receiver
from fission.channel.sender import Sender
from fission.channel.wire.codec import codec_for
from fission.channel.wire.frames import Payload
from fission.core.pipes import BasePipe
from fission.runtime.sockets.connection import Connection
from fission.runtime.sockets.endpoints import Endpoint

if TYPE_CHECKING:
    from fission.runtime.data.tap import PipeTap

QUEUE_BLOCKS = 4096
QUEUE_BYTES = 4 << 20
"""Reading from an input pauses when this much is queued for its rounds."""


class OutPort:
    """The sending end of one pipe.

    The job's thread appends encoded blocks to `pending`; the holder of the exchange's lock passes them to the
    sender. All pending blocks have the same `head`.
    """

    def __init__(self, pipe: BasePipe, sender: Sender) -> None:
        self.pipe = pipe
        self.sender = sender
        self.encode: Callable[[object], Payload] = codec_for(pipe).encode
        self.pending: deque[Payload] = deque()
        self.head = 0
        self.tap: PipeTap | None = None
        """Copies blocks for a watcher; None while nobody looks."""
        self.endpoint: Endpoint | None = None
        self.connection: Connection | None = None
        self.stands_by: float | None = None
        """The deadline for establishing the connection; None when it is established."""
        self.complaint = ""
        """The last logged reason of a failed connection."""
        self.retry_at = 0.0
        self.retries = 0
        self.heard = 0.0
        """When the receiver's machine last answered, or was named."""
        self.silent = 0.0
        """Seconds for which it has not answered, when that was last looked at; 0 as long as it answers."""


class InPort:
    """The receiving end of one pipe: into a join when it is synchronous, into a mailbox when it is not."""

    def __init__(
        self,
        pipe: BasePipe,
        receiver: Receiver,
        *,
        index: int,
        mailbox: Mailbox | None,
        max_queue: int,
        logged: bool = False,
    ) -> None:
        self.pipe = pipe
        self.receiver = receiver
        self.decode: Callable[[Payload], object] = codec_for(pipe).decode
        self.index = index
        self.mailbox = mailbox
        self.logged = logged
        """What rounds take from the mailbox is repeated after a restart."""
        self.connection: Connection | None = None
        self.paused = False
        self.ended = False
        self.local = True
        """The sender is on the same machine."""
        self.lag = 0.0
        """Our monotonic time when the last batch arrived, minus the sender's when it sent it."""
        self.lag_of = 0
        """The incarnation of the sender that has sent it; 0 before the first batch of a connection."""
        self.lost_at: float | None = None
        """When the connection was lost because the sender's machine does not answer; None once there is another one."""
        rounds = max_queue * pipe.BLOCK_COUNT if max_queue else QUEUE_BLOCKS
        self.queue_blocks = max(rounds, 2 * pipe.BLOCK_COUNT)

    def crowded(self, blocks: int, size: int) -> bool:
        """Whether this many queued blocks and bytes are enough for now; a full round is always accepted."""
        if blocks < self.pipe.BLOCK_COUNT:
            return False
        return blocks >= self.queue_blocks or size >= QUEUE_BYTES


def input_rule(pipe: BasePipe) -> InputRule:
    """How the join treats the blocks of a pipe, and what stands in for a missing one (spec 6)."""
    encode = codec_for(pipe).encode
    get_dummy = getattr(pipe, "get_dummy", None)
    dummy = None if get_dummy is None else _encoded(lambda: encode(get_dummy()))
    fixed = pipe.BLOCK_SIZE if isinstance(pipe.BLOCK_SIZE, int) and pipe.BLOCK_SIZE > 0 else 0
    if fixed and (dummy is None or _size(dummy) != fixed):
        dummy = bytes(fixed)
    return InputRule(
        block_count=pipe.BLOCK_COUNT,
        delivery=pipe.DELIVERY,
        deadline=pipe.DEADLINE,
        dummy=dummy,
        initial=_encoded(lambda: encode(None)) or b"",  # None where the pipe can carry it
    )


def _encoded(make: Callable[[], Payload]) -> Payload | None:
    """A block that may not fit the pipe: None then, and the next choice stands in (spec 6)."""
    try:
        return make()
    except Exception:  # noqa: BLE001 - the user's own pack may raise anything
        return None


def _size(payload: Payload) -> int:
    if isinstance(payload, tuple):
        return sum(memoryview(part).nbytes for part in payload)
    return memoryview(payload).nbytes
