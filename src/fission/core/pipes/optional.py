"""Pipes that are never waited for."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from typing import Any

__all__ = ["OptionalMixIn"]


class OptionalMixIn:
    """Put it before a pipe class: `run` gets what has come, or a default, and never waits for it.

    Values that wait are given out oldest first, one per round; with `OPTIONAL_BUFFER_SIZE = 1` only the latest waits.

    ```python
    class OperatorPipe(OptionalMixIn, PicklePipe):
        OPTIONAL_DEFAULT = "*"
    ```
    """

    ASYNC: bool = True

    OPTIONAL_DEFAULT: Any = None
    """What `run` gets when there is no value; it passes through the pipe's `unpack`."""

    OPTIONAL_STORE: bool = True
    """Whether the last value stays until the next one comes; else it is given out once."""

    OPTIONAL_BUFFER_SIZE: int = 0
    """Values that may wait to be given out; 0: any number."""

    OPTIONAL_DELETE_MODE: str = "oldest"
    """Which one goes when there are too many: "oldest" or "newest"."""
