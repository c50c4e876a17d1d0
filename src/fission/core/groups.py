"""Groups: names that join jobs to the nodes that may run them."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ALL", "LOCAL", "names"]

ALL = "ALL"
"""The group of every server."""

LOCAL = "LOCAL"
"""The group of the client alone."""


def names(groups: str | Iterable[str]) -> tuple[str, ...]:
    """Return what a `GROUPS` attribute says as names, in order, each once."""
    given = (groups,) if isinstance(groups, str) else groups
    return tuple(dict.fromkeys(given))
