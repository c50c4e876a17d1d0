"""The base of all pipes: an id, the cache by id, settings as class attributes, and four stages.

A value passes through `pack` -> `write` when it is sent and `read` -> `unpack` when it is received. `pack` returns
what `write` accepts, and `read` returns what `unpack` accepts: bytes if `BLOCK_SIZE` is a number, any
object if the protocol (pickle, JSON) is in `write` and `read`. So a subclass of any pipe may override just
`pack` and `unpack` to convert its values.
"""

from __future__ import annotations

from io import BytesIO

from fission.core import registry
from fission.errors import PipeError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from typing import IO, Any

__all__ = ["BasePipe", "PipeType", "brief", "checked_count", "read_exactly"]

_MAX_ID = 0xFFFFFFFF


class PipeType(type):
    """Makes `SomePipe(id)` return one object per id, which is shared by both ends."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return the pipe with this id: the one that exists, else a new one.

        Raises PipeError when the pipe that exists is of another class, or was made with other arguments.
        """
        given = args[0] if args else kwargs.get("id")
        if given is not None:
            existing = registry.PIPES.get(cls._checked(given))
            if existing is not None:
                cls._same_class(existing)
                if len(args) + len(kwargs) == 1:
                    return existing
        pipe: BasePipe = type.__call__(cls, *args, **kwargs)
        # an __init__ of user code may omit super().__init__, or have a fixed id
        number = cls._checked(vars(pipe).setdefault("id", given))
        existing = registry.PIPES.setdefault(number, pipe)
        if existing is not pipe:
            cls._same_class(existing)
            cls._compare(existing, pipe)
        return existing

    def _checked(cls, number: object) -> int:
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _MAX_ID:
            raise PipeError(
                "wrong id", where=cls.__name__, expected="an integer, 0 or more", found=repr(number)
            )
        return number

    def _same_class(cls, existing: BasePipe) -> None:
        kind: type = type(existing)
        if kind is not cls:
            raise PipeError(
                "the id is taken",
                where=f"pipe {existing.id}",
                expected=f"{kind.__name__}, the class it was created with",
                found=cls.__name__,
                hint="Both ends of a pipe have the same class; another pipe needs another id",
            )

    def _compare(cls, existing: BasePipe, other: BasePipe) -> None:
        """Refuse arguments that differ from those that the pipe was made with."""
        for setting, value in vars(other).items():
            before = vars(existing).get(setting)
            if _differ(before, value):
                raise PipeError(
                    f"created again with another {setting}",
                    where=f"pipe {existing.id} ({cls.__name__})",
                    expected=repr(before),
                    found=repr(value),
                )


