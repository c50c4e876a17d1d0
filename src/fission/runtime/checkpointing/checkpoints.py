"""Schedules checkpoints of a job: when its state is captured, stored, and becomes the restart point.

The job's thread captures between two rounds; a thread of our own writes the file, so that a large state stops
the stream no longer than it takes to pickle it. One checkpoint at a time is on its way.

Any state is stored once per interval, and when somebody presses. It becomes the restart point when all receivers have
released its round: with several jobs behind each other that is some intervals later. A state that is cheap follows
the receivers instead. It is captured often, and only held in memory; the latest of these drafts whose round is
released is stored at once and is the restart point as soon as that is told. So a restarted job has little to compute
again, and few copies are made that nobody can use. What that may cost is a part of the time that is fixed below.
"""

import contextlib
import os
import re
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from time import monotonic
from typing import Protocol

from fission.channel.ledger import Ledger
from fission.channel.ranges import Position
from fission.errors import RunError
from fission.runtime.checkpointing.digest import state_digest
from fission.runtime.checkpointing.drafts import Drafts
from fission.runtime.checkpointing.writer import FileWriter, write_file
from fission.runtime.messages import Checkpoint

_PATIENCE = 5.0
"""Seconds (and checkpoint intervals) after which an answer is no longer awaited."""
_MOST_WAITING = 4
"""Checkpoints that may wait for releases of the outputs; more are useless."""
_SHARE = 10
"""Captures take at most this fraction (1/n) of the job's time, unless a checkpoint is requested."""

_CHEAP = 16 << 10
"""Bytes of the largest state that is stored more often than once per interval."""
_OFTEN = 10
"""The most checkpoints of a small state per interval."""
_DRAFTS = 10
"""Drafts between two such checkpoints."""
_DRAFT_SHARE = 50
"""Drafts take at most this fraction (1/n) of the job's time."""
_TRIP_SHARE = 16
"""A checkpoint is in flight for at most this fraction (1/n) of the time."""
_SMOOTH = 0.25
"""Weight of the latest sample in the average round trip of checkpoints."""

NOTHING = b""
"""The state of a job that has no attributes."""

_SUFFIX = ".state"
_NAME = re.compile(rf"\d+-(\d+)-(\d+)-[0-9a-f]+{re.escape(_SUFFIX)}", re.ASCII)
"""Incarnation, epoch, round and digest."""


class State(Protocol):
    """What is captured: `SavedState`, alone or with the optional inputs."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to capture."""

    @property
    def settled(self) -> bool:
        """Whether all that the state depends on is stored; else it is captured later."""

    def capture(self) -> bytes | None:
        """Return the present state as bytes. None: try again later."""


