"""Starts one job process and supervises it: output lines, messages, the exit. Used by every engine.

Runs in the event loop of its owner. Events are reported through one callback, in the order in which they happen; the last one
is always `Exited`.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from fission.errors import RunError
from fission.runtime import messages
from fission.runtime.launch.launcher import Launched, Launcher, SubprocessLauncher
from fission.runtime.messages import JobSpec, Phase

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""

OUTPUT_GRACE = 0.3
"""Seconds that the outputs of an ended process may stay open: a child process outside its group can hold them."""

LINE_LIMIT = 1 << 16
"""Bytes; a longer line of output is split into several."""


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line that the job wrote; `stream` is 'stdout' or 'stderr'."""

    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process has ended and has been reaped; negative codes are signals."""

    code: int


_CONCLUSIONS = (messages.Finished, messages.Failed, messages.Interrupted)
"""Messages after which a job process ends by itself."""

Event = messages.FromJob | OutputLine | Exited


class JobSupervisor:
    """Owns one job process: `await start()`, then `route`, `send`, `stop`; await `ended` for its exit.

    `launcher` starts the process; by default a new interpreter.
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
        self._deadline: asyncio.TimerHandle | None = None
        self._exited = False

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and send it its spec. Raises OSError when it cannot be started."""
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
        # Reading uses a descriptor of its own: a write that fails because the job has just ended closes the writer,
        # and the last messages of the job must still be read.
        control = ours.dup()
        control.setblocking(False)
        _, self._writer = await asyncio.open_connection(sock=ours)
        cast(asyncio.Transport, self._writer.transport).pause_reading()
        self.send(messages.Start(self.spec))
        outputs = [await _read_pipe(out), await _read_pipe(err)]
        self._watcher = asyncio.create_task(self._watch(process, control, outputs))

    def route(self, pipe: int, address: str) -> None:
        """Send the job the address of the receiver of its output `pipe`."""
        self.send(messages.Route(pipe, address))

    def receiver_gone(self, pipe: int) -> None:
        """Send the job that the receiver of its output `pipe` needs no more blocks."""
        self.send(messages.ReceiverGone(pipe))

    def send(self, message: messages.ToJob) -> None:
        """Send the job a message; dropped when its process has ended."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(messages.encode(message))

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

    async def _watch(self, process: Launched, control: socket.socket, outputs: "list[_Output]") -> None:
        tasks = [
            asyncio.create_task(self._read_lines("stdout", outputs[0].reader)),
            asyncio.create_task(self._read_lines("stderr", outputs[1].reader)),
            asyncio.create_task(self._read_messages(process, control)),
        ]
        code = await process.wait()
        self._exited = True
        if self._deadline is not None:
            self._deadline.cancel()
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

    async def _read_messages(self, process: Launched, control: socket.socket) -> None:
        """Report the job's messages. A process that damages its control socket, or closes it and continues, is ended."""
        reader, loop, concluded = messages.from_job(), asyncio.get_running_loop(), False
        try:
            while data := await loop.sock_recv(control, 1 << 16):
                for message in reader.feed(data):
                    concluded = concluded or isinstance(message, _CONCLUSIONS)
                    self._on_event(message)
        except ConnectionError:
            pass
        except RunError as error:
            if not concluded:
                self._misused(process, f"its control socket carries foreign data ({error})")
            return
        if not concluded:  # a process that ends closes the socket a little earlier
            what = "its control socket is closed although its process continues"
            self._deadline = loop.call_later(GRACE, self._misused, process, what)

    def _misused(self, process: Launched, what: str) -> None:
        if self._exited:
            return
        text = f"{what}. Does the job's code write to, or close, descriptors that it has not opened (os.closerange)?"
        self._on_event(messages.Failed(0, Phase.RUN, text, "", user=False))
        process.kill()


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
