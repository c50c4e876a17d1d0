"""Checks that a program follows the rules for programs, and describes a violation in one line."""

import contextlib
import signal
import subprocess
from collections.abc import Callable, Sequence
from time import monotonic

from fission.core.jobs import ExecutableJob
from fission.errors import RunError
from fission.runtime.programs.child import Child
from fission.runtime.programs.pipe_io import End, InputEnd, OutputEnd

__all__ = ["Watch"]

IDLE = 0.5
"""Seconds without a byte after which a program is taken to wait, rather than to compute."""

_STALLED = 5.0
_CLOSED = 0.5


class Watch:
    """Call `moved` when bytes have moved; `check` often, and at the time that it returns; `judge` at the end."""

    def __init__(
        self,
        job: ExecutableJob,
        inputs: Sequence[InputEnd],
        outputs: Sequence[OutputEnd],
        log: Callable[[int, str], None],
    ) -> None:
        self.child: Child | None = None
        self._job = job
        self._inputs = inputs
        self._joined = [end for end in inputs if end.port.mailbox is None]
        self._outputs = outputs
        self._log = log
        self._moved = monotonic()
        self._since: dict[object, float] = {}
        self._told: set[object] = set()

    def moved(self) -> None:
        """The program has read or written something."""
        self._moved = monotonic()

    def idle(self) -> bool:
        """Whether no byte has moved for a while."""
        return monotonic() - self._moved > IDLE

    def check(self, *, look_ahead: int) -> float | None:
        """Raise RunError when the time of the program is over; return when to check again.

        `look_ahead` is how many bytes may wait for an input.
        """
        now = monotonic()
        times = [self._check_opening(now), self._check_ending(now)]
        self._check_closed(now)
        self._check_order(now, look_ahead)
        return min((time for time in times if time is not None), default=None)

    def judge(self) -> None:
        """Raise RunError when the program has failed."""
        child = self.child
        if child is None or child.code is None:
            return
        if child.code:
            raise self._error(f"it {_how(child.code)}", said=True)
        for out in self._outputs:
            if not out.opened and out.path and self._expected(out):
                raise self._error(f"it has ended without opening {_described(out)}", said=True)

    def blame(self, error: Exception) -> None:
        """Its output is invalid: raise the error with which the program ended, if that explains it."""
        child = self.child
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(IDLE)
            if child.code:
                raise self._error(f"it {_how(child.code)}", said=True) from error

    # -- inside ------------------------------------------------------------------------------------------

    def _check_opening(self, now: float) -> float | None:
        """A named pipe that the program needs by now has to be open."""
        timeout = self._job.START_TIMEOUT
        late = [end for end in self._joined if end.fd is None and end.queued]
        late_outputs = [out for out in self._outputs if out.path and not out.opened and self._expected(out)]
        if timeout is None or not (late or late_outputs):
            return None
        times = []
        ends: list[End] = [*late, *late_outputs]
        for end in ends:
            since = self._since.setdefault(end, now)
            if now - since > timeout:
                raise self._error(f"it has not opened {_described(end)} within {timeout:g} s")
            times.append(since + timeout)
        return min(times) + 0.01

    def _expected(self, _out: OutputEnd) -> bool:
        """Whether the program has been given what it needs for its first block."""
        return all(end.rounds(end.written) for end in self._joined)

    def _check_ending(self, now: float) -> float | None:
        """Once its inputs or the program itself have ended, its outputs have to end too."""
        timeout, child = self._job.END_TIMEOUT, self.child
        if timeout is None or child is None or not self._should_end(child):
            return None
        if any(not out.ended and not out.wanted for out in self._outputs):
            self.moved()  # the program waits for this process
        since = max(self._since.setdefault("end", now), self._moved)
        if now - since <= timeout:
            return since + timeout + 0.01
        if child.code is not None:
            open_still = next(out for out in self._outputs if not out.ended)
            raise self._error(
                f"it has ended, and a program that it has started keeps {_described(open_still)} open"
            )
        if any(out.ended for out in self._outputs):
            ended = next(out for out in self._outputs if out.ended)
            raise self._error(f"it has closed {_described(ended)}, and not ended within {timeout:g} s")
        raise self._error(f"it has not ended within {timeout:g} s after its inputs had ended")

    def _should_end(self, child: Child) -> bool:
        if child.code is not None or any(out.ended for out in self._outputs):
            return True
        return bool(self._inputs) and all(end.closed for end in self._inputs)

    def _check_closed(self, now: float) -> None:
        for end in self._inputs:
            if not end.broken or end in self._told or self.child is None or self.child.code is not None:
                continue
            if now - self._since.setdefault((end, "closed"), now) > _CLOSED:
                self._told.add(end)
                self._log(30, f"its program has closed {_described(end)}; what still comes there is dropped")

    def _check_order(self, now: float, look_ahead: int) -> None:
        """One input runs over while the program waits at another: it does not read one round after the other."""
        full = next((end for end in self._joined if end.queued >= look_ahead), None)
        if full is None or all(end.queued for end in self._joined):
            self._since.pop("order", None)
        elif now - self._since.setdefault("order", now) > _STALLED and "order" not in self._told:
            self._told.add("order")
            self._log(
                30,
                f"its program does not read {_described(full)}, where {full.queued >> 20} MiB wait, while it wants more"
                " from another input: it has to read one round of all inputs after the other",
            )

    def _error(self, what: str, *, said: bool = False) -> RunError:
        child = self.child
        words = child.last_words() if child is not None and said else ""
        return RunError(
            what,
            where="its program" if child is None else child.name,
            hint=f"It said: {words}" if words else "",
        )


def _described(end: End) -> str:
    side = "input" if isinstance(end, InputEnd) else "output"
    return f"its {side} {end.path} ({end.pipe})" if end.path else f"its {side} ({end.pipe})"


def _how(code: int) -> str:
    if code > 0:
        return f"has failed with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
