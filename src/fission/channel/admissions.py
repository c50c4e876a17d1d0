"""Decides after which round a block of an optional input becomes available, and repeats these decisions after a restart.

Terms: a block *arrives*, is *admitted* to its mailbox between two rounds, and is *taken* by a round. What a round takes follows
from the admissions alone (`mailbox`), so only these are logged.

Rules
-----
1. A block is admitted after a complete round. The log has an entry for it: that round, the pipe, the number and the block itself.
2. A version of the log is stored elsewhere before anything that was computed after its admissions leaves the process. No block is
   admitted while a version is outstanding.
3. A checkpoint contains the mailboxes. A restarted job has the mailboxes of its restart point, and admits the logged blocks that
   these do not contain, each after its round.
4. It admits new blocks only after the last round whose results are known downstream (`fresh`).
5. A block is acknowledged to its sender once the log that contains it is stored. An entry is needed as long as the job may
   restart at or before its round.
6. A block of more than `LARGEST_LOGGED` bytes is not logged: its admission is not repeated.

`capture` and `log` return plain data, of which `restore` makes the state again.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fission.channel.mailbox import Mailbox
from fission.channel.ranges import Position
from fission.channel.wire.frames import Batch, Payload, frozen, payload_size

__all__ = ["LARGEST_LOGGED", "LOG_BYTES", "Admissions"]

LARGEST_LOGGED = 256 << 10
"""Bytes of the largest block that is logged."""
LOG_BYTES = 1 << 20
"""Bytes of logged blocks; beyond it no block is admitted until the restart point advances."""
_ENTRY_BYTES = 64
"""What an entry costs beside its block."""


@dataclass(frozen=True, slots=True)
class _Admission:
    after: Position
    """The last complete round at that time."""
    pipe: int
    block: Position
    payload: Payload


class _Inbox:
    """Blocks that have arrived and are not admitted yet; bounded like the mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.blocks: deque[tuple[Position, Payload]] = deque()
        self.size = 0
        self.dropped = 0
        self.admitted: Position = (0, 0)
        """The newest block that was admitted."""

    def put(self, position: Position, payload: Payload) -> None:
        size = payload_size(payload)
        while self.blocks and self.mailbox.crowded(len(self.blocks), self.size, size):
            self.dropped += 1
            if self.mailbox.deletes_newest:
                return
            self.size -= payload_size(self.blocks.popleft()[1])
        self.blocks.append((position, payload))
        self.size += size

    def drain(self) -> Iterator[tuple[Position, Payload]]:
        while self.blocks:
            position, payload = self.blocks.popleft()
            self.size -= payload_size(payload)
            yield position, payload


