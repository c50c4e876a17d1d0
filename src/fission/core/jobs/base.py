"""What all jobs have in common: an id, a name, pipes, and settings as class attributes."""

from __future__ import annotations

from fission.core import registry
from fission.core.groups import ALL, LOCAL
from fission.core.pipes.base import BasePipe
from fission.errors import JobDefinitionError

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType
    from typing import Any

    from fission.core.node_info import NodeInfo

__all__ = ["BaseJob", "LocalJob", "has_state", "is_origin", "is_replayable"]


class BaseJob:
    """A program with input and output pipes. Users inherit from `PythonJob`, not from this class.

    `__init__` runs on the client, the object is then pickled to its node, and `setup` runs there. A subclass
    with an `__init__` of its own calls `super().__init__` and passes `inputs` and `outputs` on.

    The order of the pipes counts: `run` gets its arguments in the order of `inputs`, and a tuple that it
    returns has one item per output in the order of `outputs`.
    """

    GROUPS: str | Sequence[str] = ALL
    """Groups whose nodes may run the job: one, or several in order of preference."""

    DEFAULT_NODE: str | None = None
    """Address of the node that is tried first; with `GROUPS = []` the only one allowed."""

    HEAD: bool = False
    """Whether the job looks at the heads of its blocks, or sets them."""

    MAX_QUEUE: int = 0
    """Rounds that may wait at an input; 0: as many as the system thinks good."""

    STATE: str = "auto"
    """What the system keeps for a restart: "auto", what `run` leaves in the job's attributes; or "none"."""

    CHECKPOINT_INTERVAL: float = 1.0
    """Seconds between two copies of the job's state."""

    DEPENDENCIES: str | ModuleType | Sequence[str | ModuleType] | None = None
    """What the job needs besides: a folder, a module, or a list (at most one folder, then modules)."""

    resumed: bool = False
    """Whether a process of this job has worked on the stream before, and this one goes on; known from `setup` on."""

    repeating: bool = False
    """Whether the round of this `run` was computed before the restart, and one receiver at least has it already."""

    id: int
    """1, 2, ... in the order of JOBS."""
    inputs: list[BasePipe]
    outputs: list[BasePipe]

    _name: str | None = None

    def __init__(
        self,
        inputs: Iterable[BasePipe] | None = None,
        outputs: Iterable[BasePipe] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        self.inputs = _pipes(type(self), "inputs", inputs)
        self.outputs = _pipes(type(self), "outputs", outputs)
        if name is not None:
            self._name = name
        self.id = max(registry.JOBS, default=0) + 1
        registry.JOBS[self.id] = self

    @property
    def name(self) -> str:
        """What people call the job: class and id, unless a name was given."""
        return self._name or f"{type(self).__name__} {self.id}"

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Prepare for the first round: called once, on the node, in the job's own folder.

        Override it for what cannot be pickled (open files, devices, models) and call
        `super().setup(*args, **kwargs)` first.
        """

    def teardown(self) -> None:
        """Tidy up: called once after the last round, also when the network is stopped and after an error."""

    def preference(self, nodes: Sequence[NodeInfo]) -> NodeInfo | None:  # noqa: ARG002 - for overriding
        """Choose one of the nodes that could run the job now, or None to leave it to the system."""
        return None

    def is_source(self) -> bool:
        """Whether the job has no inputs."""
        return not self.inputs

    def is_sink(self) -> bool:
        """Whether the job has no outputs."""
        return not self.outputs

    def is_connector(self) -> bool:
        """Whether the job has inputs and outputs."""
        return bool(self.inputs and self.outputs)

    def is_async(self) -> bool:
        """Whether the job has inputs and none of them is waited for."""
        return bool(self.inputs) and all(pipe.ASYNC for pipe in self.inputs)

    def __repr__(self) -> str:
        return f"<{self.name}>" if "id" in self.__dict__ else f"<{type(self).__name__} without id>"


class LocalJob(BaseJob):
    """Mixed in with a job class: the job runs on the client, in `<network>/local/<id>/`."""

    GROUPS = LOCAL


def is_origin(job: BaseJob) -> bool:
    """Whether a job numbers blocks by itself: it has outputs, and no input that it waits for."""
    return bool(job.outputs) and all(pipe.ASYNC for pipe in job.inputs)


def is_replayable(job: BaseJob) -> bool:
    """Whether a job says itself what its state is, so that an origin can go on where its predecessor stopped."""
    return all(callable(getattr(type(job), name, None)) for name in ("snapshot", "restore"))


def has_state(job: BaseJob) -> bool:
    """Whether a job's state is kept. That of a live origin is not: after a restart it counts from 1 again anyhow."""
    return is_replayable(job) or (job.STATE == "auto" and not is_origin(job))


def _pipes(kind: type, side: str, given: object) -> list[BasePipe]:
    """Check what was passed as inputs or outputs, and return it as a list."""
    where = f"{kind.__name__}, {side}"
    if given is None:
        return []
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        hint = f"Put it in a list: {side}=[...]" if isinstance(given, BasePipe) else ""
        raise JobDefinitionError(
            "wrong type", where=where, expected="a list of pipes", found=repr(given), hint=hint
        )
    pipes: list[BasePipe] = []
    for item in given:
        if not isinstance(item, BasePipe):
            hint = ""
            if isinstance(item, type) and issubclass(item, BasePipe):
                hint = f"Call the class with an id: {item.__name__}(101)"
            elif isinstance(item, int):
                hint = f"An id alone has no class: PicklePipe({item})"
            raise JobDefinitionError(
                "not a pipe", where=where, expected="a pipe", found=repr(item), hint=hint
            )
        pipes.append(item)
    return pipes
