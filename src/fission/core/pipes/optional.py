"""Optional pipes: the receiving job never waits for them."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from typing import Any

__all__ = ["OptionalMixIn"]


class OptionalMixIn:
    """A mix-in before a pipe class: `run` gets the next value or a default, and never waits.

    Waiting values are delivered oldest first, one per round; with `OPTIONAL_BUFFER_SIZE = 1` only the latest waits.

    ```python
    class OperatorPipe(OptionalMixIn, PicklePipe):
        OPTIONAL_DEFAULT = "*"
    ```
    """

    ASYNC: bool = True

    OPTIONAL_DEFAULT: Any = None
    """The value without a block; it passes through `unpack` of the pipe."""

    OPTIONAL_STORE: bool = True
    """Whether the last value is repeated until the next one arrives; else it is delivered once."""

    OPTIONAL_BUFFER_SIZE: int = 0
    """Values that may wait for delivery; 0: no limit of its own."""

    OPTIONAL_DELETE_MODE: str = "oldest"
    """Which value is dropped when the buffer is full: "oldest" or "newest"."""
