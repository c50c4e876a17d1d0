"""Jobs in Python: user code defines `run`."""

from __future__ import annotations

from fission.core.head import Head
from fission.core.jobs.base import BaseJob
from fission.errors import JobDefinitionError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from fission.core.jobs.pace import PaceClock
    from fission.core.pipes.base import BasePipe

__all__ = ["PythonJob"]


class PythonJob(BaseJob):
    """A job that computes each round in its method `run`.

    With `HEAD = True`, `run` can use `in_heads` (one `Head` per input, a list of them where `BLOCK_COUNT` > 1),
    `head` (the result of `head_reduce`) and `out_heads` (one entry per output, initially None; an entry that is set is
    sent on that output in place of `head`).
    """

    head_size: int = 1
    """Bytes of a head; the network's `HEAD_SIZE`, known from `setup` on."""

    _finishing = False
    _pace: PaceClock | None = None

    _UNSAVED: frozenset[str] = frozenset(
        (
            "id",
            "inputs",
            "outputs",
            "_name",
            "head_size",
            "resumed",
            "repeating",
            "in_heads",
            "out_heads",
            "_head",
            "_finishing",
            "run",
        )
    )
    """Attributes that do not belong to the state of the job."""

    def __init__(
        self,
        inputs: Iterable[BasePipe] | None = None,
        outputs: Iterable[BasePipe] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(inputs, outputs, name=name)
        self.in_heads: list[Head | list[Head]] = []
        self.out_heads: list[Head | int | None] = []
        self._head: Head | None = None

    def run(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - any signature may override it
        """Compute one round; every job class defines its own.

        There is one positional argument per input, a list where `BLOCK_COUNT` of the pipe is more than 1. A
        returned tuple has one item per output; any other value goes to every output. None ends a job
        that has outputs. In a source, `run` may be a generator that yields one value per round.
        """
        raise JobDefinitionError(
            "there is no run", where=f"job {self.name}", hint=f"Write a method run in {type(self).__name__}"
        )

    def finish(self) -> None:
        """Make this round the last one; jobs downstream end after they have processed all blocks."""
        self._finishing = True

    def pace(self, hz: float | None = None, *, interval: float | None = None, catch_up: bool = True) -> None:
        """Wait until the next round is due: `hz` times per second, or every `interval` seconds. Call it once per round.

        The first call returns at once. There is no drift: a late round does not delay the next one. With `catch_up` the
        rounds after a delay come at once until the schedule is kept again; without, those that were missed are left
        out. Rounds that are `repeating` are not waited for, and a restart keeps the schedule. Raises JobDefinitionError
        unless exactly one of `hz` and `interval` is given, and positive.
        """
        from fission.core.jobs.pace import PaceClock  # noqa: PLC0415 - only in the process of a job that needs it
        from fission.core.jobs.pacing import wait_for  # noqa: PLC0415

        wanted = PaceClock(hz, interval=interval, catch_up=catch_up)
        if self._pace != wanted:
            self._pace = wanted
        wait_for(self._pace, repeating=self.repeating)

    @property
    def head(self) -> Head:
        """The head of the blocks of this round; an int that is assigned becomes a Head."""
        if self._head is None:
            self._head = Head(0, self.head_size)
        return self._head

    @head.setter
    def head(self, head: Head | int) -> None:
        self._head = head if isinstance(head, Head) else Head(head, self.head.head_size)

    def head_reduce(self) -> Head:
        """Combine all of `in_heads` into one head, by default with a bitwise or. Override it for another rule."""
        result = Head(0, self.head_size)
        for entry in self.in_heads:
            for head in entry if isinstance(entry, list) else (entry,):
                result |= head
        return result
