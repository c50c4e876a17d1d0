"""Groups: names that join jobs to the nodes that may run them."""

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