class BasePipe(metaclass=PipeType):
    """A directed, typed, ordered channel from one job to another.

    Calling a pipe class with the same id again returns the same object. A subclass sets `BLOCK_SIZE` and
    overrides `pack` and `unpack`:

    ```python
    class IntPipe(BasePipe):
        BLOCK_SIZE = 4

        def pack(self, obj):
            return obj.to_bytes(4, "little", signed=True)

        def unpack(self, data):
            return int.from_bytes(data, "little", signed=True)
    ```

    A pipe with blocks of variable length sets `BLOCK_SIZE` to the name of its protocol and overrides `read`, and
    `write` if blocks need a frame.
    An optional method `get_dummy(self)` returns the value that replaces a lost block.
    """

    BLOCK_SIZE: int | str = 1
    """Bytes of a block, or the name of a protocol of variable length."""

    BLOCK_COUNT: int = 1
    """Blocks per round of the receiving job, which gets them as a list if there is more than 1."""

    ASYNC: bool = False
    """Whether the receiving job never waits for this pipe."""

    SOURCE_JOBS: tuple[type[Any], ...] | list[type[Any]] = ()
    """Job classes allowed at the sending end; empty: all."""

    DESTINATION_JOBS: tuple[type[Any], ...] | list[type[Any]] = ()
    """Job classes allowed at the receiving end; empty: all."""

    DELIVERY: str = "exact"
    """exact: nothing is lost, the sender waits for a slow receiver; live: old blocks are dropped and replaced by dummies."""

    DEADLINE: float | None = None
    """On a live pipe: seconds that a round which has its other blocks waits for this one."""

    RETAIN: int = 16 << 20
    """Bytes that the sender keeps until they are acknowledged; at this limit its job waits."""

    id: int

    def __init__(self, id: int) -> None:
        self.id = id

    @property
    def source(self) -> Any:
        """The job (`BaseJob`) that writes to this pipe; None before it exists, and in the processes of jobs."""
        return self._end("outputs")

    @property
    def destination(self) -> Any:
        """The job (`BaseJob`) that reads from this pipe; None before it exists, and in the processes of jobs."""
        return self._end("inputs")

    def _end(self, side: str) -> Any:
        jobs = registry.JOBS.values()
        return next((job for job in jobs if any(pipe is self for pipe in getattr(job, side))), None)

    def pack(self, obj: Any) -> Any:
        """Turn a value into what `write` takes."""
        return obj

    def unpack(self, data: Any) -> Any:
        """Turn what `read` returned into the value."""
        return data

    def write(self, file: IO[bytes], data: Any) -> None:
        """Write one block to a binary file. Raises PipeError when it is not made of `BLOCK_SIZE` bytes."""
        try:
            view = memoryview(data)
        except TypeError:
            raise PipeError(
                "wrong type of block",
                where=str(self),
                expected="bytes",
                found=brief(data),
                hint="pack turns a value into bytes",
            ) from None
        if not isinstance(self.BLOCK_SIZE, str) and view.nbytes != self.BLOCK_SIZE:
            raise PipeError(
                "wrong length of block",
                where=str(self),
                expected=f"{self.BLOCK_SIZE} bytes",
                found=f"{view.nbytes} bytes",
            )
        file.write(view if view.c_contiguous else view.tobytes())

    def read(self, file: IO[bytes]) -> Any:
        """Read one block from a binary file; wait for all of it.

        Raises EOFError when the file has ended, PipeError when it ends within the block.
        """
        if isinstance(self.BLOCK_SIZE, str):
            raise PipeError(
                "blocks of variable length cannot be read",
                where=str(self),
                expected=f"a method read in {type(self).__name__}, or a number as BLOCK_SIZE",
                found=f"BLOCK_SIZE = {self.BLOCK_SIZE!r}",
            )
        return read_exactly(file, self.BLOCK_SIZE, where=str(self))

    def read_wrapper(self, file: IO[bytes]) -> bytes:
        """Read one block from a binary file and return it as the bytes that `write` makes of it.

        Used for the output of programs, where the value is not needed.
        """
        data = self.read(file)
        if isinstance(data, bytes) and not isinstance(self.BLOCK_SIZE, str):
            return data
        copy = BytesIO()
        self.write(copy, data)
        return copy.getvalue()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id})"

    def __str__(self) -> str:
        return f"pipe {self.id} ({type(self).__name__})"


def read_exactly(file: IO[bytes], count: int, *, where: str, begun: bool = False) -> bytes:
    """Read `count` bytes of a block, however few a read returns at once.

    Raises EOFError when there is none and the block has not `begun`, PipeError (with `where` for the error) when
    there are too few.
    """
    parts: list[bytes] = []
    missing = count
    while missing:
        part = file.read(missing)
        if not part and not parts and not begun:
            raise EOFError(f"{where}: no more blocks")
        if not part:
            raise PipeError(
                "the file ends within a block",
                where=where,
                expected=f"{count} bytes",
                found=f"{count - missing} bytes",
            )
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def brief(value: object) -> str:
    """Describe a value in an error: its type and the beginning of its repr."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def checked_count(value: object, setting: str, where: str, hint: str = "") -> int:
    """Return a number of bytes or blocks as an int. Raises PipeError when it is not a whole number of at least 1."""
    number = value.__index__() if hasattr(value, "__index__") else 0
    if not isinstance(number, int) or number < 1:
        raise PipeError(f"wrong {setting}", where=where, expected="1 or more", found=repr(value), hint=hint)
    return number


def _differ(one: object, other: object) -> bool:
    """Return whether two values are known to differ; False for objects that cannot be compared."""
    if one is other or type(other).__eq__ is object.__eq__:
        return False
    try:
        return not one == other  # noqa: SIM201 - arrays have no single answer to either
    except ValueError:
        return False
