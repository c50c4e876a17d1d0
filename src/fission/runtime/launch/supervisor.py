"""Starts one job process and looks after it: output lines, messages, the end. Used by every engine.

Runs in the event loop of its owner. Events come out through one callback, in the order in which they happen;
the last one is always `Exited`.
"""

import asyncio
import contextlib
import os
import pickle
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from fission.runtime import messages
from fission.runtime.launch.launcher import Launched, Launcher, SubprocessLauncher
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

    `launcher` makes its process; by default it is started freshly.
    """

    def __init__(
        self, spec: JobSpec, on_event: Callable[[Event], None], *, launcher: Launcher | None = None
    ) -> None:
        self.spec = spec
        self.ended = asyncio.Event()
        self._on_event = on_event
        self._launcher = launcher or SubprocessLauncher()
        self._process: Launched | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and hand it its spec. Raises OSError when it cannot be started."""
        ours, theirs = socket.socketpair()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        with theirs:
            try:
                process = await self._launcher.launch(theirs.fileno(), out_end, err_end)
            except OSError:
                ours.close()
                os.close(out)
                os.close(err)
                raise
            finally:
                os.close(out_end)
                os.close(err_end)
        self._process = process
        # Two hands: a write that fails, because the job has just ended, must not take its last words with it.
        control = ours.dup()
        control.setblocking(False)
        _, self._writer = await asyncio.open_connection(sock=ours)
        cast(asyncio.Transport, self._writer.transport).pause_reading()
        self._send(messages.Start(self.spec))
        outputs = [await _read_pipe(out), await _read_pipe(err)]
        self._watcher = asyncio.create_task(self._watch(process, control, outputs))

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
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), grace)
        process.kill()
        await self.ended.wait()

    # -- inside ------------------------------------------------------------------------------------------

    def _send(self, message: messages.ToJob) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(messages.encode(message))

    async def _watch(self, process: Launched, control: socket.socket, outputs: "list[_Output]") -> None:
        tasks = [
            asyncio.create_task(self._read_lines("stdout", outputs[0].reader)),
            asyncio.create_task(self._read_lines("stderr", outputs[1].reader)),
            asyncio.create_task(self._read_messages(control)),
        ]
        code = await process.wait()
        _, open_still = await asyncio.wait(tasks, timeout=OUTPUT_GRACE)
        for task in open_still:
            task.cancel()
        for output in outputs:
            output.transport.close()
        control.close()
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

    async def _read_messages(self, control: socket.socket) -> None:
        reader, loop = MessageReader(), asyncio.get_running_loop()
        # What cannot be read was written by something that has taken over the socket: no message of ours.
        with contextlib.suppress(ConnectionError, ValueError, pickle.UnpicklingError):
            while data := await loop.sock_recv(control, 1 << 16):
                for message in reader.feed(data):
                    self._on_event(message)


@dataclass(frozen=True, slots=True)
class _Output:
    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport


async def _read_pipe(pipe: int) -> _Output:
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    file = os.fdopen(pipe, "rb", buffering=0)  # the transport closes it
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    return _Output(reader, transport)
