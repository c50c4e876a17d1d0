"""A source whose blocks are typed by people."""

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
        """A line that somebody has typed."""

        text: str

        def answer(self, text: str) -> None:
            """Show a line to who has typed it."""


__all__ = ["InteractiveJob"]


class InteractiveJob(LocalJob, PythonJob):
    """Lines that are typed by people become blocks. Runs on the client.

    Where there is a display it opens a terminal window to type in, inside tmux a window of tmux; everywhere, and as
    often as wanted, `fission interact NET JOB` does so. Override `convert` to send something else than text.
    """

    WINDOW: bool = True
    """Whether it opens a window; without, it waits for `fission interact`."""

    console: Iterable[Line] | None = None
    """Where the lines come from; set in the job's own process."""

    def convert(self, line: str) -> Any:
        """Make the value to be sent of a line; the default is the line itself, without its end.

        None sends nothing. An exception is shown to who has typed the line, and the job goes on. After
        `self.finish()` this line is the last.
        """
        return line

    def run(self) -> Iterator[Any]:
        """Yield a value for every line."""
        if self.console is None:
            raise JobDefinitionError(
                "there is nobody who could type",
                where=f"job {self.name}",
                hint="An InteractiveJob runs in its own process only: simulate, run or emulate it",
            )
        for line in self.console:
            try:
                value = self.convert(line.text)
                self._try(value)
            except Exception as error:  # noqa: BLE001 - whatever a typed line leads to, the next one may be better
                line.answer(f"not sent: {type(error).__name__}: {error}")
                continue
            if value is not None:
                yield value
            elif self._finishing:
                return

    def _try(self, value: Any) -> None:
        """Let the pipes complain now, so that the person hears of it, and not the network."""
        if value is None:
            return
        several = isinstance(value, tuple) and len(value) == len(self.outputs)
        for index, pipe in enumerate(self.outputs):
            pipe.write(BytesIO(), pipe.pack(value[index] if several else value))
