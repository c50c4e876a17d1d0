"""A source whose blocks are typed at a terminal."""

from __future__ import annotations

from io import BytesIO

from fission.core.jobs.base import LocalJob
from fission.core.jobs.python import PythonJob
from fission.errors import JobDefinitionError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Protocol

    class Line(Protocol):
        """A line that was typed."""

        text: str

        def answer(self, text: str) -> None:
            """Print a line where it was typed."""


__all__ = ["InteractiveJob"]


class InteractiveJob(LocalJob, PythonJob):
    """Turns lines that are typed into blocks. Runs on the client.

    It opens a terminal window where there is a display, and a window of tmux inside tmux. `fission interact NET JOB` opens an
    input on any terminal, any number of times. Override `convert` to send something other than text.
    """

    WINDOW: bool = True
    """Whether the job opens a window; without one, it waits for `fission interact`."""

    console: Iterable[Line] | None = None
    """Where the lines come from; set in the job's own process."""

    def convert(self, line: str) -> Any:
        """Return the value to send for a line; the default is the line itself, without its line break.

        None sends nothing. A tuple has one item per output, as from `run`. An exception is printed where the line was
        typed, and the job continues. After `self.finish()` this line is the last.
        """
        return line

    def run(self) -> Iterator[Any]:
        """Yield a value for every line."""
        if self.console is None:
            raise JobDefinitionError(
                "there is no console to type at",
                where=f"job {self.name}",
                hint="An InteractiveJob runs in its own process only: simulate, run or emulate it",
            )
        hinted = False
        for line in self.console:
            try:
                value = self.convert(line.text)
                split = self._check(value)
            except Exception as error:  # noqa: BLE001 - a line that cannot be sent must not end the job
                line.answer(f"not sent: {type(error).__name__}: {error}")
                continue
            if split and not hinted:
                hinted = True
                line.answer(f"the tuple is split: one item for each of the {len(self.outputs)} outputs")
            if value is not None:
                yield value
            elif self._finishing:
                return

    def _check(self, value: Any) -> bool:
        """Raise what the pipes would raise for this value; return whether it is split between several outputs."""
        if value is None:
            return False
        several = isinstance(value, tuple) and len(value) == len(self.outputs)
        for index, pipe in enumerate(self.outputs):
            pipe.write(BytesIO(), pipe.pack(value[index] if several else value))
        return several and len(value) > 1
