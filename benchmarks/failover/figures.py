"""From what the sink and the client wrote to figures. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime


def gap(arrivals: Sequence[tuple[float, int]], struck: float) -> float:
    """Return the seconds from a fault at `struck` to the first block at the sink that another process has made.

    `arrivals` has the time of every block, and the process that was struck or that took its place. nan when there is no block
    of another one. A process of which no block arrived before the fault is unknown: the first one afterwards counts as it.
    """
    before = [pid for when, pid in arrivals if when <= struck]
    old = before[-1] if before else None
    for when, pid in arrivals:
        if when > struck:
            if old is not None and pid != old:
                return when - struck
            old = pid
    return float("nan")


def first_line_after(log: str, pattern: str, struck: float) -> float:
    """Return the seconds from wall-clock time `struck` to the first line of a log that matches; nan if there is none."""
    for line in log.splitlines():
        match = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3})", line)
        if match and re.search(pattern, line):
            when = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").timestamp() + int(match[2]) / 1000
            if when >= struck - 0.001:
                return max(0.0, when - struck)
    return float("nan")
