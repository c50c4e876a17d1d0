"""A run ends every process that it started, also after errors; every subject carries the whole stream."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from kits.waiting import wait_for

from benchmarks.harness.measure import measure
from benchmarks.harness.processes import Run, become_reaper
from benchmarks.subjects import ROOT, SUBJECTS
from benchmarks.wires import KINDS
from benchmarks.workloads import WORKLOADS, Plan
from lab import unavailable

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    sys.exit(0)
os.setsid()
time.sleep(60)
"""


@pytest.mark.parametrize(
    "name",
    [
        "fission",
        "fission-tcp",
        "fission-tls",
        "hosts-tls",
        "bare",
        "bare-batched",
        "pyzmq",
        "mp-queue",
        "mp-pipe",
    ],
)
@pytest.mark.parametrize("workload", ["int", "4k"])
def test_subject_carries_every_block(name: str, workload: str) -> None:
    if name == "pyzmq":
        pytest.importorskip("zmq")
    if name in KINDS and (reason := unavailable()):
        pytest.skip(reason)
    one = measure(SUBJECTS[name], Plan("throughput", WORKLOADS[workload], 0.1, 0.3), 0)
    assert not one.problem, one.output
    assert one.figures["rate"] > 0
    assert (one.figures["duplicates"], one.figures["corrupt"], one.figures["left"]) == (0, 0, 0)
    if name != "pyzmq":  # which may lose the end of a stream; that is what its column shows
        assert one.figures["lost"] == 0


def test_command_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError), Run(("/no/such/command",), ROOT, os.environ, Path(os.devnull)):
        pass


def test_stubborn_orphan_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.harness.processes.END_SECONDS", 0.5)
    monkeypatch.setattr("benchmarks.harness.processes.GRACE_SECONDS", 0.1)
    become_reaper()
    with Run((sys.executable, "-c", STUBBORN), tmp_path, os.environ, tmp_path / "output.txt") as run:
        assert run.wait(10) == 0
    assert run.left == 1
    assert not psutil.Process().children(recursive=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("subject", ["bare", "fission"])
def test_interrupt_ends_everything(number: signal.Signals, subject: str, tmp_path: Path) -> None:
    """Both start one process that starts three."""
    command = [sys.executable, "-m", "benchmarks", "--only", "int", "--kind", "throughput"]
    command += ["--subject", subject, "--results", str(tmp_path)]
    harness = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        family = psutil.Process(harness.pid)
        wait_for(lambda: len(family.children(recursive=True)) >= 4, "four processes")
        started = family.children(recursive=True)
        assert len(started) == 4
        harness.send_signal(number)
        assert harness.wait(20) == 1
        assert not psutil.wait_procs(started, 5)[1]
    finally:
        harness.kill()
        harness.wait()
