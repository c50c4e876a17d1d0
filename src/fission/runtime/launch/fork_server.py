"""A process that has imported what jobs need and forks job processes: `python -m fission.runtime.launch.fork_server FD`.

FD is one end of a SEQPACKET socket pair; `prefork` holds the other. Messages, 17 bytes each (kind, pid, code):

| from   | message                                     | meaning                                                      |
|--------|---------------------------------------------|--------------------------------------------------------------|
| owner  | FORK, descriptors of control, stdout, stderr | fork; answered in order                                      |
| server | READY                                       | everything is imported                                       |
| server | FORKED pid, descriptor of the process        | the new process                                              |
| server | FAILED code                                 | it could not be forked: errno                                |
| server | ENDED pid code                              | a process has ended, its group was killed, it was reaped     |

Why forking is safe here. The server has one thread, so no lock is held and nothing is half done when it forks; what
numpy's BLAS has started it stops before each fork, and starts anew when it is used. It opens no files, makes no TLS
context and no random numbers. Two things must not be shared all the same: the state of the random generators that
modules make when they are imported (Python's own is seeded anew by Python, numpy's here), and what the garbage
collector would touch, which is frozen. The server never imports the user's modules.
"""

import contextlib
import errno
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import warnings
from typing import Any, NoReturn

MESSAGE = struct.Struct("<cqq")
READY, FORK, FORKED, FAILED, ENDED = b"R", b"F", b"P", b"E", b"X"

_PRELOADED = (
    "csv",
    "fission.core.jobs.library",
    "fission.core.jobs.sinks",
    "fission.core.pipes.arrays",
    "fission.core.pipes.library",
    "fission.runtime.checkpointing.checkpoints",
    "fission.runtime.job.failure",
    "fission.runtime.programs.program_loop",
    "fission.runtime.sockets.tls",
    "fission.runtime.checkpointing.state",
    "json",
    "numpy",
    "numpy.random",
)
"""Modules that `fission.runtime.job.process` imports only where they are needed, and that most jobs need."""


class _Server:
    """Runs until its owner is gone; in a forked child, `serve` returns the descriptor of the control socket."""

    def __init__(self, sock: socket.socket, interrupt: Any = signal.default_int_handler) -> None:
        self._sock = sock
        self._interrupt = interrupt
        self._woken, self._wake = socket.socketpair()
        for one in (self._woken, self._wake):
            one.setblocking(False)

    def serve(self) -> int:
        """Fork on request and report the processes that have ended. Exits when the owner is gone."""
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)  # SIG_IGN would reap
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        self._send(READY)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    while self._woken.recv(4096):
                        pass
                self._reap()
            if self._sock.fileno() in ready:
                try:
                    message, fds, _, _ = socket.recv_fds(self._sock, MESSAGE.size, 3)
                except ConnectionError:
                    message = b""
                if not message:
                    os._exit(0)  # the owner is gone
                if self._fork(fds):
                    return self._become_job(*fds)

    def _fork(self, fds: list[int]) -> bool:
        """Fork; True in the child."""
        try:
            pid = (
                os.fork() if len(fds) == 3 else -errno.EMFILE
            )  # the kernel drops descriptors that exceed the limit of open files
        except OSError as error:
            pid = -(error.errno or errno.EAGAIN)
        if pid == 0:
            return True
        for fd in fds:
            os.close(fd)
        if pid < 0:
            self._send(FAILED, 0, -pid)
            return False
        try:
            handle = os.pidfd_open(pid)
        except OSError as error:
            os.kill(pid, signal.SIGKILL)  # `_reap` sees its end
            self._send(FAILED, 0, error.errno or errno.EMFILE)
            return False
        self._send(FORKED, pid, 0, handle)
        os.close(handle)
        return False

    def _become_job(self, control: int, out: int, err: int) -> int:
        """Release everything that belongs to the server."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, self._interrupt)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for one in (self._sock, self._woken, self._wake):
            one.close()
        for fd, target in ((out, 1), (err, 2)):
            os.dup2(fd, target)
            os.close(fd)
        # the stream objects of the server have cached what their descriptors were
        for fd, name in ((1, "stdout"), (2, "stderr")):
            stream = os.fdopen(fd, "w", encoding="utf-8", closefd=False)
            vars(sys).update({name: stream, f"__{name}__": stream})
        os.set_inheritable(control, False)
        sys.modules["numpy.random"].seed()
        gc.enable()
        return control

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # before it is reaped: no other process can have its id yet
            _, status = os.waitpid(pid, 0)
            self._send(ENDED, pid, os.waitstatus_to_exitcode(status))

    def _send(self, kind: bytes, pid: int = 0, code: int = 0, *fds: int) -> None:
        try:
            socket.send_fds(self._sock, [MESSAGE.pack(kind, pid, code)], fds)
        except OSError:
            os._exit(0)  # the owner is gone


def _ignore(_number: int, _frame: object) -> None:
    """Handles a signal that only has to wake the poll."""


def main() -> NoReturn:
    """Entry point: one argument, the descriptor of the socket to the owner."""
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # jobs have it as the owner was started
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.disable()
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.set_inheritable(False)
    from fission.runtime.job import process  # noqa: PLC0415 - a signal during the imports must not end the server
    from fission.runtime.process_title import set_title  # noqa: PLC0415

    set_title("fission-fork", "fission: fork server")

    for name in _PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    with warnings.catch_warnings():
        # Python sees the threads of BLAS that were there before the fork, and warns.
        warnings.simplefilter("ignore", DeprecationWarning)
        control = _Server(sock, interrupt).serve()
    process.main(control)


if __name__ == "__main__":
    main()
