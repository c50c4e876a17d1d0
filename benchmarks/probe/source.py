"""The source of every chain: blocks with a sequence number, as fast as they are taken or at a fixed rate."""

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from benchmarks.probe.pattern import make_array
from benchmarks.workloads import Plan

STAMP_SHIFT = 20
"""A paced int is `send time in ns << STAMP_SHIFT | sequence number`."""


class Source:
    """Makes the blocks of one run; iterate over `blocks()` once, then read `sent`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sent = -1
        """Blocks that were made; -1 until the last one has been taken."""
        self.late = 0
        """Paced blocks that left more than a period too late, because the chain did not take them in time."""

    def blocks(self) -> Iterator[Any]:
        """Yield the blocks. An array is the same object every time, changed in place, as users do."""
        if self.plan.paced:
            return self._paced_arrays() if self.plan.workload.elements else self._paced_ints()
        return self._fast_arrays() if self.plan.workload.elements else self._fast_ints()

    def result(self) -> dict[str, float]:
        """Return what the report of the source says."""
        return {"sent": self.sent, "late": self.late}

    def _fast_ints(self) -> Iterator[int]:
        clock, step, number = time.monotonic, self.plan.workload.mark, 0
        end = clock() + self.plan.source_seconds
        while clock() < end:
            for number in range(number + 1, number + step + 1):  # noqa: B020 - goes on where it stopped
                yield number
        self.sent = number

    def _fast_arrays(self) -> Iterator[Any]:
        clock, step, number = time.monotonic, self.plan.workload.mark, 0
        block = make_array(self.plan.workload.elements)
        end = clock() + self.plan.source_seconds
        while clock() < end:
            for number in range(number + 1, number + step + 1):  # noqa: B020 - goes on where it stopped
                block[0] = block[-1] = number
                yield block
        self.sent = number

    def _paced_ints(self) -> Iterator[int]:
        for number in self._ticks():
            yield time.monotonic_ns() << STAMP_SHIFT | number

    def _paced_arrays(self) -> Iterator[Any]:
        block = make_array(self.plan.workload.elements)
        for number in self._ticks():
            block[0] = block[-1] = number
            block[1] = time.monotonic()
            yield block

    def _ticks(self) -> Iterator[int]:
        """Yield 1, 2, 3, ... at the workload's rate, by a fixed schedule."""
        period = 1.0 / self.plan.workload.rate
        start = time.monotonic()
        for number in count(1):
            due = start + (number - 1) * period
            if due - start >= self.plan.source_seconds:
                break
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            elif -wait > period:
                self.late += 1
            yield number
            self.sent = number
