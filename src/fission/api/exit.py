"""Networks that still run when the program ends are stopped, before the interpreter ends its threads.

The functions of `atexit` are called too late: by then the interpreter refuses new work for threads, which the orderly end of
a network needs. The module threading has a list of its own for this, which concurrent.futures uses; it has no public name.
"""

import atexit
import concurrent.futures.thread  # noqa: F401 - its entry in that list must be older than ours
import threading
from typing import Protocol

__all__ = ["forget", "stop_at_exit"]


class Stoppable(Protocol):
    """Something that runs."""

    def stop(self) -> None:
        """End it, and wait for the end."""


_running: set[Stoppable] = set()


def stop_at_exit(running: Stoppable) -> None:
    """Stop this when the program ends, unless it is forgotten before."""
    _running.add(running)


def forget(stopped: Stoppable) -> None:
    """It has ended."""
    _running.discard(stopped)


def _stop_all() -> None:
    for one in list(_running):
        one.stop()


getattr(threading, "_register_atexit", atexit.register)(_stop_all)
