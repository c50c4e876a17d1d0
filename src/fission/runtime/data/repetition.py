"""What a restarted job has to repeat, and the blocks of optional inputs that its rounds may use."""

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from fission.channel.ranges import Position
from fission.runtime.data.ports import InPort, OutPort

if TYPE_CHECKING:
    from fission.runtime.checkpointing.optional_inputs import OptionalInputs

MOST_ROUNDS = 4096
"""Rounds that the job's thread takes at once."""


class Repetition:
    """Called by the exchange, with its lock held. `backing` are the outputs whose receivers may ask again."""

    def __init__(self, inputs: Sequence[InPort], backing: Sequence[OutPort], *, resuming: bool) -> None:
        self.optional: OptionalInputs | None = None
        """Set before the first block comes if optional inputs are logged."""
        self.stored: Position = (0, 0)
        """The last round of which a predecessor has stored the state."""
        self._logged = [port for port in inputs if port.logged]
        self._backing = backing if resuming else ()

    @property
    def horizon(self) -> Position | None:
        """The last round whose results are known downstream or stored; None until all receivers have said so.

        A restarted job must repeat the rounds up to there: it admits no new blocks before.
        """
        horizon = self.stored
        for port in self._backing:
            known = port.sender.horizon
            if known is None:
                return None
            horizon = max(horizon, known)
        return horizon

    @property
    def held(self) -> bool:
        """Whether results have to wait until what they depend on is stored."""
        return self.optional is not None and self.optional.held

    @property
    def arrived(self) -> bool:
        """Whether blocks of logged inputs are not admitted yet."""
        return self.optional is not None and self.optional.admissions.arrived

    def limit(self, progress: Position) -> int:
        """Return how many rounds may be computed before a predecessor's next admission has to be repeated."""
        if self.optional is None or not self.optional.admissions.active:
            return MOST_ROUNDS
        return self.optional.admissions.limit(progress, MOST_ROUNDS)

    def admit(self, progress: Position, restart: Position) -> None:
        """Let the next round use what has arrived at optional inputs."""
        if self.optional is not None and self.optional.admissions.active:
            horizon = self.horizon
            fresh = horizon is not None and progress >= horizon
            self.optional.admit(progress, restart, fresh=fresh)

    def acknowledge(self) -> None:
        """Release the blocks of optional inputs that are stored."""
        if self.optional is None:
            return
        self.optional.look(monotonic())
        admissions = self.optional.admissions
        for port in self._logged:
            receiver, pipe = port.receiver, port.pipe.id
            receiver.release(*admissions.durable.get(pipe, (0, 0)))
            if receiver.end is not None and not admissions.outstanding and not admissions.waiting(pipe):
                receiver.release(*receiver.end)

    def deadline(self) -> float | None:
        """Return when `admit` or `acknowledge` has something to do although nothing happens."""
        return None if self.optional is None else self.optional.deadline()

    def counted(self, pipe: int) -> tuple[int, int]:
        """Return how many blocks of an input wait to be admitted, and how many were dropped before."""
        if self.optional is None:
            return 0, 0
        admissions = self.optional.admissions
        return admissions.waiting(pipe), admissions.dropped(pipe)
