"""The number of file descriptors that this process may open."""

import contextlib
import resource

__all__ = ["descriptor_limit", "raise_descriptor_limit"]

_MOST = 1 << 16
"""Programs of users inherit the limit, and some close every descriptor below it when they start."""


def descriptor_limit() -> int:
    """Return the soft limit, at most 65,536: no process of FISSION needs more."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else min(soft, _MOST)


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, at most to 65,536; return the limit that holds now.

    The processes that are started later inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a container may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return descriptor_limit()
