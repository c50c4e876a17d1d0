# mypy: ignore-errors
# (written as users write)
"""The jobs and pipes of a chaos network; this file becomes `jobs.py` of its project.

Whatever travels stands for one number below P. Every job computes a number from those that came, in a way that shows when a
block is missing, doubled or out of order, or when a state is not that after the last block.
"""

import os
import threading
import time
from random import Random

import numpy as np

from fission.core.jobs import CSVSinkJob, LocalJob, PythonJob
from fission.core.pipes import ArrayPipe, JSONPipe, OptionalPicklePipe, PicklePipe

P = 1_000_003

DELAY = float(os.environ.get("FISSION_CHAOS_DELAY", "0"))
"""Seconds between two blocks of a source. Read on the client; the jobs carry it along."""


class Number(PicklePipe):
    """A number as it is."""

    def __init__(self, id, count, size):
        super().__init__(id)
        self.BLOCK_COUNT = count

    def pack(self, obj):
        return obj


class Json(JSONPipe):
    """A number in a dict."""

    def __init__(self, id, count, size):
        super().__init__(id)
        self.BLOCK_COUNT = count

    def pack(self, obj):
        return {"number": obj, "text": "ä\n"}

    def unpack(self, data):
        return data["number"]


class Blob(PicklePipe):
    """A number with bytes that belong to it."""

    def __init__(self, id, count, size):
        super().__init__(id)
        self.BLOCK_COUNT = count
        self.size = size

    def pack(self, obj):
        return obj, bytes([obj % 251]) * self.size

    def unpack(self, data):
        number, rest = data
        if rest != bytes([number % 251]) * self.size:
            raise ValueError(f"{self}: {number} came with other bytes")
        return number


class Array(ArrayPipe):
    """A number in an array."""

    def __init__(self, id, count, size):
        super().__init__(id, "float64", (size,), block_count=count)
        self.size = size

    def pack(self, obj):
        return super().pack(np.arange(obj, obj + self.size, dtype="float64"))

    def unpack(self, data):
        return int(np.asarray(super().unpack(data)).reshape(-1)[0])


class Control(OptionalPicklePipe):
    """What comes back from downstream, at any time or never."""

    def __init__(self, id, count, size):
        super().__init__(id)


KINDS = {"number": Number, "json": Json, "blob": Blob, "array": Array, "optional": Control}


class Chaotic(PythonJob):
    """A job with `salt`; `compute` makes one number of one."""

    def __init__(self, salt, inputs=(), outputs=()):
        super().__init__(inputs, outputs)
        self.salt = salt

    def mixed(self, values):
        """One number that depends on all that came, and on its order; what came by optional pipes does not count."""
        result = self.salt
        for pipe, value in zip(self.inputs, values, strict=True):
            if not pipe.ASYNC:
                for number in value if isinstance(value, list) else [value]:
                    result = (result * 8191 + number) % P
        return result

    def spread(self, number):
        """Another number for every output."""
        if len(self.outputs) == 1:
            return number
        return tuple((number + 7919 * index) % P for index in range(len(self.outputs)))

    def run(self, *values):
        return self.spread(self.compute(self.mixed(values)))

    def compute(self, number):
        return number


class Source(Chaotic):
    def __init__(self, salt, blocks, outputs):
        super().__init__(salt, (), outputs)
        self.blocks = blocks
        self.delay = DELAY
        self.count = 0

    def block(self, count):
        if self.delay:
            time.sleep(self.delay)
        return self.spread((count * self.salt + count * count) % P)

    def snapshot(self):
        return self.count

    def restore(self, state):
        self.count = state


class Counter(Source):
    """A source whose `run` is called for every block."""

    def run(self):
        if self.count == self.blocks:
            return None
        self.count += 1
        return self.block(self.count)


class Generator(Source):
    """A source whose `run` is a generator."""

    def run(self):
        while self.count < self.blocks:
            self.count += 1
            yield self.block(self.count)


class Map(Chaotic):
    """No state."""

    STATE = "none"


class Sum(Chaotic):
    """A number that is made in `__init__`, and one in `setup`."""

    def __init__(self, *args):
        super().__init__(*args)
        self.total = 0

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.rounds = 0

    def compute(self, number):
        self.rounds += 1
        self.total = (3 * self.total + number + self.rounds) % P
        return self.total


class Chance(Chaotic):
    """Two generators of random numbers."""

    def __init__(self, *args):
        super().__init__(*args)
        self.random = Random(self.salt)
        self.generator = np.random.default_rng(self.salt)

    def compute(self, number):
        return (number + self.random.randrange(P) + int(self.generator.integers(P))) % P


class History(Chaotic):
    """A list that grows, which two attributes share."""

    def __init__(self, *args):
        super().__init__(*args)
        self.seen = []
        self.views = {"seen": self.seen}

    def compute(self, number):
        self.views["seen"].append(number)
        del self.seen[:-500]
        return (number + len(self.seen) + self.seen[len(self.seen) // 2]) % P


class Vector(Chaotic):
    """An array that is changed in place."""

    def __init__(self, *args):
        super().__init__(*args)
        self.vector = np.zeros(64)

    def compute(self, number):
        self.vector[:] = np.roll(self.vector, 1)
        self.vector[0] = number
        return int(self.vector @ np.arange(64)) % P


class Explicit(Chaotic):
    """A state that only `snapshot` and `restore` know."""

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.hidden = threading.local()
        self.hidden.value = 0

    def compute(self, number):
        self.hidden.value = (5 * self.hidden.value + number) % P
        return self.hidden.value

    def snapshot(self):
        return {"value": self.hidden.value}

    def restore(self, state):
        self.hidden.value = state["value"]


class Prepared(Sum):
    """A state beside something that cannot be pickled; and it takes its time now and then."""

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.lock = threading.Lock()

    def compute(self, number):
        with self.lock:
            if self.delay and number % 50 == 0:
                time.sleep(0.02)
            return super().compute(number)

    def __init__(self, *args):
        super().__init__(*args)
        self.delay = DELAY


class Sink(CSVSinkJob):
    """Writes the numbers of every round as a row."""

    def __init__(self, salt, inputs, outputs):
        super().__init__("out.csv", inputs)

    def run(self, *values):
        super().run(*("|".join(map(str, value)) if isinstance(value, list) else value for value in values))


def at_client(kind):
    """The same job, on the client."""
    return type(f"Local{kind.__name__}", (LocalJob, kind), {"__module__": __name__})


LocalCounter = at_client(Counter)
LocalGenerator = at_client(Generator)
