"""Groups: names that assign jobs to the nodes that may run them."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ALL", "LOCAL", "names"]

ALL = "ALL"
"""The group of every server."""

LOCAL = "LOCAL"
"""The group that has only the client."""


def names(groups: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names in a `GROUPS` attribute, in order, without duplicates."""
    given = (groups,) if isinstance(groups, str) else groups
    return tuple(dict.fromkeys(given))
