"""The acknowledgement rule: which rounds of a job will never be needed again.

A job that is restarted begins after a *restart point*: a round whose state is stored elsewhere (any round, if the job has
no state) and whose outputs, up to that round, have all been released by their receivers. It needs its inputs after that
point and nothing before. So the inputs up to the restart point, and only they, may be released.

Why several failures at once are survived: let a job's restart point be p. Its receivers ask for outputs after their own
restart points, which are not before p, because they have released everything up to p and never ask for what they released. Its
senders keep, or after their own restart compute again, every block after p, because only blocks up to p were released. By
induction from the sinks to the sources it does not matter which, or how many, of the jobs are restarted.

How a restarted job finds its point, although its predecessor may still be running somewhere: first the store refuses the
predecessor; then the job says HELLO to the receivers of its outputs, which from then on refuse the predecessor too. Each answers
with WELCOME and with an ACK, what it has released: `Sender.acknowledged`. From these and the stored rounds `restart_point`
chooses, `Sender.resume` begins there, and only then the job opens its inputs. What the predecessor may still release on them
lies before the same ACKs.

A job that stores nothing and whose outputs say nothing (a sink has none) has forgotten where it was. It begins where its
senders still can: at the `earliest_point` of what they say they have released. So restarted jobs settle from the sinks
upwards, and those that no sink tells anything, which answer `Welcome(0, 0)`, from the sources downwards. There are no
circles, so all of them do.

A state that was stored too late, after a round whose outputs are not released yet, is kept for later: it becomes the restart
point as soon as its outputs are released. A store may forget what is older than `restart`.

The end of a job needs no row in the ledger: when all its outputs are finished, so that its successor would have nothing to
do, it says `done` on its inputs and ends.
"""

from bisect import bisect_right, insort
from collections.abc import Collection, Iterable, Mapping

from fission.channel.ranges import Position
from fission.errors import LocalProtocolError


def restart_point(stored: Iterable[Position], released: Iterable[Position]) -> Position | None:
    """Return the round to restart after: the latest stored one that no output's receiver has yet to release.

    `released` must be what the receivers report *now* (the ACK that follows their WELCOME), after they have chosen their own
    restart points. None: no stored round will do, start from the beginning.
    """
    bound = min(released, default=None)
    return max((p for p in stored if bound is None or p <= bound), default=None)


def earliest_point(offered: Iterable[tuple[Position, int]]) -> Position | None:
    """Return the first restart point at which every input still has what follows.

    For each input what its sender has released, and its block count. None: there are no inputs.
    """
    return max(((epoch, -(-number // count)) for (epoch, number), count in offered), default=None)


def must_ask(*, stateful: bool, stored: bool, released: bool, unknown: bool) -> bool:
    """Return whether a restarted job needs the offers of its senders before `choose_point` can choose its start.

    `unknown`: the receiver of an output that counts does not know itself what it has released. `stored`, `released`: whether
    there are any such positions.
    """
    return unknown or not (stored if stateful else released)


def choose_point(
    stored: Collection[Position],
    released: Collection[Position],
    offered: Collection[tuple[Position, int]],
    *,
    stateful: bool,
    unknown: bool,
) -> Position | None:
    """Return the restart point, None for the beginning. `offered` counts only if one `must_ask` for it.

    The first state of a job is stored as well, and before any other, so that if there are stored ones, one of them will
    do: the latest that no receiver has yet to release. If a receiver does not know what it has released, only the inputs
    tell what may be needed: nothing before the earliest point at which they still have blocks, which is not after the
    last restart point. If nothing is stored, the job had no state there, and begins without.
    """
    if must_ask(stateful=stateful, stored=bool(stored), released=bool(released), unknown=unknown):
        earliest = earliest_point(offered)
        return min((one for one in stored if earliest is None or one >= earliest), default=earliest)
    return restart_point(stored, released) if stateful else min(released)


class Ledger:
    """Tell it what was computed, stored and released; pass what `releases` returns to the receivers.

    `outputs` are the pipes that count: synchronous ones, whose receivers may ask again. `block_counts` gives the blocks per
    round of every input. One round writes one block to every output, so that numbers of blocks there are numbers of rounds.
    `start` is the restart point of this job, (epoch, 0) for none. A job without state (`stateful` False) stores nothing.
    """

    def __init__(
        self,
        outputs: Iterable[int],
        block_counts: Mapping[int, int],
        stateful: bool,
        *,
        start: Position = (1, 0),
    ) -> None:
        self._outputs: dict[int, Position] = dict.fromkeys(outputs, start)
        self._block_counts = dict(block_counts)
        self._stateful = stateful
        self._computed = start
        self._stored: list[Position] = []
        self._restart = start
        self._reported = start
        self._changed = False

    @property
    def stateful(self) -> bool:
        """Whether a round counts only once its state is stored. May change as long as no state has been lost by it."""
        return self._stateful

    @stateful.setter
    def stateful(self, stateful: bool) -> None:
        self._advance()
        self._stateful = stateful
        self._changed = True

    @property
    def waiting(self) -> int:
        """Stored rounds that wait for the outputs to be released."""
        self._advance()
        return len(self._stored)

    @property
    def bound(self) -> Position:
        """The round up to which all outputs are released: no restart point can lie behind it."""
        return min(self._outputs.values(), default=self._computed)

    @property
    def restart(self) -> Position:
        """The restart point: (epoch, round) up to which nothing is needed any more."""
        self._advance()
        return self._restart

    def computed(self, epoch: int, round: int) -> None:
        """All rounds up to this one have been computed and their outputs written."""
        position = (epoch, round)
        if position > self._computed:
            self._computed = position
            self._changed = True

    def stored(self, epoch: int, round: int) -> None:
        """The state after this round is safe outside this process."""
        position = (epoch, round)
        if position > self._computed:
            raise LocalProtocolError(
                "the state after a round was stored before the round was computed",
                where="ledger",
                expected=f"at most {self._computed}",
                found=str(position),
            )
        if position > self._restart:
            insort(self._stored, position)
            self._changed = True

    def output_released(self, pipe: int, epoch: int, sqn: int) -> None:
        """The receiver of an output has released everything up to this block. Pipes that do not count are ignored."""
        position = (epoch, sqn)
        if position > self._outputs.get(pipe, position):
            self._outputs[pipe] = position
            self._changed = True

    def releases(self) -> dict[int, Position]:
        """Return up to where each input can be released, when that has changed since the last call; else {}."""
        if self._changed:
            self._advance()
        point = self._restart
        if point == self._reported:
            return {}
        self._reported = point
        epoch, number = point
        return {pipe: (epoch, number * count) for pipe, count in self._block_counts.items()}

    def _advance(self) -> None:
        """Move the restart point as far as the rule allows."""
        self._changed = False
        bound = self.bound
        if not self._stateful:
            self._restart = max(self._restart, min(bound, self._computed))
            return
        index = bisect_right(self._stored, bound)
        if index:
            self._restart = self._stored[index - 1]
            del self._stored[:index]
