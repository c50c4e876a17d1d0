"""Memory of a run over time: what all its processes together hold while a fast source meets a slow sink."""

import statistics
from collections.abc import Sequence
from contextlib import suppress

import psutil

EVERY_SECONDS = 0.25


class MemoryWatch:
    """Call `look(age)` often; it sums the resident sizes of all descendants every EVERY_SECONDS."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = []
        """Seconds since the start, bytes."""

    def look(self, age: float) -> None:
        """Take a sample if it is time."""
        if self.samples and age - self.samples[-1][0] < EVERY_SECONDS:
            return
        total = 0.0
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_info().rss
        self.samples.append((age, total))

    def figures(self, begin: float, end: float) -> dict[str, float]:
        """Return sizes in bytes and growth in bytes per second between two times (seconds after the start).

        `growth` is over the second half: queues that fill up to a bound are full by then.
        """
        inside = [sample for sample in self.samples if begin <= sample[0] <= end]
        if len(inside) < 4:
            return {}
        late = [sample for sample in inside if sample[0] >= (begin + end) / 2]
        sizes = [size for _, size in inside]
        return {"size_first": sizes[0], "size_last": sizes[-1], "size_max": max(sizes), "growth": slope(late)}


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope of (x, y) pairs; 0 for fewer than two."""
    if len(samples) < 2:
        return 0.0
    return statistics.linear_regression([x for x, _ in samples], [y for _, y in samples]).slope
