"""Makes the optional inputs of a job exact: what a round takes from them is stored before its results leave the process.

`channel.admissions` decides; this module stores the versions of its log and holds the outputs back meanwhile.
"""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from fission.channel.admissions import LARGEST_LOGGED, Admissions
from fission.channel.ranges import Position
from fission.errors import RunError
from fission.runtime.checkpointing.digest import state_digest
from fission.runtime.checkpointing.writer import FileWriter, write_file
from fission.runtime.messages import LOG_EPOCH, Checkpoint
from fission.serialization import msgpack_codec

__all__ = ["OptionalInputs"]

_WARNING = 30
_PATIENCE = 5.0
"""Seconds for which outputs wait until the log is stored."""
_BYTES_PER_SECOND = 8 << 20
"""Bound of what is written for the log: a large one is stored less often."""
_SUFFIX = ".inputs"
_WHAT = "the log of its optional inputs"


class OptionalInputs:
    """Call `admit` between two rounds; while `held` is True, nothing may leave the process. All calls hold the exchange's lock.

    `tell` sends a message to the supervisor, which answers with `Stored` when a copy of the log exists elsewhere.
    """

    def __init__(
        self,
        admissions: Admissions,
        folder: str,
        incarnation: int,
        *,
        tell: Callable[[Checkpoint], None],
        log: Callable[[int, str], None],
    ) -> None:
        self.admissions = admissions
        self.held = False
        """An admission is not stored elsewhere yet."""
        self._folder = Path(folder)
        self._incarnation = incarnation
        self._tell = tell
        self._log = log
        self._writer = FileWriter(
            self._folder, log, what=_WHAT, effect=f"results wait up to {_PATIENCE:.0f} s for it"
        )
        self._patience = 0.0
        self._next = 0.0  # when the next version may be stored
        self._restart: Position = (0, 0)  # the restart point when the last version was made
        self._written: list[Path] = []
        self._complained = False
        self._named_large = False

    def admit(self, progress: Position, restart: Position, *, fresh: bool) -> None:
        """Admit what is due after this round, new blocks only if `fresh`; `restart` is the restart point now."""
        admissions = self.admissions
        now = monotonic()
        if admissions.admit(progress, fresh=fresh and now >= self._next):
            admissions.trim(
                self._restart
            )  # not the present one: its release may not have reached the senders
            self._restart = restart
            self._store(restart, now)
        if admissions.unlogged and not self._named_large:
            self._named_large = True
            self._log(
                _WARNING,
                f"blocks of more than {LARGEST_LOGGED >> 10} KiB on an optional input: after a restart, the rounds that use them "
                "may differ",
            )

    def stored(self, version: int) -> None:
        """Record that this version of the log is stored elsewhere."""
        if self.admissions.stored(version):
            self.held = self._complained = False

    def deadline(self) -> float | None:
        """Return when `look` or `admit` has to be called although nothing happens."""
        if self.held:
            return self._patience
        return self._next if self.admissions.active and self._next > monotonic() else None

    def look(self, now: float) -> None:
        """Go on without a stored log if it takes too long, and until one is stored again."""
        if self.held and now >= self._patience:
            self._complained = True
            self._go_on()
            self._log(
                _WARNING,
                f"{_WHAT} is not stored after {_PATIENCE:.0f} s: results are sent without waiting for it. After a restart, "
                "rounds that use new blocks of these inputs may differ",
            )

    # -- inside ------------------------------------------------------------------------------------------

    def _store(self, restart: Position, now: float) -> None:
        self.held = True
        self._patience = now + _PATIENCE
        version = self.admissions.version
        data = msgpack_codec.encode(self.admissions.log())
        self._next = now + len(data) / _BYTES_PER_SECOND
        self._writer.submit(lambda: self._write(version, restart, data))
        if self._complained:
            self._go_on()

    def _go_on(self) -> None:
        self.held = False
        self.admissions.give_up()

    def _write(self, version: int, restart: Position, data: bytes) -> None:
        """In the writer thread: write a version of the log, and report it; the file of the version before is kept."""
        file = self._folder / f"{self._incarnation}-{version}{_SUFFIX}"
        if not self._written:
            for old in self._folder.glob(f"*{_SUFFIX}*"):
                old.unlink(missing_ok=True)
        write_file(file, data)
        self._written.append(file)
        while len(self._written) > 2:
            self._written.pop(0).unlink(missing_ok=True)
        self._writer.written()
        self._tell(Checkpoint(LOG_EPOCH, version, str(file), state_digest(data), len(data), restart))


def decode_log(data: bytes, where: str) -> list[object]:
    """Return the log that a predecessor has stored. Raises RunError for other data."""
    found = msgpack_codec.decode(data)
    if not (isinstance(found, list) and len(found) == 2):
        raise RunError("the log of the optional inputs is of another kind", where=where)
    return found
