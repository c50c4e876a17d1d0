"""Run the benchmark: `python -m benchmarks.tap [--runs N] [--seconds S] [--rate N]`.

A chain of three jobs runs at full speed, alternately without and with a watcher of its first pipe. The sink notes how many blocks
it has received; the ratio of the two rates next to each other is printed, and their median.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from benchmarks.harness.command import positive, positive_int, say
from fission.management.access.running_client import watch_pipe
from fission.project.scaffold import start_network, start_project

GOAL = 0.97
_NETWORK = "chain"
_EVERY = 1000
_START_SECONDS = 30.0
_JOBS = """
from time import monotonic

import numpy as np

from fission.core.jobs import PythonJob


class Send(PythonJob):
    def run(self):
        value = {value}
        while True:
            yield value


class Forward(PythonJob):
    def run(self, value):
        return value


class Count(PythonJob):
    def setup(self):
        self.count = 0
        self.file = open("counts", "w", buffering=1)

    def run(self, value):
        self.count += 1
        if self.count % {every} == 0:
            self.file.write(f"{{self.count}} {{monotonic()}}\\n")
"""
_CONFIG = """
from chain.jobs.jobs import Count, Forward, Send
from fission.core.pipes import PicklePipe

NODES = []
JOBS = [
    Send(outputs=[PicklePipe(1)]),
    Forward(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
    Count(inputs=[PicklePipe(2)]),
]
"""
_VALUES = {"int": "12345", "array": "np.zeros(500)"}


def main() -> int:
    """Measure each kind of block; return 1 if a median is below the goal."""
    options = _options()
    worst = 1.0
    for name, value in _VALUES.items():
        ratios = _measure(value, options)
        median = statistics.median(ratios)
        worst = min(worst, median)
        print(f"{name:6} with a tap / without: median {median:.3f}, {min(ratios):.3f} to {max(ratios):.3f}")
    print(f"goal: {GOAL}")
    return 0 if worst >= GOAL else 1


def _measure(value: str, options: argparse.Namespace) -> list[float]:
    """Run the chain once; return the ratio of each pair of windows."""
    with tempfile.TemporaryDirectory(prefix="fission-tap-") as scratch:
        root = start_project(Path(scratch), "project")
        network = start_network(root, _NETWORK)
        (network / "jobs/jobs.py").write_text(_JOBS.format(value=value, every=_EVERY), encoding="utf-8")
        (network / "config.py").write_text(_CONFIG, encoding="utf-8")
        fission = str(Path(sys.executable).with_name("fission"))
        words = [fission, "simulate", _NETWORK, "--quiet", "--project", str(root)]
        counts = network / "simulation" / "3" / "counts"
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
            try:
                _await(counts)
                return [_ratio(root, counts, options, number) for number in range(options.runs)]
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(30)


def _await(counts: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while not (counts.exists() and counts.stat().st_size):
        if time.monotonic() > until:
            raise SystemExit("the chain has not started")
        time.sleep(0.05)


def _ratio(root: Path, counts: Path, options: argparse.Namespace, number: int) -> float:
    """Measure without and with a watcher, in turns in either order."""
    order = [False, True] if number % 2 else [True, False]
    rates = {watched: _rate(root, counts, options, watched=watched) for watched in order}
    say(f"{rates[False]:,.0f} blocks/s without, {rates[True]:,.0f} with a tap")
    return rates[True] / rates[False]


def _rate(root: Path, counts: Path, options: argparse.Namespace, *, watched: bool) -> float:
    leave, seen = threading.Event(), [0]

    def watch() -> None:
        wanted: dict[str, Any] = {
            "pipe": 1,
            "rate": options.rate,
            "size_rate": 1e6,
            "text": 200,
            "raw": False,
        }
        items = watch_pipe(root, _NETWORK, lambda: None, **wanted)
        with closing(cast(Any, items)):
            for _ in cast(Any, items):
                seen[0] += 1
                if leave.is_set():
                    return

    thread = threading.Thread(target=watch, daemon=True)
    if watched:
        thread.start()
        time.sleep(0.5)
    else:
        time.sleep(2.5)  # the tap before has ended
    begin = time.monotonic()
    time.sleep(options.seconds)
    end = time.monotonic()
    if watched:
        leave.set()
        thread.join(10)
        if seen[0] < options.rate * options.seconds / 2:
            raise SystemExit(f"the watcher saw {seen[0]} blocks only")
    lines = [line.split() for line in counts.read_text(encoding="utf-8").splitlines()[:-1]]
    inside = [(int(count), float(at)) for count, at in lines if begin <= float(at) <= end]
    (first, at), (last, until) = inside[0], inside[-1]
    return (last - first) / (until - at)


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        "python -m benchmarks.tap",
        description="The rate of a full chain with and without a watcher of a pipe.",
    )
    made.add_argument("--runs", type=positive_int, default=10, metavar="N", help="pairs; default 10")
    made.add_argument("--seconds", type=positive, default=3.0, metavar="S", help="of each window; default 3")
    made.add_argument(
        "--rate", type=positive, default=10.0, metavar="N", help="blocks per second; default 10"
    )
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