class Checkpoints:
    """Call `begin` once, then `look` whenever the job's thread is between two rounds, `stored` on the report of it.

    `tell` sends a message to the supervisor; `clock` returns seconds. Everything is called with the exchange's lock held.
    """

    def __init__(
        self,
        state: State,
        folder: str,
        incarnation: int,
        *,
        interval: float,
        tell: Callable[[Checkpoint], None],
        log: Callable[[int, str], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._state = state
        self._clock = clock
        self._folder = Path(folder)
        self._incarnation = incarnation
        self._interval = interval
        self._tell = tell
        self._captured: Position = (0, 0)
        self._on_its_way: Position | None = None
        self._patience = 0.0  # until when we wait for the answer
        self._cost = 0.0  # seconds that the last capture took
        self._last = 0.0  # when one was stored last
        self._cheap = False
        self._trip = 0.0  # seconds that the last ones were on their way
        self._best = inf  # the least that this has been
        self._sent = 0.0  # when the last one was sent
        self._drafted = 0.0  # when the last draft was made
        self._drafts = Drafts(interval / _OFTEN / _DRAFTS)
        self._files: dict[Position, Path] = {}
        self._newest: tuple[str, Path] = ("", Path())  # digest and file of what was written last
        self._writer = FileWriter(
            self._folder, log, what="its state", effect="blocks are kept upstream meanwhile"
        )
        self.keeping = False
        """Whether there is a state; a job without attributes has none at first."""

    # -- for the exchange --------------------------------------------------------------------------------

    def begin(self, point: Position, *, stored: bool) -> None:
        """Start after this point, with the present state; `stored`: that state is stored elsewhere."""
        self._sweep()
        if self._state.empty:
            return
        self.keeping = True
        self._captured = point
        data = None if stored else self._state.capture()
        if data is not None:
            self._send(point, point, data)

    def appeared(self, ledger: Ledger) -> bool:
        """Return whether a job without attributes has some now; its state counts from now on."""
        if self.keeping or self._state.empty:
            return False
        self.keeping = True
        self._captured = ledger.restart
        self._send(ledger.restart, ledger.restart, NOTHING)
        return True

    def look(self, progress: Position, ledger: Ledger, *, checkpoint_requested: bool) -> float | None:
        """Capture the state after the last round if it is due; return the next time."""
        if not self.keeping or not self._state.settled:
            return None
        now = self._clock()
        draft_due = self._draft(progress, ledger, now)
        if self._on_its_way is not None:
            if now < self._patience:
                return _sooner(draft_due, self._patience)
            self._on_its_way = None
            self._captured = (0, 0)  # whatever became of it
        often_due = self._send_draft(ledger, now)
        due = self._send_newest(progress, ledger, now, checkpoint_requested=checkpoint_requested)
        return _sooner(draft_due, _sooner(often_due, due))

    def stored(self, position: Position, restart: Position) -> None:
        """Record that the state after this round is stored; states older than `restart` are obsolete."""
        if position == self._on_its_way:
            self._on_its_way = None
            trip = self._clock() - self._sent
            self._trip += (_SMOOTH if self._trip else 1.0) * (trip - self._trip)
            self._best = min(self._best, self._trip)
        self._writer.submit(lambda: self._forget(restart))

    # -- inside ------------------------------------------------------------------------------------------

    def _send_newest(
        self, progress: Position, ledger: Ledger, now: float, *, checkpoint_requested: bool
    ) -> float | None:
        """Capture and send the state after the last round if it is due; return the next time."""
        if self._on_its_way is not None or progress <= self._captured or ledger.waiting >= _MOST_WAITING:
            return None
        due = self._last + (self._cost if checkpoint_requested else max(self._interval, _SHARE * self._cost))
        if now < due:
            return due
        data = self._capture(now)
        self._last = now + self._cost
        if data is None:
            return self._last + self._interval
        self._captured = progress
        self._send(progress, ledger.restart, data)
        return self._patience

    def _send_draft(self, ledger: Ledger, now: float) -> float | None:
        """Send the latest draft whose round is released, if it is due; return the next time."""
        if not self._drafts.ready(ledger.bound):
            return None
        due = self._often_due
        if now < due:
            return due
        draft = self._drafts.take(ledger.bound)
        if draft is not None and draft[0] > ledger.restart:
            self._last = now
            self._captured = max(self._captured, draft[0])
            self._send(draft[0], ledger.restart, draft[1])
            return self._patience
        return None

    def _draft(self, progress: Position, ledger: Ledger, now: float) -> float | None:
        """Capture a draft after the last round if the state is small and it is due; return the next time."""
        if not self._cheap or progress <= max(self._captured, self._drafts.newest):
            return None
        if progress <= ledger.bound:  # as with a sink: the newest one can be stored itself
            due = self._often_due
        else:
            due = self._drafted + max(self._drafts.spacing, _DRAFT_SHARE * self._cost)
        if now < due:
            return due
        data = self._capture(now)
        self._drafted = now
        if data is not None and self._cheap:
            self._drafts.add(progress, data)
        return None

    @property
    def _often_due(self) -> float:
        """When another state may be stored before its interval is over.

        Where they take longer than at best, other things are busy, and should not become busier by that: then more seldom still.
        """
        busy = self._trip / self._best if self._best else 1.0
        return self._sent + max(self._interval / _OFTEN, _TRIP_SHARE * self._trip * busy)

    def _capture(self, now: float) -> bytes | None:
        """Capture the state, and measure the cost."""
        data = self._state.capture()
        self._cost = self._clock() - now
        self._cheap = data is not None and len(data) <= _CHEAP
        if not self._cheap:
            self._drafts.clear()
        return data

    def _send(self, position: Position, restart: Position, data: bytes) -> None:
        self._on_its_way = position
        self._sent = self._clock()
        self._patience = self._sent + _PATIENCE * max(1.0, self._interval)
        self._writer.submit(lambda: self._write(position, restart, data))

    def _write(self, position: Position, restart: Position, data: bytes) -> None:
        """In the writer thread: write a file unless the state is unchanged, and report it."""
        digest = state_digest(data)
        path = ""
        if digest != self._newest[0]:
            file = self._folder / f"{self._incarnation}-{position[0]}-{position[1]}-{digest}{_SUFFIX}"
            write_file(file, data)
            self._newest = (digest, file)
            path = os.fspath(file)
        self._files[position] = self._newest[1]
        self._writer.written()
        self._tell(Checkpoint(*position, path, digest, len(data), restart))

    def _forget(self, restart: Position) -> None:
        """In the writer thread: remove the files of obsolete states."""
        old = {self._files.pop(point) for point in list(self._files) if point < restart}
        for file in old - {self._newest[1], *self._files.values()}:
            file.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Adopt the files of predecessors, which are removed when they are obsolete."""
        with contextlib.suppress(OSError):
            for file in self._folder.glob(f"*{_SUFFIX}*"):
                name = _NAME.fullmatch(file.name)
                place = (int(name[1]), int(name[2])) if name else None
                if place is None or place in self._files:
                    file.unlink()
                else:
                    self._files[place] = file


def _sooner(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two times; None means never."""
    return min((moment for moment in (one, other) if moment is not None), default=None)


def load(checkpoints: Sequence[Checkpoint], point: Position, *, where: str) -> bytes | None:
    """Return the state captured at this point, None if there was none. Raises RunError."""
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
            if state_digest(data) == one.digest:
                return data
            found = f"{len(data)} other bytes"
        raise RunError(
            "the stored state cannot be read",
            where=where,
            expected=f"{one.size} bytes in {path or 'a file'}, the state after round {one.round}",
            found=found,
        )
    return None
