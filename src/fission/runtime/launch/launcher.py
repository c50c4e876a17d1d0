"""Starts the process of a job and observes its end: a new interpreter here, or a forked process (see `prefork`)."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Protocol


class Launched(Protocol):
    """A started process. `await wait()` once."""

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""

    async def wait(self) -> int:
        """Wait for the end of the process, even if its outputs stay open; kill its group; return its exit code."""

    def terminate(self) -> None:
        """Send SIGTERM, unless the process has ended."""

    def kill(self) -> None:
        """Kill the process and its group, unless the process has ended."""


class Launcher(Protocol):
    """Starts the processes of jobs."""

    async def launch(self, control: int, out: int, err: int) -> Launched:
        """Start a process with these descriptors as its control socket, stdout and stderr. Raises OSError."""


class SubprocessLauncher:
    """Starts an interpreter for each job. `environment` is added to the environment of this process."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(environment or {})

    async def launch(self, control: int, out: int, err: int) -> Launched:
        """Start a process. Raises OSError."""
        return _Fresh(
            subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "fission.runtime.job.process", str(control)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=(control,),
                start_new_session=True,  # Ctrl+C at the terminal does not reach the job, and its whole group can be killed
                env={**os.environ, "PYTHONIOENCODING": "utf-8", **self._environment},
            )
        )


class _Fresh:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._handle = os.pidfd_open(process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        try:
            await readable(self._handle)
        finally:
            os.close(self._handle)
        kill_group(self.pid)  # before it is reaped: no other process can have its id yet
        return self._process.wait()

    def terminate(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            kill_group(self.pid)


async def readable(fd: int) -> None:
    """Wait until the descriptor is readable; the descriptor of a process is, once the process has ended."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


def kill_group(group: int) -> None:
    """Kill what is left of a job and of the programs that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
