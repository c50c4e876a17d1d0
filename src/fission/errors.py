"""All errors of fission, as one tree.

```
FissionError                    exit code 1
├── UserError                   exit code 2: the user's mistake
│   ├── ProjectError            a project or network folder: exists already, bad name, no permission
│   ├── StructureError          what a network is made of (also a RuntimeError)
│   │   ├── ConfigError         config.py: an unknown setting, a wrong type, an unreadable file
│   │   ├── NetworkError        a network that cannot work (has all its problems)
│   │   ├── JobDefinitionError  a job class or object that cannot work
│   │   ├── PipeError           a pipe class or object that cannot work, a block that does not fit it
│   │   └── AllocationError     no node may or can run a job
│   ├── HeadError               a value that is not a head (also a ValueError)
│   └── HeadIndexError          a bit that a head does not have (also an IndexError)
└── RunError                    a failure at run time
    ├── JobFailed               the user's code raised (has its traceback)
    ├── OutputError             what run returned does not fit the job's outputs
    └── ChannelError            a connection between two jobs
        └── ProtocolError       (has the last events)
            ├── LocalProtocolError    this side broke the protocol: a bug in fission
            └── RemoteProtocolError   the other side broke it: its connection is closed
```
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import ClassVar

__all__ = [
    "AllocationError",
    "ChannelError",
    "ConfigError",
    "FissionError",
    "HeadError",
    "HeadIndexError",
    "JobDefinitionError",
    "JobFailed",
    "LocalProtocolError",
    "NetworkError",
    "OutputError",
    "PipeError",
    "ProjectError",
    "ProtocolError",
    "RemoteProtocolError",
    "RunError",
    "StructureError",
    "UserError",
]


class FissionError(Exception):
    """Base of all. Its text is one line, built from its fields; fields that are empty are left out.

    `where` names the file, job, pipe or setting, `what` is the problem, `expected` and `found` are
    compared, `hint` suggests a fix. `exit_code` is what a command that fails with it returns.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, what: str, *, where: str = "", expected: str = "", found: str = "", hint: str = ""
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        contrast = [
            f"{word} {value}" for word, value in (("expected", self.expected), ("found", self.found)) if value
        ]
        if contrast:
            text += "; " + ", ".join(contrast)
        if self.hint:
            text += f". {self.hint}"
        return " ".join(text.split())

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[FissionError], args: tuple[object, ...], fields: dict[str, object]) -> FissionError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class UserError(FissionError):
    """A mistake of the user: nothing was started, and the text names all that has to be changed."""

    exit_code = 2


class ProjectError(UserError):
    """A project or network folder that cannot be made or used; nothing was written."""


class StructureError(UserError, RuntimeError):
    """An error in what a network is made of. The first FISSION raised a RuntimeError for it, which user code may catch."""


class ConfigError(StructureError):
    """An invalid config.py; `where` has the file and the setting."""


class NetworkError(StructureError):
    """A network that cannot work. `problems` has one line for each of them."""

    def __init__(self, what: str, *, problems: Iterable[object] = (), **fields: str) -> None:
        super().__init__(what, **fields)
        self.problems: tuple[str, ...] = tuple(map(str, problems))


class JobDefinitionError(StructureError):
    """A job class, or what was passed to it, that cannot work."""


class PipeError(StructureError):
    """A pipe class that cannot work, an id that is taken, or a block that does not fit its pipe."""


class HeadError(UserError, ValueError):
    """An invalid value or size of a head."""


class HeadIndexError(UserError, IndexError):
    """The index of a bit that the head does not have."""


class AllocationError(StructureError):
    """No node can run a job; the text names the job, its groups and why each node was refused."""


class RunError(FissionError):
    """A failure while a network was running or starting."""


class JobFailed(RunError):  # noqa: N818 - reads as what happened
    """The user's code of a job raised an exception.

    `job` is the job's name, `round` the number of the round that it did not complete (0: before the first,
    in setup), `traceback` the text of the user's traceback.
    """

    def __init__(self, what: str, *, job: str, round: int = 0, traceback: str = "", hint: str = "") -> None:
        place = f"round {round}" if round else "setup"
        super().__init__(what, where=f"job {job}, {place}", hint=hint)
        self.job = job
        self.round = round
        self.traceback = traceback


class OutputError(RunError):
    """What `run` returned cannot go out: a tuple of the wrong length, an object that a pipe cannot carry."""


class ChannelError(RunError):
    """A connection between two jobs failed."""


class ProtocolError(ChannelError):
    """The protocol between two jobs was broken. `events` are the last ones before it, oldest first."""

    def __init__(self, what: str, *, events: Iterable[object] = (), **fields: str) -> None:
        super().__init__(what, **fields)
        self.events: tuple[str, ...] = tuple(map(str, events))

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} (before that: {', '.join(self.events)})" if self.events else text


class LocalProtocolError(ProtocolError):
    """The local side broke it: a bug in fission, or a method called in a state that does not allow it."""


class RemoteProtocolError(ProtocolError):
    """The other side broke it: close the connection."""
