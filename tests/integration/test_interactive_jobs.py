"""Lines that are typed become blocks: consoles by command, in a terminal, in a window, inside tmux."""

import os
import pty
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Typed(InteractiveJob):
    def convert(self, line):
        if line == "end":
            self.finish()
            return None
        return int(line) if line.strip() else None

class Write(PythonJob):
    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.file = open("out.txt", "w", buffering=1)
    def run(self, value):
        print(value, file=self.file)
"""
CONFIG = "JOBS = [Typed(outputs=[PicklePipe(1)]), Write(inputs=[PicklePipe(1)])]"


def rows_of(project: Project) -> list[str]:
    """What the sink has written until now."""
    file = project.simulation / "2" / "out.txt"
    return file.read_text().split() if file.exists() else []


class Running:
    """A simulation that runs, and what it has printed."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.process = project.start()
        self.printed = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for(
            lambda: self.socket.exists() and "fission interact" in self.printed, "the job waits for lines"
        )

    @property
    def socket(self) -> Path:
        return self.project.simulation / "1" / "interact.sock"

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line

    def rows(self) -> list[str]:
        return rows_of(self.project)

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        self._reader.join(10)
        assert self.process.returncode == 0
        assert not self.socket.exists()


@pytest.fixture
def running(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    project.write(JOBS, CONFIG)
    one = Running(project)
    yield one
    if one.process.poll() is None:
        one.end()


def interact(project: Project, *job: str, typed: str) -> "subprocess.CompletedProcess[str]":
    command = project.command("interact", *job)
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)


def test_lines_become_blocks(running: Running) -> None:
    done = interact(running.project, typed="5\n\n7\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Typed 1: each line that you type becomes a block. Ctrl+D leaves.\n"
    wait_for(lambda: running.rows() == ["5", "7"], "two rows")
    assert "Typed 1 | to type lines: fission interact net 1\n" in running.printed
    assert stat.S_IMODE(running.socket.stat().st_mode) == 0o600


def test_what_cannot_be_converted_is_told_and_harms_nothing(running: Running) -> None:
    done = interact(running.project, "1", typed="five\n6\n")
    assert done.returncode == 1
    assert "not sent: ValueError: invalid literal for int() with base 10: 'five'" in done.stdout
    wait_for(lambda: running.rows() == ["6"], "the row after")


def test_several_consoles_and_the_end_of_the_job(running: Running) -> None:
    consoles = [
        subprocess.Popen(
            [str(Path(sys.executable).with_name("fission_interactive.py")), str(running.socket.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        for number, console in enumerate(consoles):
            assert console.stdin is not None
            console.stdin.write(f"{number}\n")
            console.stdin.flush()
        wait_for(lambda: sorted(running.rows()) == ["0", "1", "2"], "a row from every console")
        assert interact(running.project, "Typed 1", typed="end\n").returncode == 0
        assert running.process.wait(30) == 0, "the network has finished"
        for console in consoles:
            assert console.stdout is not None
            assert "the job has ended" in console.stdout.read()
            assert console.wait(20) == 0
    finally:
        for console in consoles:
            console.kill()
            console.communicate()


def test_a_terminal(running: Running) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        running.project.command("interact"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as console:
        os.close(theirs)
        seen = b""
        while b"> " not in seen:
            seen += os.read(ours, 1000)
        os.write(ours, b"4x\x7f2\nno\n")
        while b"not sent" not in seen:
            seen += os.read(ours, 1000)
        wait_for(lambda: running.rows() == ["42"], "the row, as it was corrected")
        os.write(ours, b"\x04")
        assert console.wait(20) == 0
    os.close(ours)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["2"], "the network has no InteractiveJob '2'; expected one of 1 (Typed 1)"),
        (["Tped 1"], "Did you mean 'Typed 1'?"),
    ],
)
def test_a_wrong_job_is_told(project: Project, arguments: list[str], message: str) -> None:
    project.write(JOBS, CONFIG)
    done = interact(project, *arguments, typed="")
    assert done.returncode == 2
    assert message in done.stderr


def test_a_job_that_does_not_run_is_told(project: Project) -> None:
    project.write(JOBS, CONFIG)
    done = interact(project, typed="")
    assert done.returncode == 1
    assert (
        "job Typed 1 of net: the job is not running on this machine. Start the network first" in done.stderr
    )
    project.write(JOBS, "JOBS = [Write(inputs=[PicklePipe(1)])]")
    assert "the network has no InteractiveJob" in interact(project, typed="").stderr


def test_a_window_of_the_desktop(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that writes down what it was asked for, and types."""
    terminal = tmp_path / "x-terminal-emulator"
    terminal.write_text('#!/bin/sh\necho "$@" > ../../../asked\nshift\necho 9 | "$@"\n')
    terminal.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.delenv("TERMINAL", raising=False)
    project.write(JOBS, CONFIG)
    one = Running(project)
    wait_for(lambda: one.rows() == ["9"], "what the window has typed")
    one.end()
    folder = project.simulation / "1"
    assert (
        project.root / "asked"
    ).read_text() == f"-e {sys.executable} -m fission.management.commands.cluster.lines {folder}\n"
    assert "more consoles: fission interact net 1" in one.printed


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_window_of_tmux(project: Project, tmp_path: Path) -> None:
    project.write(JOBS, CONFIG)
    tmux = ["tmux", "-S", str(tmp_path / "tmux")]
    environ = {name: value for name, value in os.environ.items() if "DISPLAY" not in name and name != "TMUX"}

    def run(*words: str) -> str:
        return subprocess.run(
            [*tmux, *words], env=environ, capture_output=True, text=True, timeout=30, check=True
        ).stdout

    run(
        "-f",
        os.devnull,
        "new-session",
        "-d",
        "-s",
        "test",
        shlex.join(project.command("simulate", "--quiet")),
    )
    try:
        wait_for(lambda: "Typed 1" in run("list-windows", "-t", "test", "-F", "#W"), "a window of tmux")
        wait_for(lambda: "each line" in run("capture-pane", "-p", "-t", "test:Typed 1"), "its greeting")
        run("send-keys", "-t", "test:Typed 1", "8", "Enter", "e", "n", "d", "Enter")
        wait_for(lambda: rows_of(project) == ["8"], "what was typed")
        wait_for(
            lambda: subprocess.run([*tmux, "has-session"], capture_output=True, check=False).returncode,
            "everything ends",
        )
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, timeout=30, check=False)
