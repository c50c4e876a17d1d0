"""The processes of one run: started as a group, watched, and ended in every case.

The harness makes itself the reaper of its descendants, so that it finds those whose parent has died.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

POLL_SECONDS = 0.05
GRACE_SECONDS = 1.0
END_SECONDS = 5.0
"""How long processes get to end after SIGTERM, then to be gone after SIGKILL."""


def become_reaper() -> None:
    """Have orphaned descendants handed to this process (Linux; elsewhere only the process group is ended)."""
    pr_set_child_subreaper = 36
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1)


class Run:
    """A context manager: starts the command on entry; on exit no process that it started is left.

    Inside, call `wait`. Afterwards `left` says how many processes had to be ended by the harness.
    """

    def __init__(
        self, command: tuple[str, ...], folder: Path, environment: Mapping[str, str], output: Path
    ) -> None:
        self.command = command
        self.folder = folder
        self.environment = environment
        self.output = output
        self.started = 0.0
        """Monotonic time just before the command was started."""
        self.left = 0

    def __enter__(self) -> "Run":
        with self.output.open("wb") as output:
            self.started = time.monotonic()
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exception: object) -> None:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl+C must not stop the ending
        try:
            self._end()
        finally:
            signal.signal(signal.SIGINT, handler)

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(END_SECONDS)
        # What is about to end by itself (multiprocessing's tracker, say) is not left behind.
        psutil.wait_procs(psutil.Process().children(recursive=True), GRACE_SECONDS)
        self.left = end_descendants()
        if self.process.poll() is None:
            self.process.wait(END_SECONDS)

    def wait(self, seconds: float, watch: Callable[[float], None] | None = None) -> int | None:
        """Wait for the end and give the exit code; None when it did not come in time.

        `watch` is called about every POLL_SECONDS with the seconds since the start.
        """
        while (age := time.monotonic() - self.started) < seconds:
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(POLL_SECONDS)
            if watch:
                watch(age)
        return None

    def tail(self, lines: int = 5) -> str:
        """Return the last lines of what the command printed."""
        text = self.output.read_text(encoding="utf-8", errors="replace").strip()
        return " | ".join(text.splitlines()[-lines:])


def end_descendants() -> int:
    """End every descendant of this process, SIGTERM first; give how many were still running."""
    running = [child for child in psutil.Process().children(recursive=True) if _runs(child)]
    for stop in (signal.SIGTERM, signal.SIGKILL):
        children = psutil.Process().children(recursive=True)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(stop)
        psutil.wait_procs(children, END_SECONDS if running else 0.1)
        _reap()
    return len(running)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _reap() -> None:
    """Reap orphans that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
