"""The report of a measured process about itself: age, memory, CPU time; as report.json in its working directory.

Linux only where /proc is read; a figure that the system does not give is left out.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

REPORT = "report.json"


class Report:
    """Make one where the process gets into the user's hands, `write` it once at the end."""

    def __init__(self) -> None:
        self.age = process_age()

    def write(self, figures: Mapping[str, float]) -> None:
        """Write the figures and those of the process to report.json, for the harness to read."""
        own = {"pid": os.getpid(), "age": self.age, "cpu": time.process_time()} | memory()

        import json  # after memory() was read, which it would add to

        Path(REPORT).write_text(json.dumps(own | dict(figures)), encoding="utf-8")


def process_age() -> float:
    """Seconds since the kernel made this process (resolution: a tick, 10 ms); NaN where it is not known."""
    try:
        stat = Path("/proc/self/stat").read_text(encoding="ascii")
        ticks = int(stat.rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return float("nan")


def memory() -> dict[str, float]:
    """Resident, proportional and private size of this process in bytes (private: freed when it ends)."""
    names = {"Rss": "rss", "Pss": "pss", "Private_Clean": "private", "Private_Dirty": "private"}
    sizes: dict[str, float] = {}
    try:
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return sizes
    for line in lines:
        name, _, value = line.partition(":")
        if name in names:
            sizes[names[name]] = sizes.get(names[name], 0.0) + int(value.split()[0]) * 1024
    return sizes


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that started it ends, however it ends (Linux)."""
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    try:
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    except AttributeError:
        return
