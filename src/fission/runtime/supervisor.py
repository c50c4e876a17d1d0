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
import sys
from collections.abc import Callable
from dataclasses import dataclass

from fission.runtime import messages
from fission.runtime.messages import JobSpec, MessageReader

GRACE = 1.0
"""Seconds between asking a process to end and killing it."""

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
    """Owns one job process: `await start()`, then `route`, `stop`; await `ended` for the end."""

    def __init__(self, spec: JobSpec, on_event: Callable[[Event], None]) -> None:
        self.spec = spec
        self.ended = asyncio.Event()
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
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
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",
                    "-m",
                    "fission.runtime.process",
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    limit=LINE_LIMIT,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,  # Ctrl+C at the terminal is for us, and the group can be ended whole
                    env={**os.environ, "PYTHONIOENCODING": "utf-8"},
                )
            except OSError:
                ours.close()
                raise
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._send(messages.Start(self.spec))
        self._watcher = asyncio.create_task(self._watch(self._process, reader))

    def route(self, pipe: int, address: str) -> None:
        """Tell the job where the receiver of its output `pipe` listens."""
        self._send(messages.Route(pipe, address))

    def receiver_gone(self, pipe: int) -> None:
        """Tell the job that nobody will want anything from its output `pipe` any more."""
        self._send(messages.ReceiverGone(pipe))

    async def stop(self, grace: float = GRACE) -> None:
        """End the process: SIGTERM, and SIGKILL to all of its group after `grace` seconds."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), grace)
        self._kill_group()
        await self.ended.wait()

    # -- inside ------------------------------------------------------------------------------------------

    def _send(self, message: messages.ToJob) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(messages.encode(message))

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _kill_group(self) -> None:
        """Kill whatever is left of the job and of the programs that it has started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _watch(self, process: asyncio.subprocess.Process, control: asyncio.StreamReader) -> None:
        outputs = [
            asyncio.create_task(self._read_lines("stdout", process.stdout)),
            asyncio.create_task(self._read_lines("stderr", process.stderr)),
            asyncio.create_task(self._read_messages(control)),
        ]
        code = await process.wait()
        self._kill_group()  # before waiting for the outputs: a child of the job may hold them open
        # A child that has left the group may hold the outputs open for as long as it likes.
        _, open_still = await asyncio.wait(outputs, timeout=GRACE)
        for task in open_still:
            task.cancel()
        if self._writer is not None:
            self._writer.close()
        self._on_event(Exited(code))
        self.ended.set()

    async def _read_lines(self, name: str, stream: asyncio.StreamReader | None) -> None:
        while stream is not None:
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
