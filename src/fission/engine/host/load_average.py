"""The load of this machine: free processor time, memory and disk, used swap, as averages of about 3 s."""

from collections import deque
from pathlib import Path

import psutil

from fission.core.nodes import NodeInfo

SAMPLES = 3
"""Samples of an average, one per second."""


class LoadMeter:
    """Averages of the load. Call `sample` about once a second. `folder` selects the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._samples: deque[tuple[float, int, int, float]] = deque(maxlen=SAMPLES)
        psutil.cpu_percent()  # the next call measures the time since this one
        self._first = True

    def sample(self) -> NodeInfo:
        """Take a sample, and return the averages."""
        busy = psutil.cpu_percent()
        if self._first and busy == 0.0:  # the first interval is too short to measure
            busy = 100.0 - 100.0 / (1.0 + psutil.getloadavg()[0] / (psutil.cpu_count() or 1))
        self._first = False
        self._samples.append(
            (
                100.0 - busy,
                psutil.virtual_memory().available,
                _free(self._folder),
                psutil.swap_memory().percent,
            )
        )
        count = len(self._samples)
        cpu, memory, disk, swap = (sum(column) for column in zip(*self._samples, strict=True))
        return NodeInfo(
            round(cpu / count, 1), round(memory / count), round(disk / count), round(swap / count, 1)
        )


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return psutil.disk_usage(str(folder)).free
    except OSError:
        return 0
