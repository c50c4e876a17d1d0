"""The base of all jobs: an id, a name, pipes, and settings as class attributes."""

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
    """A program with input and output pipes. User code inherits from `PythonJob`, not from this class.

    `__init__` runs on the client; the object is then pickled and sent to its node, where `setup` runs. A subclass
    with its own `__init__` calls `super().__init__` and passes `inputs` and `outputs` to it.

    The order of the pipes matters: `run` gets its arguments in the order of `inputs`, and a tuple that it
    returns has one item per output in the order of `outputs`.
    """

    GROUPS: str | Sequence[str] = ALL
    """Groups whose nodes may run the job: one, or several in order of preference."""

    DEFAULT_NODE: str | None = None
    """Address of the node that is tried first; with `GROUPS = []` the only one allowed."""

    HEAD: bool = False
    """Whether the job looks at the heads of its blocks, or sets them."""

    MAX_QUEUE: int = 0
    """Rounds that may wait at an input; 0: a limit that the system chooses."""

    STATE: str = "auto"
    """The state that is kept for a restart: "auto", the attributes of the job; or "none"."""

    CHECKPOINT_INTERVAL: float = 1.0
    """Seconds between two copies of the job's state."""

    PROGRESS_TIMEOUT: float | None = None
    """Seconds that one round may take before the process is restarted; 0: no limit; None: as config.py says."""

    DEPENDENCIES: str | ModuleType | Sequence[str | ModuleType] | None = None
    """Files that the job needs: a folder, a module, or a list of at most one folder and any number of modules."""

    resumed: bool = False
    """Whether this process continues a stream that an earlier process of the job began; known from `setup` on."""

    repeating: bool = False
    """Whether this round was computed before the restart, and at least one receiver has its block already."""

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
        """The name in messages: class and id, unless another one was given."""
        return self._name or f"{type(self).__name__} {self.id}"

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Prepare for the first round; called once, on the node, in the job's own folder.

        Override it to create what cannot be pickled (open files, devices, models), and call
        `super().setup(*args, **kwargs)` first.
        """

    def teardown(self) -> None:
        """Release resources; called once after the last round, also when the network is stopped and after an error."""

    def preference(self, nodes: Sequence[NodeInfo]) -> NodeInfo | None:  # noqa: ARG002 - for overriding
        """Return one of the nodes that could run the job now, or None to leave the choice to the system."""
        return None

    def is_source(self) -> bool:
        """Return whether the job has no inputs."""
        return not self.inputs

    def is_sink(self) -> bool:
        """Return whether the job has no outputs."""
        return not self.outputs

    def is_connector(self) -> bool:
        """Return whether the job has inputs and outputs."""
        return bool(self.inputs and self.outputs)

    def is_async(self) -> bool:
        """Return whether the job has inputs, all of them asynchronous."""
        return bool(self.inputs) and all(pipe.ASYNC for pipe in self.inputs)

    def __repr__(self) -> str:
        return f"<{self.name}>" if "id" in self.__dict__ else f"<{type(self).__name__} without id>"


class LocalJob(BaseJob):
    """A mix-in for job classes: the job runs on the client, in `<network>/local/<id>/`."""

    GROUPS = LOCAL


def is_origin(job: BaseJob) -> bool:
    """Return whether a job starts the numbering of blocks: it has outputs, and no synchronous input."""
    return bool(job.outputs) and all(pipe.ASYNC for pipe in job.inputs)


def is_replayable(job: BaseJob) -> bool:
    """Return whether a job class defines `snapshot` and `restore`, so that an origin can resume after its last block."""
    return all(callable(getattr(type(job), name, None)) for name in ("snapshot", "restore"))


def has_state(job: BaseJob) -> bool:
    """Return whether the state of a job is kept. That of a live origin is not, as it restarts its numbering at 1."""
    return is_replayable(job) or (job.STATE == "auto" and not is_origin(job))


def _pipes(kind: type, side: str, given: object) -> list[BasePipe]:
    """Check the pipes passed as inputs or outputs, and return them as a list."""
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