class Admissions:
    """Give `arrive` what the receivers deliver; call `admit` between two rounds, and let these use the mailboxes.

    When `admit` returns True, store `log()` elsewhere as this `version` and report it to `stored`; until then nothing that is
    computed may leave. `durable` has for each pipe what can be acknowledged. A successor calls `restore` before the first
    round, and computes at most `limit` rounds before it calls `admit` again.
    """

    def __init__(self, mailboxes: Mapping[int, Mailbox]) -> None:
        self._inboxes = {pipe: _Inbox(mailbox) for pipe, mailbox in mailboxes.items()}
        self._entries: deque[_Admission] = deque()
        self._size = 0
        self._since: Position = (0, 0)
        self._repeated: deque[_Admission] = deque()
        self._contained: dict[int, Position] = {}
        self.durable: dict[int, Position] = {}
        """For each pipe the block up to which all are stored elsewhere."""
        self.active = False
        """Whether `admit` has something to do."""
        self.version = 0
        self.outstanding = False
        """Whether this version is not stored yet."""
        self.unlogged = 0
        """Blocks that were too large to be logged."""

    # -- between the rounds ------------------------------------------------------------------------------

    def arrive(self, pipe: int, batch: Batch) -> None:
        """Take in blocks that have arrived."""
        inbox = self._inboxes[pipe]
        for number, block in enumerate(batch.blocks, batch.first):
            inbox.put((batch.epoch, number), block)
        self.active = True

    def admit(self, progress: Position, *, fresh: bool = True) -> bool:
        """Admit what is due after this round; return whether a new version of the log must be stored.

        With `fresh` False only logged admissions are repeated.
        """
        while self._repeated and self._repeated[0].after <= progress:
            self._put(self._repeated.popleft())
        if not fresh or self._repeated or self.outstanding or self._size > LOG_BYTES:
            return False
        self.active = False
        logged = False
        for pipe, inbox in self._inboxes.items():
            for block, payload in inbox.drain():
                admission = _Admission(progress, pipe, block, frozen(payload))
                self._put(admission)
                if payload_size(payload) > LARGEST_LOGGED:
                    self.unlogged += 1
                    continue
                logged = True
                self._log(admission)
        self._contained = {pipe: inbox.admitted for pipe, inbox in self._inboxes.items()}
        if logged:
            self.version += 1
            self.outstanding = True
        else:
            self.durable = self._contained
        return logged

    def limit(self, progress: Position, most: int) -> int:
        """Return how many rounds may be computed, at most `most`, before a logged admission is due."""
        if not self._repeated:
            return most
        epoch, number = self._repeated[0].after
        return max(1, min(most, number - progress[1])) if epoch == progress[0] else most

    @property
    def repeating(self) -> bool:
        """Whether logged admissions of a predecessor are still to be repeated."""
        return bool(self._repeated)

    @property
    def arrived(self) -> bool:
        """Whether blocks are not admitted yet."""
        return bool(self._repeated) or any(inbox.blocks for inbox in self._inboxes.values())

    def waiting(self, pipe: int) -> int:
        """Return how many blocks have arrived at an input and are not admitted."""
        return len(self._inboxes[pipe].blocks)

    def dropped(self, pipe: int) -> int:
        """Return how many blocks were dropped before they were admitted."""
        return self._inboxes[pipe].dropped

    # -- the log -----------------------------------------------------------------------------------------

    def stored(self, version: int) -> bool:
        """Record that this version of the log is stored elsewhere; return whether it is the newest."""
        if version != self.version:
            return False
        self.outstanding = False
        self.durable = self._contained
        return True

    def give_up(self) -> None:
        """Go on although the outstanding version could not be stored."""
        self.outstanding = False

    def trim(self, restart: Position) -> None:
        """Drop the entries that are not needed by a job that restarts here, or later."""
        self._since = max(self._since, restart)
        while self._entries and self._entries[0].after < restart:
            self._size -= _cost(self._entries.popleft())

    def log(self) -> list[Any]:
        """Return the log as plain data: since when it is complete, and the entries."""
        entries = [[*one.after, one.pipe, *one.block, _plain(one.payload)] for one in self._entries]
        return [list(self._since), entries]

    # -- checkpoints -------------------------------------------------------------------------------------

    def capture(self) -> list[Any]:
        """Return the mailboxes as plain data, and what they contain."""
        found = []
        for pipe, inbox in self._inboxes.items():
            stored, waiting = inbox.mailbox.contents()
            kept = None if stored is None else _plain(stored)
            found.append([pipe, list(inbox.admitted), kept, [_plain(one) for one in waiting]])
        return found

    def restore(self, mailboxes: Sequence[Any] | None, log: Sequence[Any] | None, version: int) -> Position:
        """Begin with captured mailboxes and the predecessor's log, of this version; return since when that log is complete."""
        for pipe, admitted, stored, waiting in mailboxes or ():
            inbox = self._inboxes.get(pipe)
            if inbox is not None:
                inbox.admitted = _position(admitted)
                kept = None if stored is None else _payload(stored)
                inbox.mailbox.fill(kept, [_payload(one) for one in waiting])
        since, entries = log or ([0, 0], [])
        self._since = _position(since)
        for epoch, number, pipe, *block, payload in entries:
            if pipe in self._inboxes:
                self._log(_Admission((epoch, number), pipe, _position(block), _payload(payload)))
        self._repeated.extend(one for one in self._entries if one.block > self._inboxes[one.pipe].admitted)
        self.version = version
        self._contained = self.durable = {pipe: self._newest(pipe) for pipe in self._inboxes}
        self.active = self.active or bool(self._repeated)
        return self._since

    def wanted(self, pipe: int) -> Position:
        """Return the next block that a successor needs from the sender of this pipe."""
        epoch, number = self._newest(pipe)
        return (epoch, number + 1) if epoch else (1, 1)

    # -- inside ------------------------------------------------------------------------------------------

    def _put(self, admission: _Admission) -> None:
        inbox = self._inboxes[admission.pipe]
        inbox.mailbox.put(admission.payload)
        inbox.admitted = admission.block

    def _log(self, admission: _Admission) -> None:
        self._entries.append(admission)
        self._size += _cost(admission)

    def _newest(self, pipe: int) -> Position:
        logged = (one.block for one in self._repeated if one.pipe == pipe)
        return max(self._inboxes[pipe].admitted, *logged, (0, 0))


def _cost(admission: _Admission) -> int:
    return _ENTRY_BYTES + payload_size(admission.payload)


def _plain(payload: Payload) -> bytes | list[bytes]:
    block = frozen(payload)
    return [bytes(part) for part in block] if isinstance(block, tuple) else bytes(block)


def _payload(plain: bytes | list[bytes]) -> Payload:
    return tuple(plain) if isinstance(plain, list) else plain


def _position(plain: Sequence[int]) -> Position:
    epoch, number = plain
    return epoch, number
