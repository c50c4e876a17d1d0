"""Jobs that are programs in any language, connected by named pipes or inherited file descriptors."""

from __future__ import annotations

from fission.core.groups import ALL
from fission.core.jobs.base import BaseJob

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType

    from fission.core.pipes.base import BasePipe

__all__ = ["DynamicExecutableJob", "DynamicMARVELOJob", "ExecutableJob", "MARVELOJob"]


class ExecutableJob(BaseJob):
    """A program in any language. It reads and writes blocks as plain bytes, through one named pipe per pipe.

    It is started once, in the job's folder, as

        EXECUTABLE PARAMETERS... INPUT_FLAG path  (for each input)  OUTPUT_FLAG path  (for each output)

    In every round it reads `BLOCK_COUNT` blocks from each input and writes one block to each output; its n-th block
    on an output belongs to round n. It ends when its inputs have ended.
    """

    EXECUTABLE: str = ""
    """The command: a file of the dependency folder, or a program that is installed on the node."""

    PARAMETERS: str | Sequence[object] = ""
    """The arguments of the command: a list, or a string that is split as in a shell."""

    INPUT_FLAG: str = "-i"
    """The flag before the path of each input."""

    OUTPUT_FLAG: str = "-o"
    """The flag before the path of each output."""

    START_TIMEOUT: float | None = 30.0
    """Seconds within which the program has to open a named pipe that it is expected to use; None: no limit."""

    END_TIMEOUT: float | None = 30.0
    """Seconds without output after which a program that has not exited at the end of its inputs fails; None: no limit."""

    STATE: str = "none"
    """The memory of a program cannot be stored: after a failure it starts again with the first block that it needs."""

    INHERITS: bool = False
    """Whether the program receives numbers of open file descriptors in place of paths of named pipes."""

    head_size: int = 1
    """Bytes of a head; the network's `HEAD_SIZE`, known in the job's own process."""


class MARVELOJob(ExecutableJob):
    """An `ExecutableJob` that gets the numbers of open file descriptors in place of paths of named pipes."""

    INHERITS = True


class DynamicExecutableJob(ExecutableJob):
    """An `ExecutableJob` with its settings as arguments, so that it needs no class of its own.

    Empty `groups` mean "ALL", empty `dependencies` mean none.
    """

    def __init__(
        self,
        dependencies: str | ModuleType | Sequence[str | ModuleType] | None,
        executable: str,
        parameters: str | Sequence[object] = "",
        groups: str | Sequence[str] = "",
        input_flag: str = "-i",
        output_flag: str = "-o",
        head: bool = False,
        inputs: Iterable[BasePipe] | None = None,
        outputs: Iterable[BasePipe] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(inputs, outputs, name=name)
        self.DEPENDENCIES = dependencies or None
        self.EXECUTABLE = executable
        self.PARAMETERS = parameters
        self.GROUPS = groups or ALL
        self.INPUT_FLAG = input_flag
        self.OUTPUT_FLAG = output_flag
        self.HEAD = head


class DynamicMARVELOJob(DynamicExecutableJob, MARVELOJob):
    """A `MARVELOJob` with its settings as arguments, the same as those of `DynamicExecutableJob`."""
