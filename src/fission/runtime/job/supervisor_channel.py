"""The job process's end of the control socket."""

import contextlib
import signal
import socket
import threading

from fission.runtime import messages
from fission.runtime.messages import JobSpec, to_job


class Control:
    """Our end of the control socket; any thread may send."""

    def __init__(self, fd: int) -> None:
        self._sock = socket.socket(fileno=fd)
        self._reader = to_job()
        self._lock = threading.Lock()
        self._early: list[messages.ToJob] = []
        self.fd = fd

    def send(self, message: messages.FromJob) -> None:
        """Send a message; a supervisor that has gone is noticed when reading."""
        data = messages.encode(message)
        # A handler that raises in the middle would leave half a message on the socket.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        try:
            with self._lock, contextlib.suppress(OSError):
                self._sock.sendall(data)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def read(self, *, wait: bool) -> list[messages.ToJob]:
        """Return the messages that have come. Raises EOFError when the supervisor has gone."""
        waiting, self._early = self._early, []
        try:
            data = self._sock.recv(1 << 20, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return waiting
        if not data:
            raise EOFError
        return [*waiting, *self._reader.feed(data)]

    def read_spec(self) -> JobSpec:
        """Wait for the first message; what came with it is kept for `read`."""
        while True:
            received = self.read(wait=True)
            if received:
                self._early = received[1:]
                if isinstance(received[0], messages.Start):
                    return received[0].spec
