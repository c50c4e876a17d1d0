"""Jobs whose processes are killed. Their outputs say what they computed, so that two runs can be compared."""

from itertools import count
from os import getpid
from pathlib import Path
from random import Random
from threading import Lock
from time import sleep
from zlib import crc32

import numpy as np

from fission.core.jobs import CSVSinkJob, FileSinkJob, PythonJob, SinkFile
from fission.core.pipes import OptionalPicklePipe, PicklePipe


class Single(PicklePipe):
    pass


class Optional(OptionalPicklePipe):
    pass


class Triple(PicklePipe):
    BLOCK_COUNT = 3


class Tight(PicklePipe):
    RETAIN = 2000


def last_one() -> None:
    """The last block of a stream is held back as long as there is a file `hold` beside the job's folder."""
    while Path("../hold").exists():
        sleep(0.005)


class Numbers(PythonJob):
    """A source that is not killed: 1, 2, ... `total`, in bursts of 20."""

    def __init__(self, total, pause=0.004, **pipes):
        super().__init__(**pipes)
        self.total, self.pause = total, pause

    def run(self):
        for number in range(1, self.total + 1):
            if number == self.total:
                last_one()
            yield number
            if number % 20 == 0:
                sleep(self.pause)


class Endless(PythonJob):
    """A live source that counts until there is a file `stop` beside its folder."""

    def run(self):
        for number in count(1):
            if number % 20 == 0:
                sleep(0.02)
                if Path("../stop").exists():
                    return
            yield number


class Paced(PythonJob):
    """A source, or a connector, that goes on at its first state after a restart, and says which rounds are repeated."""

    CHECKPOINT_INTERVAL = 1000.0

    def __init__(self, total, **pipes):
        super().__init__(**pipes)
        self.total, self.count = total, 0

    def run(self, _value=None):
        if self.count == self.total:
            return None
        self.count += 1
        with open("rounds", "a") as file:
            print(self.count, getpid(), self.repeating, file=file)
        if not self.repeating:
            sleep(0.002)
        return self.count

    def snapshot(self):
        return self.count

    def restore(self, state):
        self.count = state


class PacedGenerator(Paced):
    def run(self, _value=None):
        while (value := super().run()) is not None:
            yield value


class Mix(PythonJob):
    """No state: a value that depends on all that came in."""

    STATE = "none"

    def run(self, *values):
        return crc32(repr(values).encode())


class Source(PythonJob):
    """A source that says where it is: `run` is called for every block."""

    CHECKPOINT_INTERVAL = 0.05

    def __init__(self, total, pause=0.004, **pipes):
        super().__init__(**pipes)
        self.total, self.pause, self.count = total, pause, 0

    def run(self):
        if self.count == self.total:
            return None
        if self.count % 20 == 0:
            sleep(self.pause)
        self.count += 1
        if self.count == self.total:
            last_one()
        return self.count

    def snapshot(self):
        return self.count

    def restore(self, state):
        self.count = state


class Generator(Source):
    """The same with a generator."""

    def run(self):
        while self.count < self.total:
            self.count += 1
            if self.count == self.total:
                last_one()
            yield self.count
            if self.count % 20 == 0:
                sleep(self.pause)


class Sum(PythonJob):
    """A state that is made in `__init__`, in `setup`, and later; what is shared stays shared."""

    CHECKPOINT_INTERVAL = 0.05

    def __init__(self, **pipes):
        super().__init__(**pipes)
        self.total = 0
        self.history = []
        self.views = {"history": self.history, "job": self}
        self.random = Random(1)

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.rounds = 0
        self.lock = Lock()
        self.array = np.zeros(50)
        self.generator = np.random.default_rng(2)

    def run(self, *values):
        with self.lock:
            self.rounds += 1
        self.total = crc32(
            repr((values, self.random.random(), self.generator.integers(9))).encode(), self.total
        )
        self.history.append(self.total)
        del self.views["job"].views["history"][:-30]
        self.array[self.rounds % 50] += self.total
        self.late = getattr(self, "late", 0) + 1
        return [self.rounds, self.total, len(self.history), float(self.array.sum()), self.late]


class Pairs(PythonJob):
    """Writes what was joined, and what the head says of it."""

    HEAD = True

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.file = SinkFile("out.txt", where="Pairs", resumed=self.resumed)

    def run(self, *values):
        corrupted = [head[0] for head in self.in_heads]
        shown = ["-" if bad else value for value, bad in zip(values, corrupted, strict=True)]
        self.file.write(f"{'reset' if self.head[1] else ''},{shown[0]},{shown[1]}\n".encode())


class Hear(PythonJob):
    """A sink that nobody waits for."""

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.file = SinkFile("out.txt", where="Hear", resumed=self.resumed)

    def run(self, value):
        self.file.write(f"{value}\n".encode())
        sleep(0.2)


class Late(PythonJob):
    """No state until round 300."""

    CHECKPOINT_INTERVAL = 0.05

    def run(self, value):
        number = value[0]
        if number >= 300:
            self.sum = getattr(self, "sum", 0) + number
        return [number, getattr(self, "sum", None)]


class Table(CSVSinkJob):
    """Writes rows, and counts them."""

    CHECKPOINT_INTERVAL = 0.05

    def __init__(self, **pipes):
        super().__init__("out.txt", **pipes)
        self.rows = 0

    def run(self, *values):
        self.rows += 1
        super().run(self.rows, *values)


class Bytes(FileSinkJob):
    CHECKPOINT_INTERVAL = 0.05

    def __init__(self, **pipes):
        super().__init__("out.txt", **pipes)

    def run(self, *values):
        super().run(*(f"{value}\n" for value in values))


class Knob(PythonJob):
    """Sends 1, 2, ... `total` on an optional pipe, one each 10 ms, and is not killed."""

    def __init__(self, total, **pipes):
        super().__init__(**pipes)
        self.total = total

    def run(self):
        for number in range(1, self.total + 1):
            yield number
            sleep(0.01)


class Steady(PythonJob):
    """A source that counts until there is a file `stop` beside its folder."""

    STATE = "none"

    def run(self):
        for number in count(1):
            yield number
            if number % 20 == 0:
                sleep(0.01)
                if Path("../stop").exists():
                    return


class Tuned(PythonJob):
    """Returns its block, what its optional input had, and a digest of all that it has had so far."""

    CHECKPOINT_INTERVAL = 0.05

    def run(self, number, knob):
        self.digest = crc32(repr((number, knob)).encode(), getattr(self, "digest", 0))
        return [number, knob, self.digest]


class Echo(PythonJob):
    """Sends the number of each block back on an optional pipe; the results go on."""

    CHECKPOINT_INTERVAL = 0.05

    def run(self, result):
        self.rounds = getattr(self, "rounds", 0) + 1
        return result, self.rounds


class Stateless(PythonJob):
    """The same without attributes: the digest is that of the round alone."""

    def run(self, number, knob):
        return [number, knob, crc32(repr((number, knob)).encode())]


class Write(PythonJob):
    """A sink that is not killed."""

    STATE = "none"

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self._file = Path("out.txt").open("a")  # noqa: SIM115 - closed with the process

    def run(self, *values):
        print(*values, file=self._file, flush=True)
