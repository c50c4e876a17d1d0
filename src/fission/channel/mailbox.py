"""What an input that is never waited for holds between two looks of its job.

`take` is called once per round, `put` whenever a block arrives.

| waiting blocks | OPTIONAL_STORE | `take` gives                                     | afterwards              |
|----------------|----------------|--------------------------------------------------|-------------------------|
| some           | True           | the oldest of them                               | it is the stored one    |
| some           | False          | the oldest of them                               |                         |
| none           | True           | the stored one; None as long as there is none    | it stays the stored one |
| none           | False          | None                                             |                         |

None means: no block, the job gets OPTIONAL_DEFAULT.

| there is room | OPTIONAL_DELETE_MODE | `put`                                                        |
|---------------|----------------------|--------------------------------------------------------------|
| yes           | either               | keeps the block                                              |
| no            | oldest               | drops the oldest waiting blocks until there is room          |
| no            | newest               | drops the block that has just come: what waits stays         |

There is room for OPTIONAL_BUFFER_SIZE blocks, the stored one not among them. 0, any number, still means at most 65536
blocks and 64 MiB, so that no queue grows without end; one block, however large, has always room. What is dropped is
counted.
"""

from collections import deque
from collections.abc import Iterable

from fission.channel.wire.frames import Payload, frozen, payload_size
from fission.core.pipes import BasePipe, OptionalMixIn
from fission.errors import PipeError

__all__ = ["MOST_BLOCKS", "MOST_BYTES", "Mailbox"]

MOST_BLOCKS = 1 << 16
MOST_BYTES = 64 << 20
"""How much an unbounded mailbox holds."""


class Mailbox:
    """Blocks of one ASYNC input. One thread may `put` while another one takes.

    `size` is the number of blocks that may wait, 0 for the limits of this module; `delete` is "oldest" or
    "newest". See the tables above.
    """

    __slots__ = (
        "_came",
        "_delete_newest",
        "_most",
        "_most_bytes",
        "_store",
        "_stored",
        "_taken",
        "_waiting",
        "dropped",
    )

    def __init__(self, *, store: bool = True, size: int = 0, delete: str = "oldest") -> None:
        self._store = store
        self._stored: Payload | None = None
        self._delete_newest = delete == "newest"
        self._most = size or MOST_BLOCKS
        self._most_bytes = 0 if size else MOST_BYTES
        self._waiting: deque[Payload] = deque()
        # Bytes that wait are the difference: each of the two threads writes to one of the sums only.
        self._came = 0
        self._taken = 0
        self.dropped = 0
        """Blocks that were dropped because there was no room."""

    @classmethod
    def of(cls, pipe: BasePipe) -> "Mailbox":
        """Return the mailbox for an end of this pipe; one that is no OptionalMixIn gets its defaults.

        Raises PipeError for settings that mean nothing.
        """
        size = getattr(pipe, "OPTIONAL_BUFFER_SIZE", OptionalMixIn.OPTIONAL_BUFFER_SIZE)
        delete = getattr(pipe, "OPTIONAL_DELETE_MODE", OptionalMixIn.OPTIONAL_DELETE_MODE)
        if not isinstance(size, int) or size < 0:
            raise PipeError(
                "wrong OPTIONAL_BUFFER_SIZE",
                where=str(pipe),
                expected="a number of blocks, 0 for any number",
                found=repr(size),
            )
        if delete not in ("oldest", "newest"):
            raise PipeError(
                "wrong OPTIONAL_DELETE_MODE",
                where=str(pipe),
                expected="'oldest' or 'newest'",
                found=repr(delete),
            )
        store = getattr(pipe, "OPTIONAL_STORE", OptionalMixIn.OPTIONAL_STORE)
        return cls(store=bool(store), size=size, delete=delete)

    def __len__(self) -> int:
        """Return the number of blocks that wait."""
        return len(self._waiting)

    def put(self, payload: Payload) -> None:
        """Take in a block that has arrived."""
        waiting = self._waiting
        size = payload_size(payload)
        while waiting and self.crowded(len(waiting), self._came - self._taken, size):
            if self._delete_newest:
                self.dropped += 1
                return
            try:
                self._came -= payload_size(waiting.popleft())
            except IndexError:  # the other thread has just taken it
                break
            self.dropped += 1
        self._came += size
        waiting.append(payload)

    def take(self) -> Payload | None:
        """Return the block for this round, or None for the default.

        The same block may come again: its memory is never shared with what an earlier one was decoded to.
        """
        try:
            payload = self._waiting.popleft()
        except IndexError:
            return self._stored
        self._taken += payload_size(payload)
        if self._store:
            self._stored = frozen(payload)
        return payload

    @property
    def deletes_newest(self) -> bool:
        """Whether a block without room is dropped itself, and not the oldest that waits."""
        return self._delete_newest

    def crowded(self, count: int, waiting: int, size: int) -> bool:
        """Whether a block of `size` bytes has no room beside `count` blocks of `waiting` bytes in all."""
        return count >= self._most or 0 < self._most_bytes < waiting + size

    def contents(self) -> tuple[Payload | None, list[Payload]]:
        """Return the stored block, and those that wait. Must not run at the same time as `put` or `take`."""
        return self._stored, list(self._waiting)

    def fill(self, stored: Payload | None, waiting: Iterable[Payload]) -> None:
        """Replace the contents by those of a predecessor."""
        self._stored = stored if self._store else None
        self._waiting = deque(waiting)
        self._came, self._taken = sum(map(payload_size, self._waiting)), 0
