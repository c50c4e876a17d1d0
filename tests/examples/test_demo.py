"""`make demo` in a copy of the examples: the whole, and Ctrl+C in the middle."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kits.waiting import wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"
WIDTH = 64


def start(folder: Path) -> "tuple[subprocess.Popen[bytes], Path]":
    """Start the demo in a narrow terminal; return the process and the file with its output."""
    shutil.copytree(
        EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("simulation", "local", "__pycache__")
    )
    shown = folder / "shown.txt"
    with shown.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "examples/demo.py"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {"COLUMNS": str(WIDTH), "FISSION_WINDOWS": "off"},
            start_new_session=True,
        )
    return process, shown


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_demo(tmp_path: Path) -> None:
    process, shown = start(tmp_path)
    try:
        assert process.wait(300) == 0, shown.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    text = shown.read_text()
    before, _, after = text.partition("KILL -9")
    assert before.count("Sum over") >= 2  # of the simulation, and of the run
    assert "is started on" in after
    assert after.count("Sum over") >= 2
    assert "The client reported the loss of the node" in after
    prose = [line for line in text.splitlines() if line.startswith(("Three jobs count", "Watch for"))]
    assert prose
    assert all(len(line) <= WIDTH for line in prose)


def test_ctrl_c_ends_the_demo(tmp_path: Path) -> None:
    process, shown = start(tmp_path)
    try:
        wait_for(lambda: b"SourceJob 1 |" in shown.read_bytes(), "the first block")
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(30) == 130, shown.read_text()
        assert not psutil.wait_procs(children, 10)[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    text = shown.read_text()
    assert "The demo was stopped." in text
    assert "Traceback" not in text
