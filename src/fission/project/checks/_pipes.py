"""Rules about pipes: their class attributes and methods."""

import math
from collections.abc import Callable, Iterator

from fission.core.network import Network
from fission.core.pipes import ArrayPipe, BasePipe, OptionalMixIn
from fission.core.pipes.arrays import checked_dtype, checked_shape
from fission.errors import PipeError
from fission.project.checks._check import Check, Finding, check
from fission.project.returns import gives_nothing
from fission.project.settings import describe

Fits = Callable[[object], bool]


def _pipes(network: Network) -> Iterator[BasePipe]:
    """Yield every pipe of the jobs once, including those that lack an end."""
    pipes = {pipe.id: pipe for job in network.jobs for pipe in [*job.outputs, *job.inputs]}
    yield from (pipes[id] for id in sorted(pipes))


def _setting(id: str, name: str, expected: str, fits: Fits, kind: type = BasePipe) -> Check:
    """Return a check of one class attribute of pipes of a class."""

    @check(id, f"{name} of a pipe is not {expected}")
    def find(network: Network) -> Iterator[Finding]:
        for pipe in _pipes(network):
            if isinstance(pipe, kind) and not fits(getattr(pipe, name)):
                found = describe(getattr(pipe, name))
                yield Finding(str(pipe), f"{name}: expected {expected}, found {found}")

    return find


def _whole(least: int) -> Fits:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _truth(value: object) -> bool:
    return isinstance(value, bool)


def _one_of(*words: str) -> Fits:
    return lambda value: value in words


def _seconds(value: object) -> bool:
    return value is None or (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    )


def _size(value: object) -> bool:
    return bool(value) if isinstance(value, str) else _whole(1)(value)


def _dtype(value: object) -> bool:
    try:
        checked_dtype(value, "")
    except PipeError:
        return False
    return True


def _shape(value: object) -> bool:
    try:
        checked_shape(value, "")
    except PipeError:
        return False
    return True


@check("E313", "nothing reads the protocol that BLOCK_SIZE of a pipe names")
def _protocol(network: Network) -> Iterator[Finding]:
    for pipe in _pipes(network):
        if isinstance(pipe.BLOCK_SIZE, str) and type(pipe).read is BasePipe.read:
            yield Finding(
                str(pipe),
                f"BLOCK_SIZE is {pipe.BLOCK_SIZE!r}, a protocol of variable length without a method that reads it",
                f"Write def read(self, file) in {type(pipe).__name__}, or set BLOCK_SIZE to a number of bytes",
            )


@check("W316", "DEADLINE of a pipe has no effect")
def _useless_deadline(network: Network) -> Iterator[Finding]:
    for pipe in _pipes(network):
        if pipe.DEADLINE is not None and pipe.DELIVERY == "exact":
            yield Finding(
                str(pipe), "DEADLINE has no effect: an exact pipe is waited for", 'Set DELIVERY = "live"'
            )


@check("W324", "a method of a pipe that converts blocks returns nothing")
def _no_value(network: Network) -> Iterator[Finding]:
    for pipe in _pipes(network):
        kind = type(pipe)
        for name in ("pack", "unpack", "read", "read_wrapper", "get_dummy"):
            method = getattr(kind, name, None)
            if method is not None and gives_nothing(method):
                yield Finding(
                    str(pipe),
                    f"{name} of {kind.__name__} returns nothing, so that every value becomes None",
                    f"Is a `return` missing in {name}?",
                )


PIPE_CHECKS = (
    _setting("E311", "BLOCK_COUNT", "1 or more", _whole(1)),
    _setting("E312", "BLOCK_SIZE", "a number of bytes or the name of a protocol", _size),
    _protocol,
    _setting("E314", "ASYNC", "True or False", _truth),
    _setting("E315", "DELIVERY", '"exact" or "live"', _one_of("exact", "live")),
    _setting("E316", "DEADLINE", "seconds or None", _seconds),
    _useless_deadline,
    _setting("E317", "RETAIN", "a number of bytes", _whole(1)),
    _setting("E318", "DTYPE", "a dtype of numpy for numbers, text or fields of them", _dtype, ArrayPipe),
    _setting("E319", "SHAPE", "a tuple of lengths, None for any", _shape, ArrayPipe),
    _setting("E321", "OPTIONAL_STORE", "True or False", _truth, OptionalMixIn),
    _setting("E322", "OPTIONAL_BUFFER_SIZE", "a number of values, 0 for no limit", _whole(0), OptionalMixIn),
    _setting(
        "E323", "OPTIONAL_DELETE_MODE", '"oldest" or "newest"', _one_of("oldest", "newest"), OptionalMixIn
    ),
    _no_value,
)
