"""The title of a process of ours, as `ps`, `top` and `htop` show it.

The title replaces the arguments in the memory of the process, from which `/proc/PID/cmdline` is read. The library
setproctitle also overwrites the environment behind them, in which the reaper finds its processes; and it is one more dependency.
"""

import contextlib
import os

__all__ = ["set_title"]

_START, _END = 45, 46
"""Positions of `arg_start` and `arg_end` in `/proc/PID/stat`, behind the name of the program (see proc(5))."""


def set_title(name: str, title: str) -> None:
    """Set the short name of this process, of 15 characters at most, and its title. Nothing happens where the system refuses."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="utf-8") as comm:
        comm.write(name)
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        start, end = int(fields[_START]), int(fields[_END])
        text = os.fsencode(title)[: end - start - 1]  # behind a last byte that is not 0 the kernel reads on
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(text.ljust(end - start, b"\0"))
