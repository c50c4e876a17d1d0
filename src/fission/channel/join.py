"""Makes rounds out of the blocks of several inputs: alignment, dummies, epochs, the end.

Rules
-----
1. Round n takes the blocks (n-1)*B+1 .. n*B of every input, B being its block count. All are of one epoch.
2. An input that is already in a newer epoch has nothing to give to the current one: dummies stand in for it as long as another
   input has full rounds left. If it has nothing to repeat there either (no dummy of its own, and no block before: its job
   was restarted, as a live source was), no round of that epoch can be made any more. When all inputs are in a newer epoch,
   that one begins, with round 1; partial rounds are left over.
3. On a live input a gap in the numbers is filled with dummies at once. A block that is missing longer than the deadline after
   the other blocks of its round have come is replaced by a dummy, and dropped when it comes late. Inputs align on their
   first blocks of an epoch: these are waited for, and an input that began later than another may stay as far behind.
4. A dummy carries the corrupted bit, and the reset bit where it stands for the first block of an epoch.
5. A block with the finished bit, or an END, ends its input. When an input that has ended cannot give a full round, the join
   is finished; what still waits is left over.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fission.channel.ranges import LONG_AGO, Position, RunQueue, cut
from fission.channel.wire.frames import WIRE_CORRUPTED, WIRE_FINISHED, WIRE_RESET, Batch, Payload, frozen
from fission.errors import LocalProtocolError


@dataclass(frozen=True)
class InputRule:
    """How one input is joined.

    `deadline` in seconds, for live pipes. `dummy` is the payload of a dummy; None repeats the previous block, or `initial` when
    there is none yet.
    """

    block_count: int = 1
    delivery: str = "exact"
    deadline: float | None = None
    dummy: Payload | None = None
    initial: Payload = b""


@dataclass(slots=True)
class RoundBatch:
    """Consecutive rounds of one epoch whose heads are equal from round to round.

    `heads` has the wire heads of one round: per input, one per block. `columns` has the payloads: per input, `count` times its
    block count, in order.
    """

    epoch: int
    first: int
    count: int
    heads: tuple[tuple[int, ...], ...]
    columns: list[list[Payload]]


class _Input:
    """What waits at one input, in the current epoch (`queue`) and in newer ones (`later`)."""

    __slots__ = (
        "dummies",
        "ended",
        "epoch",
        "last",
        "late",
        "later",
        "leftover",
        "live",
        "queue",
        "rule",
    )

    def __init__(self, rule: InputRule, epoch: int, last: int, *, merge: bool) -> None:
        self.rule = rule
        self.live = rule.delivery == "live"
        self.queue = RunQueue(None, merge=merge, begun=LONG_AGO if last else None)
        self.later: deque[tuple[int, RunQueue]] = deque()
        self.epoch = epoch  # of the newest block that was offered
        self.last = last  # its number
        self.ended = False
        self.dummies = self.late = self.leftover = 0

    @property
    def speechless(self) -> bool:
        """Whether it has nothing to give to this epoch: neither a block, nor a dummy."""
        return bool(self.later) and self.rule.dummy is None and self.queue.newest is None

    @property
    def waits_for_deadline(self) -> bool:
        """Whether a block that does not come is replaced by a dummy some day."""
        if self.ended or not self.live or self.rule.deadline is None:
            return False
        return self.queue.begun is not None

    def due(self, other: "_Input") -> float:
        """When a dummy replaces our part of the next round, seen from an input that has its part.

        Inputs that began at different times keep that distance: else the later one would be late for ever.
        """
        when = other.queue.arrival(other.rule.block_count) + (self.rule.deadline or 0.0)
        ours, theirs = self.queue.begun, other.queue.begun
        if ours is None or theirs is None or theirs == LONG_AGO:
            return when
        return when + max(0.0, ours - theirs)


class Join:
    """Offer what the receivers deliver, then `take` rounds until there are none; again at `deadline`.

    `start` is (epoch, number) of the first round: after a restart the one after the checkpoint.
    """

    def __init__(self, rules: Sequence[InputRule], *, start: Position = (1, 1)) -> None:
        if not rules:
            raise LocalProtocolError("a join without inputs", where="join", expected="at least one input")
        self._epoch, self._round = start
        # Rounds that wait for a deadline need to know when each block came; runs that grow would forget it.
        self._timed = any(rule.deadline is not None for rule in rules)
        self._inputs = [
            _Input(rule, start[0], (start[1] - 1) * rule.block_count, merge=not self._timed) for rule in rules
        ]

    # -- in ----------------------------------------------------------------------------------------------

    def offer(self, index: int, batch: Batch, now: float) -> None:
        """Put a batch behind what waits at an input. Its list of blocks belongs to the join from now on."""
        one = self._inputs[index]
        if batch.epoch != one.epoch or batch.first != one.last + 1 or one.ended:
            fitted = self._fit(one, index, batch, now)
            if fitted is None:
                return
            batch = fitted
        blocks, size = batch.blocks, batch.nbytes
        one.last += len(blocks)
        if batch.head & WIRE_FINISHED:
            one.ended = True
            if len(blocks) > 1:
                one.leftover += len(blocks) - 1
                blocks, size = blocks[:1], size // len(blocks)
        queue = one.later[-1][1] if one.later else one.queue
        queue.append(batch.head, blocks, size, now)
        if one.live:  # user code may modify its copy; a dummy repeats the received block
            queue.newest = frozen(blocks[-1])

    def straight(self, batch: Batch) -> RoundBatch | None:
        """Return the rounds that a batch makes by itself; None when it has to be offered.

        For a join with one input and one block per round where nothing waits: what `offer` and `take` would do.
        """
        if len(self._inputs) != 1:
            return None
        (one,) = self._inputs
        if one.rule.block_count != 1 or one.queue.count or one.later or one.live:
            return None
        first, blocks, head = batch.first, batch.blocks, batch.head
        if batch.epoch != self._epoch or first != self._round or one.ended or head & WIRE_FINISHED:
            return None
        one.last += len(blocks)
        self._round = first + len(blocks)
        return RoundBatch(self._epoch, first, len(blocks), ((head,),), [blocks])

    def end(self, index: int) -> None:
        """No more blocks will be offered to this input."""
        self._inputs[index].ended = True

    # -- out ---------------------------------------------------------------------------------------------

    def take(self, now: float, limit: int = 4096) -> RoundBatch | None:
        """Return consecutive rounds that can be computed now, at most `limit`; None when there are none."""
        while limit > 0:
            count = self._ready(limit)
            if count:
                return self._cut(count)
            self._give_up_epoch()
            if not self._give_dummies(now) and not self._next_epoch():
                break
        return None

    def deadline(self) -> float | None:
        """When `take` will give a round with a dummy even if nothing comes; None when there is no such time."""
        return self._due() if self._timed else None

    @property
    def finished(self) -> bool:
        """Whether no further round can ever be made: an input has ended and has no full round."""
        return any(
            one.ended and not one.later and one.queue.count < one.rule.block_count for one in self._inputs
        )

    def queued(self, index: int) -> tuple[int, int]:
        """Blocks and bytes that wait at an input."""
        one = self._inputs[index]
        queues = [one.queue, *(queue for _, queue in one.later)]
        return sum(queue.count for queue in queues), sum(queue.size for queue in queues)

    def leftover(self, index: int) -> int:
        """Blocks of an input that were not, or once the join is finished will not be, part of any round."""
        one = self._inputs[index]
        return one.leftover + (self.queued(index)[0] if self.finished else 0)

    def dummies(self, index: int) -> int:
        """Dummies that stood in for blocks of an input."""
        return self._inputs[index].dummies

    def late(self, index: int) -> int:
        """Blocks of an input that came after a dummy had taken their place."""
        return self._inputs[index].late

    # -- what comes ---------------------------------------------------------------------------------------

    def _fit(self, one: _Input, index: int, batch: Batch, now: float) -> Batch | None:
        """Make a batch that is not simply the next one fit; None when nothing of it is left."""
        if one.ended:
            one.leftover += batch.count
            return None
        if batch.epoch < one.epoch or (batch.epoch == one.epoch and batch.last <= one.last):
            one.late += batch.count
            return None
        if batch.epoch > one.epoch:
            newest = one.later[-1][1].newest if one.later else one.queue.newest
            one.later.append((batch.epoch, RunQueue(newest, merge=not self._timed)))
            one.epoch, one.last = batch.epoch, 0
        missing = batch.first - one.last - 1
        if missing < 0:
            one.late -= missing
            return cut(batch, one.last + 1)
        if missing:
            if not one.live:
                raise LocalProtocolError(
                    "blocks are missing",
                    where=f"join, input {index}",
                    expected=str((one.epoch, one.last + 1)),
                    found=str((batch.epoch, batch.first)),
                )
            self._stand_in(one, one.later[-1][1] if one.later else one.queue, one.last + 1, missing, now)
            one.last += missing
        return batch

    def _stand_in(self, one: _Input, queue: RunQueue, first: int, count: int, now: float) -> None:
        """Put dummies for the blocks from number `first` on into a queue."""
        known = one.rule.initial if queue.newest is None else queue.newest
        payload = frozen(known if one.rule.dummy is None else one.rule.dummy)
        one.dummies += count
        if first == 1:
            queue.append_stand_ins(WIRE_CORRUPTED | WIRE_RESET, payload, 1, now)
            count -= 1
        if count:
            queue.append_stand_ins(WIRE_CORRUPTED, payload, count, now)

    # -- what goes ----------------------------------------------------------------------------------------

    def _ready(self, limit: int) -> int:
        """Number of rounds that are complete and have equal heads."""
        count = limit
        for one in self._inputs:
            queue, size = one.queue, one.rule.block_count
            if queue.count < size:
                return 0
            rounds = queue.ahead // size or 1
            if rounds < count:
                count = rounds
        return count

    def _cut(self, count: int) -> RoundBatch:
        heads = []
        columns = []
        for one in self._inputs:
            queue, size = one.queue, one.rule.block_count
            if queue.ahead >= size:
                heads.append((queue.runs[0].head,) * size)
            else:
                heads.append(queue.heads(size))
            columns.append(queue.take(count * size))
        first = self._round
        self._round = first + count
        return RoundBatch(self._epoch, first, count, tuple(heads), columns)

    def _due(self) -> float | None:
        """When the inputs that are short of a full round get dummies; None while there is something to wait for."""
        complete: list[_Input] = []
        missing: list[_Input] = []
        for one in self._inputs:
            if one.queue.count >= one.rule.block_count:
                complete.append(one)
            elif not one.later:
                if not one.waits_for_deadline:
                    return None
                missing.append(one)
        if not complete:
            return None
        if not missing:
            return LONG_AGO
        return max(one.due(other) for one in missing for other in complete)

    def _give_dummies(self, now: float) -> bool:
        """Complete the next rounds with dummies if it is time to; False when not."""
        due = self._due()
        if due is None or now < due:
            return False
        # Rounds of one run have come together, so they are due together.
        rounds = min(
            one.queue.ahead // one.rule.block_count or 1
            for one in self._inputs
            if one.queue.count >= one.rule.block_count
        )
        for one in self._inputs:
            size, there = one.rule.block_count, one.queue.count
            if there < size:
                missing = rounds * size - there
                self._stand_in(one, one.queue, (self._round - 1) * size + there + 1, missing, now)
                if not one.later:
                    one.last += missing
        return True

    def _give_up_epoch(self) -> None:
        """Forget what waits in this epoch if no round can be made of it."""
        if any(one.speechless for one in self._inputs):
            for one in self._inputs:
                one.leftover += one.queue.clear()

    def _next_epoch(self) -> bool:
        """Begin the next epoch if every input is in a newer one; False when not."""
        inputs = self._inputs
        if not all(one.later and one.queue.count < one.rule.block_count for one in inputs):
            return False
        epoch = min(one.later[0][0] for one in inputs)
        for one in inputs:
            one.leftover += one.queue.clear()
            if one.later[0][0] == epoch:
                one.queue = one.later.popleft()[1]
        self._epoch, self._round = epoch, 1
        return True
