"""Memory stays flat while a fast source runs into a slow sink, however long."""

import os
import signal
import time

import psutil
import pytest

from kits.waiting import wait_for

from .conftest import Project, processes_of

pytestmark = pytest.mark.long

JOBS = """
    class Fast(PythonJob):
        def run(self):
            block = b"x" * 4096
            while True:
                yield 1, block

    class Slow(PythonJob):
        def run(self, number, block):
            time.sleep(0.001)
"""
CONFIG = """
JOBS = [
    Fast(outputs=[PicklePipe(1), PicklePipe(2)]),
    ForwardingJob([PicklePipe(1), PicklePipe(2)], [PicklePipe(3), BytesPipe(4, 4096)]),
    Slow([PicklePipe(3), BytesPipe(4, 4096)]),
]
"""
ALLOWED = 16 << 20
"""Bytes that a process may grow by: what waits at its inputs (4 MiB each), and what allocators keep of it."""


def memory(processes: list[psutil.Process]) -> dict[int, int]:
    return {process.pid: process.memory_info().rss for process in processes}


@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.timeout(180))])
def test_memory_stays_flat(project: Project, seconds: int) -> None:
    process = project.write(JOBS, CONFIG).start()
    wait_for(lambda: len(processes_of(project.root)) == 3, "the job processes")
    watched = [psutil.Process(process.pid), *processes_of(project.root)]
    seen = [memory(watched)]

    def settled() -> bool:
        """The windows are full: nobody has grown by 1 MiB within three seconds."""
        time.sleep(1)
        seen.append(memory(watched))
        return len(seen) > 3 and all(seen[-1][pid] - seen[-4][pid] < 1 << 20 for pid in seen[-1])

    wait_for(settled, "full windows")
    before, end = memory(watched), time.monotonic() + seconds
    peak = dict(before)
    while time.monotonic() < end:
        time.sleep(0.25)
        peak = {pid: max(peak[pid], size) for pid, size in memory(watched).items()}
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == 0
    grown = {pid: peak[pid] - before[pid] for pid in before}
    assert max(grown.values()) < ALLOWED, f"bytes by process: {grown}"
