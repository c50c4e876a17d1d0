"""The job process's end of the control socket."""

import contextlib
import errno
import select
import signal
import socket
import sys
import threading

from fission.errors import RunError
from fission.runtime import messages
from fission.runtime.messages import JobSpec, to_job

_FOREIGN = (errno.EBADF, errno.ENOTSOCK)
"""The control socket was closed by the job's code; its number may belong to another file by now."""


class Control:
    """Our end of the control socket; any thread may send."""

    def __init__(self, fd: int) -> None:
        self._sock = socket.socket(fileno=fd)
        self._reader = to_job()
        self._lock = threading.Lock()
        self._early: list[messages.ToJob] = []
        self._detached = False
        self.fd = fd

    def detach(self) -> None:
        """In a forked child: send nothing any more. What its code logs is written to stderr."""
        self._detached = True

    def send(self, message: messages.FromJob) -> None:
        """Send a message; the loss of the supervisor is noticed by `read`."""
        if self._detached:
            _print(message)
            return
        data = messages.encode(message)
        # A signal handler that raises in the middle would leave half a message on the socket.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        try:
            with self._lock:
                self._sock.sendall(data)
        except OSError as error:
            if error.errno in _FOREIGN:
                _print(message)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def offer(self, message: messages.FromJob) -> bool:
        """Send a message of at most some 100 KB if the supervisor takes it at once; return whether it was sent."""
        if self._detached:
            return False
        writable = select.poll()  # a Unix socket is writable while most of its buffer is free
        writable.register(self.fd, select.POLLOUT)
        if [event for _, event in writable.poll(0)] != [select.POLLOUT]:
            return False
        self.send(message)
        return True

    def read(self, *, wait: bool) -> list[messages.ToJob]:
        """Return the messages that have arrived. Raises EOFError when the supervisor is gone."""
        waiting, self._early = self._early, []
        try:
            data = self._sock.recv(1 << 20, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return waiting
        except OSError as error:
            if error.errno not in _FOREIGN:
                raise
            raise RunError(
                "the job's code has closed descriptors that it has not opened",
                found=f"its control socket, descriptor {self.fd}, is closed",
                hint="Look for os.close and os.closerange; close only what the code has opened",
            ) from None
        if not data:
            raise EOFError
        return [*waiting, *self._reader.feed(data)]

    def read_spec(self) -> JobSpec:
        """Wait for the first message; messages that arrive with it are kept for `read`."""
        while True:
            received = self.read(wait=True)
            if received:
                self._early = received[1:]
                if isinstance(received[0], messages.Start):
                    return received[0].spec


def _print(message: messages.FromJob) -> None:
    """Where a message cannot be sent: write what matters to people to stderr."""
    text = {messages.Log: "text", messages.Failed: "message"}.get(type(message))
    if text is not None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"{getattr(message, text)}\n")
