"""The jobs of these tests. They travel to their processes by name."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fission import ArrayPipe, PicklePipe, PythonJob


class Count(PythonJob):
    """1, 2, ... up to `last`; after a restart it counts on."""

    def __init__(self, last: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.last = last
        self.number = 0

    def run(self) -> int | None:
        if self.number >= self.last:
            return None
        self.number += 1
        return self.number

    def snapshot(self) -> int:
        return self.number

    def restore(self, number: int) -> None:
        self.number = number


class Sum(PythonJob):
    """The sum so far: wrong after a block that is lost or comes twice. Its process is killed in the round `fatal`, once."""

    def __init__(self, *, fatal: int = 0, **rest: Any) -> None:
        super().__init__(**rest)
        self.sum = 0
        self.fatal = fatal
        self.mark = Path("killed").absolute()

    def run(self, number: int) -> int:
        self.sum += number
        if number == self.fatal and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.sum


class Fail(PythonJob):
    """Raises in the round of the block `at`."""

    def __init__(self, at: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.at = at

    def run(self, number: int) -> int:
        if number == self.at:
            raise ValueError("boom")
        return number


class Print(PythonJob):
    def run(self, value: object) -> None:
        print("got", value)  # noqa: T201


class Ramp(PythonJob):
    """Arrays of four numbers."""

    def run(self) -> Iterator[np.ndarray]:
        for first in range(5):
            yield np.arange(first, first + 4.0)


def sums(last: int, *, fatal: int = 0) -> list[PythonJob]:
    """A counter and the sums, whose pipe 2 nobody reads."""
    return [
        Count(last, outputs=[PicklePipe(1)]),
        Sum(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)], fatal=fatal),
    ]


def expected(last: int) -> list[int]:
    return [n * (n + 1) // 2 for n in range(1, last + 1)]


def ramp() -> list[PythonJob]:
    return [Ramp(outputs=[ArrayPipe(5, "f8", (4,))])]
