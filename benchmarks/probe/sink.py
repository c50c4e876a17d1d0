"""The sink of every chain: checks every block, counts, and measures rate or latency."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.probe.figures import latency_figures, rate_figures
from benchmarks.probe.pattern import FULL_CHECK, is_whole, pattern_sum
from benchmarks.probe.source import STAMP_SHIFT
from benchmarks.workloads import Plan

SLOW_SECONDS = 0.001
"""What the slow sink of a growth run sleeps per block."""


class Sink:
    """Takes the blocks of one run: call `take(block)` for each, then `result()` once.

    `next` is the sequence number that must come now. A higher one means that the blocks between are lost, a
    lower one that this block came twice (or too late, which counts as both lost and duplicate).
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.next = 1
        self.lost = self.again = self.corrupt = 0
        self.first = 0.0
        """Monotonic time of the first block; 0 as long as there is none."""
        self.marks: list[tuple[int, float]] = []
        """How many blocks had come, and when: every `mark` blocks."""
        self.latencies: list[tuple[float, float]] = []
        """When a paced block came, and how long it had been under way (s)."""
        self._mask = plan.workload.mark - 1
        self._elements = plan.workload.elements
        self._sum = pattern_sum(self._elements) if self._elements else 0.0
        self.take: Callable[[Any], None] = self._method()

    @property
    def received(self) -> int:
        """Blocks that came, duplicates too."""
        return self.next - 1 - self.lost + self.again

    def result(self) -> dict[str, float]:
        """Return what the report of the sink says: counts, and rate or latency of the time that counts."""
        counts = {
            "received": self.received,
            "last": self.next - 1,
            "gaps": self.lost,
            "duplicates": self.again,
            "corrupt": self.corrupt,
            "first": self.first,
        }
        begin = self.first + self.plan.warmup
        if self.plan.paced:
            return counts | latency_figures(self.latencies, begin)
        return counts | rate_figures(self.marks, begin, begin + self.plan.seconds)

    def _method(self) -> Callable[[Any], None]:
        if self.plan.paced:
            return self._paced_array if self._elements else self._paced_int
        if self.plan.kind == "growth":
            return self._slow
        return self._fast_array if self._elements else self._fast_int

    def _fast_int(self, block: int) -> None:
        if block == self.next:
            self.next = block + 1
        else:
            self._jump(block)
        if not block & self._mask or block == 1:
            self._mark()

    def _fast_array(self, block: Any) -> None:
        number = int(block.item(0))
        if number == self.next:
            self.next = number + 1
        else:
            self._jump(number)
        if block.item(-1) != number or (number % FULL_CHECK == 1 and not self._whole(block)):
            self.corrupt += 1
        if not number & self._mask or number == 1:
            self._mark()

    def _slow(self, block: Any) -> None:
        """Sleep for as long as the run counts; afterwards work off what has piled up."""
        if not self.first or time.monotonic() - self.first < self.plan.warmup + self.plan.seconds:
            time.sleep(SLOW_SECONDS)
        if self._elements:
            self._fast_array(block)
        else:
            self._fast_int(block)

    def _paced_int(self, block: int) -> None:
        now = time.monotonic_ns()
        number = block & ((1 << STAMP_SHIFT) - 1)
        if number == self.next:
            self.next = number + 1
        else:
            self._jump(number)
        self._latency(now / 1e9, (now - (block >> STAMP_SHIFT)) / 1e9)

    def _paced_array(self, block: Any) -> None:
        now = time.monotonic()
        number = int(block.item(0))
        if number == self.next:
            self.next = number + 1
        else:
            self._jump(number)
        if block.item(-1) != number or not self._whole(block):
            self.corrupt += 1
        self._latency(now, now - block.item(1))

    def _whole(self, block: Any) -> bool:
        return is_whole(block, self._elements, self._sum)

    def _mark(self) -> None:
        now = time.monotonic()
        self.first = self.first or now
        self.marks.append((self.received, now))

    def _latency(self, now: float, latency: float) -> None:
        self.first = self.first or now
        self.latencies.append((now, latency))

    def _jump(self, number: int) -> None:
        if number > self.next:
            self.lost += number - self.next
            self.next = number + 1
        else:
            self.again += 1
