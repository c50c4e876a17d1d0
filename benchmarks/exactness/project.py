"""The project that is measured: source -> connector -> sink on two nodes and the client."""

from dataclasses import dataclass
from pathlib import Path

from fission.project.scaffold import start_project

NAME = "cost"
JOBS = (1, 2, 3)
CONNECTOR = 2
"""The id of the job whose state is kept."""
WARMUP_SECONDS = 2.0
PACE = 100.0
WINDOW = 1024
"""Blocks that are under way at most where exact and live delivery are compared: as many as a live pipe takes."""

_JOBS = '''\
import json
import mmap
import struct
import time

import numpy as np

from fission.core.jobs import LocalJob, PythonJob


class Source(PythonJob):
    """Sends 1, 2, 3, ..., alone or as first and last element of an array, for so many seconds."""

    GROUPS = "head"

    def __init__(self, elements, rate, window, seconds, came, report, outputs):
        super().__init__([], outputs)
        self.elements, self.rate, self.window, self.seconds = elements, rate, window, seconds
        self.came, self.report = came, report
        self.count = 0

    def run(self):
        with open(self.came, "r+b") as file:
            came = mmap.mmap(file.fileno(), 8)
        block = np.zeros(self.elements) if self.elements else None
        begin = time.monotonic()
        step = 1 if self.rate else 64
        while True:
            now = time.monotonic()
            if now - begin > self.seconds:
                return
            if self.rate:
                time.sleep(max(0, begin + self.count / self.rate - now))
            while self.window and self.count + step - struct.unpack("q", came[:])[0] > self.window:
                time.sleep(0.0001)
            for _ in range(step):
                self.count += 1
                if block is not None:
                    block[0] = block[-1] = self.count
                yield self.count if block is None else block

    def snapshot(self):
        return self.count

    def restore(self, state):
        self.count = state

    def teardown(self):
        with open(self.report, "w") as file:
            json.dump({"sent": self.count}, file)


class Connector(PythonJob):
    """Hands on what it gets; every round changes one byte of its state."""

    GROUPS = "work"

    def __init__(self, size, inputs, outputs):
        super().__init__(inputs, outputs)
        self.size = size

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.data = np.full(max(1, self.size), 7, "uint8")
        self.place = 0

    def run(self, block):
        self.place = (self.place + 1) % len(self.data)
        self.data[self.place] ^= 1
        return block


class Sink(LocalJob, PythonJob):
    """Counts the blocks of the time that counts, and what is not the block of its round."""

    STATE = "none"

    def __init__(self, warmup, seconds, slow, came, report, inputs):
        super().__init__(inputs)
        self.warmup, self.seconds, self.slow, self.came, self.report = warmup, seconds, slow, came, report
        self.rounds = self.others = self.counted = 0
        self.begin = self.last = self.longest = 0.0

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        with open(self.came, "r+b") as file:
            self._told = mmap.mmap(file.fileno(), 8)

    def run(self, block):
        now = time.monotonic()
        self.rounds += 1
        self.begin = self.begin or now + self.warmup
        number = block if isinstance(block, int) else block.item(0) if block.item(-1) == block.item(0) else -1
        good = number == self.rounds
        self.others += not good
        if self.slow and now <= self.begin + self.seconds:
            time.sleep(self.slow)
        if self.begin <= self.last <= self.begin + self.seconds:
            self.longest = max(self.longest, now - self.last)
            self.counted += good
        self.last = now
        if not self.rounds & 63:
            self._told[:] = struct.pack("q", self.rounds)

    def teardown(self):
        figures = {"rounds": self.rounds, "others": self.others, "longest": self.longest}
        with open(self.report, "w") as file:
            json.dump(figures | {"rate": self.counted / self.seconds}, file)
'''

_CONFIG = """\
from fission.core.nodes import BaseNode
from fission.core.pipes import ArrayPipe, PicklePipe

from {name}.jobs.jobs import Connector, Sink, Source


class Pipe({pipe}):
    DELIVERY = {delivery!r}


class Kept(Connector):
    STATE = {state!r}


def pipe(id):
    return Pipe(id{arguments})


JOBS = [
    Source({elements}, {rate}, {window}, {sends}, {came!r}, {source!r}, [pipe(1)]),
    Kept({size}, [pipe(1)], [pipe(2)]),
    Sink({warmup}, {seconds}, {slow}, {came!r}, {sink!r}, [pipe(2)]),
]
NODES = [BaseNode("10.77.0.11", "head"), BaseNode("10.77.0.12", "work")]
"""


@dataclass(frozen=True)
class Case:
    """What one run measures."""

    elements: int = 0
    """Of float64 in a block; 0: a block is an int."""
    delivery: str = "exact"
    size: int = 0
    """Bytes of the connector's state; 0: it has none."""
    rate: float = 0.0
    """Blocks per second; 0: as fast as they are taken."""
    window: int = 0
    """Blocks that may be under way; 0: as many as the pipes take."""
    slow: float = 0.0
    """Seconds that the sink sleeps for every block; afterwards it works off what has piled up."""

    @property
    def block(self) -> str:
        """What travels."""
        pace = f" at {self.rate:g}/s" if self.rate else ""
        pace += f", {self.window} under way" if self.window else ""
        return f"{size_name(8 * self.elements) if self.elements else 'int'}{pace}"

    @property
    def state(self) -> str:
        """How much is kept."""
        return size_name(self.size) if self.size else "none"

    def __str__(self) -> str:
        return f"{self.block}, {self.delivery}, state {self.state}"


def size_name(size: int) -> str:
    """Write a size for people: 100 MB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} B"


def write_project(folder: Path, case: Case, seconds: float) -> Path:
    """Make the project of a case in an empty folder; return its root. Source and sink report to `folder` in the end."""
    root = start_project(folder, "project")
    (folder / "came").write_bytes(bytes(8))
    network = root / NAME
    (network / "jobs").mkdir(parents=True)
    for package in (network, network / "jobs"):
        (package / "__init__.py").touch()
    (network / "jobs" / "jobs.py").write_text(_JOBS, encoding="utf-8")
    config = _CONFIG.format(
        name=NAME,
        pipe="ArrayPipe" if case.elements else "PicklePipe",
        arguments=f', "float64", ({case.elements},)' if case.elements else "",
        delivery=case.delivery,
        state="auto" if case.size else "none",
        elements=case.elements,
        rate=case.rate,
        window=case.window,
        slow=case.slow,
        came=str(folder / "came"),
        sends=WARMUP_SECONDS + seconds + 0.5,
        size=case.size,
        warmup=WARMUP_SECONDS,
        seconds=seconds,
        source=str(folder / "source.json"),
        sink=str(folder / "sink.json"),
    )
    (network / "config.py").write_text(config, encoding="utf-8")
    return root
