"""When the state of a job is captured, and what becomes of it: a file, a message, and in the end a restart point.

The job's thread captures between two rounds; a thread of our own writes the file, so that a large state stops
the stream no longer than it takes to pickle it. One checkpoint at a time is on its way.
"""

import contextlib
import hashlib
import os
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from fission.channel.ledger import Ledger
from fission.channel.ranges import Position
from fission.errors import RunError
from fission.runtime.messages import Checkpoint
from fission.runtime.state import JobState

_WARNING = 30
_PATIENCE = 5.0
"""Seconds (and checkpoint intervals) after which an answer is no longer waited for."""
_MOST_WAITING = 4
"""Checkpoints that may wait for the outputs to be released before more are pointless."""
_SHARE = 10
"""The job is not stopped for more than one part in so many, where nobody is pressing."""

NOTHING = b""
"""The state of a job that has no attributes."""

_SUFFIX = ".state"


class Checkpoints:
    """Call `begin` once, then `look` whenever the job's thread is between two rounds, `stored` when it is told.

    `tell` sends a message to the supervisor. Everything is called with the exchange's lock held.
    """

    def __init__(
        self,
        state: JobState,
        folder: str,
        incarnation: int,
        *,
        interval: float,
        tell: Callable[[Checkpoint], None],
        log: Callable[[int, str], None],
    ) -> None:
        self._state = state
        self._folder = Path(folder)
        self._incarnation = incarnation
        self._interval = interval
        self._tell = tell
        self._log = log
        self._captured: Position = (0, 0)
        self._on_its_way: Position | None = None
        self._patience = 0.0  # until when we wait for the answer
        self._cost = 0.0  # seconds that the last capture took
        self._last = 0.0  # when that was
        self._files: dict[Position, Path] = {}
        self._newest: tuple[str, Path] = ("", Path())  # digest and file of what was written last
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._complained = False
        self.keeping = False
        """There is something to keep; a job without attributes has none at first."""

    # -- for the exchange --------------------------------------------------------------------------------

    def begin(self, point: Position, *, stored: bool) -> None:
        """The job begins after this point, in the state that it has now; `stored`: that state is known outside."""
        self._sweep()
        if self._state.empty:
            return
        self.keeping = True
        self._captured = point
        data = None if stored else self._state.capture()
        if data is not None:
            self._send(point, point, data)

    def appeared(self, ledger: Ledger) -> bool:
        """Whether a job that had no attributes has some now. From now on its state counts; up to now it had none."""
        if self.keeping or self._state.empty:
            return False
        self.keeping = True
        self._captured = ledger.restart
        self._send(ledger.restart, ledger.restart, NOTHING)
        return True

    def look(self, progress: Position, ledger: Ledger, *, pressing: bool) -> float | None:
        """Capture the state after the last round, if it is time to; return when to look again if nothing happens."""
        if not self.keeping:
            return None
        now = monotonic()
        if self._on_its_way is not None:
            if now < self._patience:
                return self._patience
            self._on_its_way = None
            self._captured = (0, 0)  # whatever became of it
        if progress <= self._captured or ledger.waiting >= _MOST_WAITING:
            return None
        due = self._last + (self._cost if pressing else max(self._interval, _SHARE * self._cost))
        if now < due:
            return due
        data = self._state.capture()
        self._last = monotonic()
        self._cost = self._last - now
        if data is None:
            return self._last + self._interval
        self._captured = progress
        self._send(progress, ledger.restart, data)
        return self._patience

    def stored(self, position: Position, restart: Position) -> None:
        """A copy of the state after this round is safe; what is older than `restart` is not needed any more."""
        if position == self._on_its_way:
            self._on_its_way = None
        self._work.put(lambda: self._forget(restart))

    # -- inside ------------------------------------------------------------------------------------------

    def _send(self, position: Position, restart: Position, data: bytes) -> None:
        self._on_its_way = position
        self._patience = monotonic() + _PATIENCE * max(1.0, self._interval)
        self._work.put(lambda: self._write(position, restart, data))
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_all, name="fission-state", daemon=True)
            self._writer.start()

    def _write_all(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except OSError as error:
                self._complain(error)

    def _write(self, position: Position, restart: Position, data: bytes) -> None:
        """In the thread of our own: write a file, unless the state is what it was, and tell."""
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        path = ""
        if digest != self._newest[0]:
            file = self._folder / f"{self._incarnation}-{position[0]}-{position[1]}{_SUFFIX}"
            _write_file(file, data)
            self._newest = (digest, file)
            path = os.fspath(file)
        self._files[position] = self._newest[1]
        self._complained = False
        self._tell(Checkpoint(*position, path, digest, len(data), restart))

    def _forget(self, restart: Position) -> None:
        """In the thread of our own: remove the files of states that are not needed any more."""
        old = {self._files.pop(point) for point in list(self._files) if point < restart}
        for file in old - {self._newest[1], *self._files.values()}:
            file.unlink(missing_ok=True)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            where = error.filename or self._folder
            text = f"its state cannot be written to {where}: {error.strerror}; blocks are kept upstream meanwhile"
            self._log(_WARNING, text)

    def _sweep(self) -> None:
        """Take over the files of predecessors: they go when they are not needed any more."""
        with contextlib.suppress(OSError):
            for file in self._folder.glob(f"*{_SUFFIX}*"):
                parts = file.name.removesuffix(_SUFFIX).split("-")
                if len(parts) == 3 and all(part.isdecimal() for part in parts):
                    self._files[int(parts[1]), int(parts[2])] = file
                else:
                    file.unlink()


def _write_file(file: Path, data: bytes) -> None:
    """Write all of it or nothing."""
    unfinished = file.with_suffix(f"{_SUFFIX}.new")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def load(checkpoints: Sequence[Checkpoint], point: Position, *, where: str) -> bytes | None:
    """Return the state that was captured at this point, None if there was none. Raises RunError."""
    path = ""
    for one in checkpoints:
        path = one.path or path
        if (one.epoch, one.round) != point:
            continue
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            found = error.strerror or str(error)
        else:
            if hashlib.blake2b(data, digest_size=16).hexdigest() == one.digest:
                return data
            found = f"{len(data)} other bytes"
        raise RunError(
            "the stored state cannot be read",
            where=where,
            expected=f"{one.size} bytes in {path or 'a file'}, the state after round {one.round}",
            found=found,
        )
    return None
