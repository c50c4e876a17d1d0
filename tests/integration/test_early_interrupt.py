"""Ctrl+C ends an embedded cluster whenever it comes, also while its nodes start on a busy machine, and nothing is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic

import psutil
import pytest

from kits.waiting import wait_for

from .conftest import COUNT, Project

BURN = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"
MOMENTS = [1, 2, 4]
"""The number of processes that the client has started when Ctrl+C comes: some nodes, all, and jobs."""


@pytest.fixture
def load() -> Iterator[None]:
    """Keep every processor busy, five processes each; for at most 20 s."""
    burners = [subprocess.Popen([sys.executable, "-S", "-c", BURN]) for _ in range(5 * (os.cpu_count() or 1))]
    yield
    for one in burners:
        one.kill()
        one.wait()


@pytest.mark.parametrize("started", MOMENTS)
@pytest.mark.usefixtures("load")
def test_an_interrupt_while_an_embedded_cluster_starts(project: Project, started: int) -> None:
    project.write(
        COUNT,
        config="""
        Count.LAST = 10**9
        JOBS = [Count(outputs=[PicklePipe(1)]), Write(inputs=[PicklePipe(1)])]
        """,
    )
    process = project.run("--embedded", "3")
    client = psutil.Process(process.pid)
    wait_for(lambda: len(client.children(recursive=True)) >= started, "the nodes are being started", 60)
    family = client.children(recursive=True)
    before = monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert monotonic() - before < 15
    assert "could not be ended" not in out
    assert "Traceback" not in out
    wait_for(lambda: not any(one.is_running() for one in family), "nothing is left", 10)
