"""`top` on a terminal: q, Ctrl+C and SIGTERM leave the terminal as it was."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kits.counting_project import counting_project
from kits.waiting import wait_for

FISSION = str(Path(sys.executable).with_name("fission"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = counting_project(tmp_path_factory.mktemp("top"), [], Path("certs"), last=10**6)
    words = [FISSION, "simulate", "counting", "--quiet", "--project", str(root)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: "running" in printed(root), "it is simulated")
            yield root
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def printed(root: Path) -> str:
    words = [FISSION, "top", "counting", "--project", str(root)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout


def read(master: int, wanted: bytes) -> None:
    """Read what is drawn until `wanted` comes."""
    seen, until = b"", time.monotonic() + 30
    while wanted not in seen:
        assert time.monotonic() < until, seen
        if select.select([master], [], [], 0.5)[0]:
            seen += os.read(master, 1 << 16)


def test_without_a_terminal_it_prints_once(project: Path) -> None:
    text = printed(project)
    assert "Double 2" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("end", ["q", "ctrl-c", "term"])
def test_it_leaves_the_terminal_as_it_was(project: Path, end: str) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    before = termios.tcgetattr(slave)
    words = [FISSION, "top", "counting", "--project", str(project)]
    with subprocess.Popen(
        words,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        try:
            read(master, b"Double 2")
            if end == "q":
                os.write(master, b"q")
            else:
                process.send_signal(signal.SIGINT if end == "ctrl-c" else signal.SIGTERM)
            read(master, b"\x1b[?1049l")
            assert process.wait(30) == 0
            assert termios.tcgetattr(slave) == before
        finally:
            process.kill()
            os.close(master)
            os.close(slave)
