"""The arguments of one call of a job's emulator, as blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fission.core.head import WIRE_RESET, Head
from fission.core.jobs import BaseJob
from fission.emulate.neighbors import Blocks
from fission.errors import UserError
from fission.runtime.data.ports import OutPort

__all__ = ["RoundInput", "round_inputs"]


@dataclass(slots=True)
class RoundInput:
    """The blocks of one round: those of optional inputs are sent before those that the job waits for."""

    optional: list[tuple[OutPort, Blocks]] = field(default_factory=list)
    waited_for: list[tuple[OutPort, Blocks]] = field(default_factory=list)
    reset: bool = False


def round_inputs(
    job: BaseJob, feeds: Sequence[OutPort], values: Sequence[Any], head: object, head_size: int
) -> RoundInput:
    """Check and encode the arguments of a call. `feeds` may have one more than the job has inputs: the gate.

    Raises UserError for wrong arguments, and the errors of the pipes for values that they cannot carry.
    """
    inputs = job.inputs
    if len(values) != len(inputs):
        raise UserError(
            "wrong number of values",
            where=f"emulator of {job.name}",
            expected=f"one per input: {len(inputs)}",
            found=str(len(values)),
        )
    heads = _heads(job, head)
    result = RoundInput()
    for feed, value, given in zip(feeds[: len(inputs)], values, heads, strict=True):
        wires = _wires(given, feed.pipe.BLOCK_COUNT, head_size)
        if any(wire & WIRE_RESET for wire in wires):
            result.reset = True
            wires = [wire & ~WIRE_RESET for wire in wires]  # the sender sets it where it belongs
        if not feed.pipe.ASYNC:
            blocks = [feed.encode(one) for one in _values(feed, value)]
            result.waited_for.append((feed, list(zip(blocks, wires, strict=True))))
        elif value is not None:
            result.optional.append((feed, [(feed.encode(value), wires[0])]))
    for gate in feeds[len(inputs) :]:
        wire = _wires(head, 1, head_size)[0] if not inputs and not _is_list(head) else 0
        result.waited_for.append((gate, [(gate.encode(None), wire & ~WIRE_RESET)]))
    return result


def _values(feed: OutPort, value: Any) -> Sequence[Any]:
    wanted = feed.pipe.BLOCK_COUNT
    if wanted == 1:
        return (value,)
    if not isinstance(value, list | tuple) or len(value) != wanted:
        found = f"{len(value)} values" if isinstance(value, list | tuple) else type(value).__name__
        raise UserError(
            "wrong value",
            where=str(feed.pipe),
            expected=f"a list of {wanted} values, its BLOCK_COUNT",
            found=found,
        )
    return value


def _heads(job: BaseJob, head: object) -> Sequence[object]:
    """One entry per input."""
    inputs = job.inputs
    if not _is_list(head):
        return [head] * len(inputs)
    if not isinstance(head, list | tuple) or len(head) != len(inputs):
        raise UserError(
            "wrong number of heads",
            where=f"emulator of {job.name}",
            expected=f"one head, or a list of one per input: {len(inputs)}",
            found=repr(head),
        )
    return head


def _wires(head: object, count: int, size: int) -> list[int]:
    """The wire heads of `count` blocks of one input."""
    if not isinstance(head, list | tuple):
        return [_wire(head, size)] * count
    if len(head) != count:
        raise UserError(
            "wrong number of heads", expected=f"one per block: {count}", found=repr(head), where="head"
        )
    return [_wire(one, size) for one in head]


def _wire(head: object, size: int) -> int:
    if head is None:
        return 0
    if not isinstance(head, int | Head):
        raise UserError("wrong head", expected="a Head, an int or None", found=repr(head), where="head")
    return (head if isinstance(head, Head) else Head(head, size)).to_wire()


def _is_list(head: object) -> bool:
    return isinstance(head, list | tuple)
