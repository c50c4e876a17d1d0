"""Starts one job process and looks after it: output lines, messages, the end. Used by every engine.

Runs in the event loop of its owner. Events come out through one callback, in the order in which they happen;
the last one is always `Exited`.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO

from fission.runtime import messages
from fission.runtime.messages import JobSpec, MessageReader

GRACE = 1.0
"""Seconds between asking a process to end and killing it."""

OUTPUT_GRACE = 0.3
"""Seconds that the outputs of an ended process may stay open: a child that has left the group can hold them."""

LINE_LIMIT = 1 << 16
"""A line of output that is longer is cut into several."""


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line that the job wrote; `stream` is 'stdout' or 'stderr'."""

    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process has ended and been reaped; negative codes are signals."""

    code: int


Event = messages.FromJob | OutputLine | Exited


class JobSupervisor:
    """Owns one job process: `await start()`, then `route`, `tell`, `stop`; await `ended` for the end.

    `environment` is added to that of this process.
    """

    def __init__(
        self,
        spec: JobSpec,
        on_event: Callable[[Event], None],
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.spec = spec
        self.ended = asyncio.Event()
        self._on_event = on_event
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and hand it its spec. Raises OSError when it cannot be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = self._process = _spawn(theirs.fileno(), self._environment)
            except OSError:
                ours.close()
                raise
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._send(messages.Start(self.spec))
        outputs = [await _read_pipe(process.stdout), await _read_pipe(process.stderr)]
        self._watcher = asyncio.create_task(self._watch(process, reader, outputs))

    def route(self, pipe: int, address: str) -> None:
        """Tell the job where the receiver of its output `pipe` listens."""
        self._send(messages.Route(pipe, address))

    def receiver_gone(self, pipe: int) -> None:
        """Tell the job that nobody will want anything from its output `pipe` any more."""
        self._send(messages.ReceiverGone(pipe))

    def tell(self, message: messages.ToJob) -> None:
        """Hand the job a message; nothing happens when its process has ended."""
        self._send(message)

    async def stop(self, grace: float = GRACE) -> None:
        """End the process: SIGTERM, and SIGKILL to all of its group after `grace` seconds."""
        process = self._process
        if process is None or self._watcher is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), grace)
        _kill_group(process)
        await self.ended.wait()

    # -- inside ------------------------------------------------------------------------------------------

    def _send(self, message: messages.ToJob) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(messages.encode(message))

    async def _watch(
        self, process: subprocess.Popen[bytes], control: asyncio.StreamReader, outputs: "list[_Output]"
    ) -> None:
        tasks = [
            asyncio.create_task(self._read_lines("stdout", outputs[0].reader)),
            asyncio.create_task(self._read_lines("stderr", outputs[1].reader)),
            asyncio.create_task(self._read_messages(control)),
        ]
        code = await _exit_of(process)
        _kill_group(process)
        _, open_still = await asyncio.wait(tasks, timeout=OUTPUT_GRACE)
        for task in open_still:
            task.cancel()
        for output in outputs:
            output.transport.close()
        if self._writer is not None:
            self._writer.close()
        self._on_event(Exited(code))
        self.ended.set()

    async def _read_lines(self, name: str, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readuntil()
            except asyncio.IncompleteReadError as rest:
                line = rest.partial
            except asyncio.LimitOverrunError:
                line = await stream.read(LINE_LIMIT)
            if not line:
                return
            self._on_event(OutputLine(name, line.decode("utf-8", "backslashreplace").rstrip("\r\n")))

    async def _read_messages(self, control: asyncio.StreamReader) -> None:
        reader = MessageReader()
        # What cannot be read was written by something that has taken over the socket: no message of ours.
        with contextlib.suppress(ConnectionError, ValueError, pickle.UnpicklingError):
            while data := await control.read(1 << 16):
                for message in reader.feed(data):
                    self._on_event(message)


@dataclass(frozen=True, slots=True)
class _Output:
    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport


async def _read_pipe(pipe: IO[bytes] | None) -> _Output:
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return _Output(reader, transport)


def _spawn(control: int, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "fission.runtime.process", str(control)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(control,),
        start_new_session=True,  # Ctrl+C at the terminal is for us, and the group can be ended whole
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )


async def _exit_of(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end of the process itself, whoever may still hold its outputs; return its exit code."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    handle = os.pidfd_open(process.pid)
    try:
        loop.add_reader(handle, ended.set)
        await ended.wait()
        loop.remove_reader(handle)
    finally:
        os.close(handle)
    return process.wait()


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill whatever is left of the job and of the programs that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
