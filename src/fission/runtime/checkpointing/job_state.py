"""The state of a job together with that of its optional inputs, as one checkpoint."""

from collections.abc import Callable, Sequence
from typing import Any

from fission.channel.ranges import Position
from fission.errors import RunError
from fission.runtime.checkpointing.checkpoints import load
from fission.runtime.checkpointing.optional_inputs import OptionalInputs, decode_log
from fission.runtime.checkpointing.state import SavedState
from fission.runtime.messages import LOG_EPOCH, Checkpoint
from fission.serialization import msgpack_codec

__all__ = ["JobState"]

_WARNING = 30

Log = Callable[[int, str], None]


class JobState:
    """What a checkpoint of a job contains: its attributes and, if they are logged, the mailboxes of its optional inputs."""

    def __init__(self, attributes: SavedState, inputs: OptionalInputs | None) -> None:
        self._attributes = attributes
        self._inputs = inputs

    @property
    def empty(self) -> bool:
        """Whether there is nothing to capture."""
        return self._inputs is None and self._attributes.empty

    @property
    def settled(self) -> bool:
        """Whether the log of the optional inputs is stored: a successor must be able to repeat the rounds before a state."""
        return self._inputs is None or not self._inputs.held

    def capture(self) -> bytes | None:
        """Return the present state as bytes, independent of later changes. None: try again later."""
        if self._inputs is None:
            return self._attributes.capture()
        attributes = b"" if self._attributes.empty else self._attributes.capture()
        if attributes is None:
            return None
        return msgpack_codec.encode([attributes, self._inputs.admissions.capture()])

    def restore(self, checkpoints: Sequence[Checkpoint], point: Position, *, where: str, log: Log) -> bool:
        """Restore the state at this point and the log of the optional inputs; return whether there was a state."""
        data = load(checkpoints, point, where=where)
        mailboxes: list[Any] | None = None
        attributes = data
        if self._inputs is not None:
            if data:
                attributes, mailboxes = _parts(data, where)
            self._restore_inputs(self._inputs, mailboxes, checkpoints, point, where=where, log=log)
        if attributes:
            self._attributes.restore(attributes)
        return data is not None

    def _restore_inputs(
        self,
        inputs: OptionalInputs,
        mailboxes: list[Any] | None,
        checkpoints: Sequence[Checkpoint],
        point: Position,
        *,
        where: str,
        log: Log,
    ) -> None:
        version = max((one.round for one in checkpoints if one.epoch == LOG_EPOCH), default=0)
        data = load(checkpoints, (LOG_EPOCH, version), where=where) if version else None
        since = inputs.admissions.restore(mailboxes, decode_log(data, where) if data else None, version)
        if since > point:
            log(
                _WARNING,
                f"what its optional inputs had in rounds {point[1] + 1} to {since[1]} is not known any more",
            )


def _parts(data: bytes, where: str) -> tuple[bytes, list[Any]]:
    found = msgpack_codec.decode(data)
    if (
        isinstance(found, list)
        and len(found) == 2
        and isinstance(found[0], bytes)
        and isinstance(found[1], list)
    ):
        return found[0], found[1]
    raise RunError("the stored state is of another kind", where=where)
