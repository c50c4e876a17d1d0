"""The process of a program: its command line, its pipes, its stderr, its exit."""

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from fission.core.jobs import ExecutableJob
from fission.errors import RunError
from fission.project.job_files.programs import (
    find_program,
    foreign_machine,
    parameters,
    why_not_executable,
    words,
)
from fission.runtime.programs.pipe_io import End, InputEnd, OutputEnd, resize

__all__ = ["Child", "command_line"]

STOP_GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL."""

_LAST_WORDS = 4096
_PR_SET_PDEATHSIG = 1
_prctl: Callable[..., int] | None = getattr(ctypes.CDLL(None), "prctl", None)


class Child:
    """Starts the program of a job in the working directory; `code` is set when it has ended.

    Named pipes of inputs may not be open at first: call `open_inputs` again. Watch `pidfd` and `stderr`; call `listen`
    and `reap` when they are readable. `stop` in any case.
    """

    def __init__(self, job: ExecutableJob, inputs: Sequence[InputEnd], outputs: Sequence[OutputEnd]) -> None:
        self.code: int | None = None
        self.heard = b""
        """The last bytes of its stderr."""
        self._inputs = inputs
        self._made: list[str] = []
        theirs: list[int] = []
        try:
            make = self._make_pipe if job.INHERITS else self._make_fifo
            given_inputs = [make(end, theirs) for end in inputs]
            given_outputs = [make(end, theirs) for end in outputs]
            self.command = command_line(job, given_inputs, given_outputs)
            self._process = _start(self.command, theirs)
        except BaseException:
            self._remove()
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        ends: list[End] = [*inputs, *outputs]
        for end in ends:
            _prepare(end)
        self.pidfd = os.pidfd_open(self._process.pid)
        errors: IO[bytes] | None = self._process.stderr
        self.stderr = -1 if errors is None else errors.fileno()
        os.set_blocking(self.stderr, False)

    @property
    def name(self) -> str:
        """The name of the program in errors."""
        return f"program {' '.join(self.command)}"

    def open_inputs(self) -> bool:
        """Open the named pipes whose other ends the program has opened; return whether all are open."""
        every = True
        for end in self._inputs:
            if end.fd is None and not end.closed:
                try:
                    end.fd = os.open(end.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                except OSError:  # ENXIO: no process reads there yet
                    every = False
                else:
                    _prepare(end)
        return every

    def listen(self) -> bool:
        """Forward its stderr; return False at the end of it."""
        while True:
            try:
                data = os.read(self.stderr, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.heard = (self.heard + data)[-_LAST_WORDS:]
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(2, rest) :]

    def reap(self) -> None:
        """Check whether the program has ended."""
        self.code = self._process.poll()

    def wait(self, seconds: float) -> None:
        """Wait for its end, and read the rest of its stderr. Raises TimeoutExpired."""
        self.code = self._process.wait(seconds)
        self.listen()

    def cpu_seconds(self) -> float:
        """The processor time of the program; 0.0 when it has ended."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return 0.0
        fields = text.rpartition(")")[
            2
        ].split()  # what stands in brackets before is a name with anything in it
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def last_words(self) -> str:
        """The last lines that it has written to its stderr, as one; "" when there are none."""
        lines = self.heard.decode("utf-8", "backslashreplace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return " | ".join(said[-3:])

    def stop(self) -> None:
        """Stop the program if it still runs, close its pipes and remove the named ones."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.code = self._process.returncode
        with contextlib.suppress(OSError):
            self.listen()
        os.close(self.pidfd)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._remove()

    # -- pipes -------------------------------------------------------------------------------------------

    def _make_fifo(self, end: End, theirs: list[int]) -> str:  # noqa: ARG002 - as _make_pipe
        """Make a named pipe; an output's is opened at once, which does not wait for the program."""
        kind = "in" if isinstance(end, InputEnd) else "out"
        end.path = f"pipe-{end.pipe.id}-{kind}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(end.path)  # of a predecessor
        os.mkfifo(end.path, 0o600)
        self._made.append(end.path)
        if isinstance(end, OutputEnd):
            end.fd = os.open(end.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return end.path

    def _make_pipe(self, end: End, theirs: list[int]) -> str:
        read, write = os.pipe()
        end.fd, other = (write, read) if isinstance(end, InputEnd) else (read, write)
        theirs.append(other)
        return str(other)

    def _remove(self) -> None:
        for path in self._made:
            with contextlib.suppress(OSError):
                os.unlink(path)


def command_line(job: ExecutableJob, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """Build the command line of the program. Raises RunError when there is no such program."""
    here = Path.cwd()
    command, *first = words(job.EXECUTABLE, [here])
    path = find_program(command, [here])
    if path is None:
        raise RunError(
            "there is no such program",
            where=f"program {command}",
            expected="a file of the dependency folder, or a program that is installed here",
            hint="" if job.DEPENDENCIES else "The folder in which it lies has to be named in DEPENDENCIES",
        )
    reason = why_not_executable(path)
    if reason:
        raise RunError(f"it cannot be executed: {reason}", where=f"program {command}")
    shown = os.path.relpath(path) if path.is_relative_to(here) else str(path)
    line = [shown if "/" in shown else f"./{shown}", *first, *parameters(job.PARAMETERS)]
    for flag, given in ((job.INPUT_FLAG, inputs), (job.OUTPUT_FLAG, outputs)):
        for one in given:
            line += [flag, one] if flag else [one]
    return line


def _start(command: list[str], theirs: Sequence[int]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603 - the user's program is what this is for
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=theirs,
            bufsize=0,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, found before the fork
        )
    except OSError as error:
        machine = foreign_machine(Path(command[0]))
        raise RunError(
            "it cannot be started" + (f": it was made for {machine}" if machine else ""),
            where=f"program {command[0]}",
            found=error.strerror or str(error),
        ) from error


def _end_with_parent() -> None:
    """Ensure that the program does not outlive this process, even if this one is killed."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _prepare(end: End) -> None:
    if end.fd is not None:
        os.set_blocking(end.fd, False)
        resize(end.fd, live=isinstance(end, InputEnd) and end.live)
