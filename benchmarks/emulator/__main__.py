"""Run the benchmark: `python -m benchmarks.emulator [--calls N]`."""

import argparse
import os
import sys
import tempfile

import psutil

from benchmarks.harness.command import positive_int
from fission.core.jobs import ForwardingJob
from fission.core.pipes import PicklePipe
from fission.emulate import emulate


def main() -> int:
    """Start an emulator and call it; print the processor time of the start and of the calls, in both processes."""
    options = _options()
    before = _processor_seconds(os.getpid())
    job = ForwardingJob([PicklePipe(1)], [PicklePipe(2)])
    with tempfile.TemporaryDirectory(prefix="fission-emulator-") as root, emulate(job, root=root) as emulator:
        started = _processor_seconds(os.getpid(), emulator.pid)
        for value in range(options.calls):
            emulator(value)
        called = _processor_seconds(os.getpid(), emulator.pid)
    print(f"start     {(started - before) * 1e3:8.0f} ms of processor time")
    print(f"each call {(called - started) / options.calls * 1e6:8.0f} us of processor time")
    return 0


def _processor_seconds(*pids: int) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(one.user + one.system for one in times)


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        "python -m benchmarks.emulator",
        description="The processor time of an emulated job: its start, and each call.",
    )
    made.add_argument("--calls", type=positive_int, default=1000, metavar="N", help="default 1,000")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
