"""Jobs of the tests of data connections: their processes import this module."""

import itertools
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from fission.core.jobs import PythonJob
from fission.core.pipes import ArrayPipe

FACTOR = 2654435761


def block(number: int, size: int) -> Any:
    """The block with this number: `size` bytes, none like another."""
    return np.arange(number, number + size // 8, dtype=np.uint64) * np.uint64(FACTOR)


class Blocks(PythonJob):
    """Sends blocks: `count` of them, or until there is a file "stop"; with a pause of `delay` seconds."""

    def __init__(self, size: int, count: int = 0, delay: float = 0.0, **ends: Any) -> None:
        super().__init__(**ends)
        self.size, self.count, self.delay = size, count, delay

    def run(self) -> Iterator[Any]:
        number = 0
        while number < self.count if self.count else not os.path.exists("stop"):
            number += 1
            yield block(number, self.size)
            if self.delay:
                time.sleep(self.delay)


class Forward(PythonJob):
    """Hands on what it gets."""

    def run(self, one: Any) -> Any:
        return one


class Check(PythonJob):
    """Compares every block with what it has to be, and leaves "result.json"."""

    def __init__(self, size: int, pause: float = 0.0, **ends: Any) -> None:
        super().__init__(**ends)
        self.size, self.pause = size, pause

    def setup(self, *args: Any, **kwargs: Any) -> None:
        super().setup(*args, **kwargs)
        self.next = 1
        self.wrong: list[int] = []

    def run(self, one: Any) -> None:
        if not np.array_equal(one, block(self.next, self.size)):
            self.wrong.append(self.next)
        self.next += 1
        if self.pause:
            time.sleep(self.pause)

    def teardown(self) -> None:
        with open("result.json", "w", encoding="utf-8") as file:
            json.dump({"received": self.next - 1, "wrong": self.wrong[:10]}, file)


class Clock(PythonJob):
    """A live source: a block every `delay` seconds, as long as there is no file "stop". Tells in a file how far it is."""

    def __init__(self, size: int, delay: float, **ends: Any) -> None:
        super().__init__(**ends)
        self.size, self.delay = size, delay

    def setup(self, *args: Any, **kwargs: Any) -> None:
        super().setup(*args, **kwargs)
        self.shown = np.memmap("../count", np.uint64, "w+", shape=1)

    def run(self) -> Iterator[Any]:
        for number in itertools.count(1):
            if os.path.exists("stop"):
                return
            self.shown[0] = number
            yield block(number, self.size)
            time.sleep(self.delay)


class Slow(PythonJob):
    """Takes its time for every block that is no dummy; leaves in "result.json" how old they were, in blocks."""

    HEAD = True

    def __init__(self, pause: float, *, queue: int, **ends: Any) -> None:
        super().__init__(**ends)
        self.MAX_QUEUE = queue
        self.pause = pause
        self.ages: list[int] = []

    def run(self, one: Any) -> None:
        if self.head[0]:
            return
        shown = np.memmap("../count", np.uint64, "r", shape=1)
        self.ages.append(int(shown[0]) - int(one[0]) // FACTOR)
        time.sleep(self.pause)

    def teardown(self) -> None:
        with open("result.json", "w", encoding="utf-8") as file:
            json.dump({"ages": self.ages}, file)


class LivePipe(ArrayPipe):
    """New before old."""

    DELIVERY = "live"


def chain(size: int, *, count: int = 0, delay: float = 0.0, pause: float = 0.0) -> list[PythonJob]:
    """Source, forward and sink, joined by array pipes."""
    first, second = ArrayPipe(1), ArrayPipe(2)
    return [
        Blocks(size, count, delay, outputs=[first]),
        Forward(inputs=[first], outputs=[second]),
        Check(size, pause, inputs=[second]),
    ]
