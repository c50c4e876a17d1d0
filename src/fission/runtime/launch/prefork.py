"""Forks job processes from a process that has already imported what they need.

A start then takes a few milliseconds instead of the start of an interpreter. `fork_server` explains why that is safe.
"""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping

from fission.runtime.launch.fork_server import ENDED, FAILED, FORK, FORKED, MESSAGE, READY
from fission.runtime.launch.launcher import Launched, SubprocessLauncher, kill_group, readable

_log = logging.getLogger(__name__)

SERVER = "fission.runtime.launch.fork_server"
"""The module of the server."""

READY_SECONDS = 10.0
"""Seconds that a start waits for the server before it starts an interpreter instead."""

MOST_FAILURES = 3
UNKNOWN = 255
"""Exit code of a process that ended after its server, so that the code is not known."""


class ForkServerLauncher:
    """A `Launcher`. `warm()` early, `launch` at any time, `close()` when all processes have ended.

    Without a server, because it cannot be started or does not answer, each process is a new interpreter.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._fresh = SubprocessLauncher(environment)
        self._server: _ForkServer | None = None
        self._failures = 0

    def warm(self) -> None:
        """Start the server, which begins to import."""
        if (self._server is None or self._server.lost) and self._failures < MOST_FAILURES:
            try:
                self._server = _ForkServer(self._environment)
            except OSError as error:
                self._failed(error)

    async def launch(self, control: int, out: int, err: int) -> Launched:
        """Start a process. Raises OSError."""
        self.warm()
        server = self._server
        if server is not None and not server.lost:
            try:
                launched = await asyncio.wait_for(server.fork(control, out, err), READY_SECONDS)
            except (OSError, TimeoutError) as error:
                server.close()
                self._failed(error)
            else:
                self._failures = 0
                return launched
        return await self._fresh.launch(control, out, err)

    def close(self) -> None:
        """Stop the server; no more processes are forked."""
        if self._server is not None:
            self._server.close()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        _log.warning("a job is started without the fork server: %s", str(error) or type(error).__name__)


class _ForkServer:
    """The owner's end of one fork server."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost = False
        self._ready = asyncio.Event()
        self._asked: deque[asyncio.Future[_Forked]] = deque()
        self._alive: dict[int, _Forked] = {}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
            )
        ours.setblocking(False)
        self._sock = ours
        self._loop.add_reader(ours, self._read)

    async def fork(self, control: int, out: int, err: int) -> "_Forked":
        """Return a new process. Raises OSError."""
        await self._ready.wait()
        if self.lost:
            raise ConnectionError("the fork server has ended")
        answer: asyncio.Future[_Forked] = self._loop.create_future()
        socket.send_fds(self._sock, [MESSAGE.pack(FORK, 0, 0)], [control, out, err])
        self._asked.append(answer)
        return await answer

    def close(self) -> None:
        """Stop the server. Its processes continue, but their exit codes are lost."""
        if not self.lost:
            self._lose()

    # -- inside ------------------------------------------------------------------------------------------

    def _read(self) -> None:
        while not self.lost:
            try:
                message, fds, _, _ = socket.recv_fds(self._sock, MESSAGE.size, 1)
            except BlockingIOError:
                return
            except OSError:
                message, fds = b"", []
            if not message:
                self._lose()
                return
            kind, pid, code = MESSAGE.unpack(message)
            self._received(kind, pid, code, fds)

    def _received(self, kind: bytes, pid: int, code: int, fds: list[int]) -> None:
        if kind == READY:
            self._ready.set()
        elif kind == FORKED and not fds:  # this process has too many open files
            for kill in (os.kill, os.killpg):
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
            answer = self._asked.popleft()
            if not answer.done():
                answer.set_exception(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        elif kind == FORKED:
            forked = self._alive[pid] = _Forked(pid, fds[0])
            answer = self._asked.popleft()
            if answer.done():  # the caller has given up
                forked.kill()
            else:
                answer.set_result(forked)
        elif kind == FAILED:
            answer = self._asked.popleft()
            if not answer.done():
                answer.set_exception(OSError(code, os.strerror(code)))
        elif kind == ENDED and pid in self._alive:
            self._alive.pop(pid).end(code)

    def _lose(self) -> None:
        self.lost = True
        self._loop.remove_reader(self._sock)
        self._sock.close()
        self._process.kill()
        self._process.wait()
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(ConnectionError("the fork server has ended"))
        for forked in self._alive.values():
            forked.orphan()
        self._alive.clear()
        self._ready.set()


class _Forked:
    """A process that the server has forked; `handle` is its descriptor."""

    def __init__(self, pid: int, handle: int) -> None:
        self._pid = pid
        self._handle = handle
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._orphan: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._pid

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)
        if not self._code.done():
            kill_group(self._pid)

    def end(self, code: int) -> None:
        """The process has ended and has been reaped."""
        os.close(self._handle)
        self._handle = -1
        if not self._code.done():
            self._code.set_result(code)

    def orphan(self) -> None:
        """The server is gone and will not report the end: watch the process here."""
        self._orphan = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        await readable(self._handle)
        kill_group(self._pid)
        self.end(UNKNOWN)

    def _send(self, number: signal.Signals) -> None:
        if self._handle >= 0:
            try:
                signal.pidfd_send_signal(self._handle, number)
            except ProcessLookupError:
                return
