"""Accepts consoles on other machines: TLS outside, the Unix socket of the job's `Console` inside.

A console must show a client's certificate of this cluster. Until then its connection counts against the limits of
`runtime.sockets.admission`; afterwards it takes one of `PLACES`. Bytes are relayed as they are. A TLS stream has no half end, so
a byte 04 marks the end of the typed lines.
"""

import errno
import select
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fission.errors import FissionError
from fission.runtime.sockets.admission import Admission, limits_for
from fission.runtime.sockets.descriptors import descriptor_limit
from fission.runtime.sockets.rate_limited_log import RateLimitedLog
from fission.security import (
    Role,
    Step,
    TlsChannel,
    TlsHandshake,
    accept_tls,
    find_identity,
    server_context,
)

__all__ = ["NO_MORE", "PLACES", "ConsoleTlsListener"]

NO_MORE = b"\x04"
"""Ends the lines of a console that types through TLS."""

PLACES = 16
"""Consoles that may be connected at the same time."""

_PAUSE = 0.2
"""Seconds without accepting when the system has no descriptor left."""
_TURN = 0.5
"""Seconds between two looks at the time limits."""
_SEND_SECONDS = 10.0
"""A console that takes nothing for so long is closed."""
_BACKLOG = 100
_BYTES = 1 << 16
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_INFO, _WARNING = 20, 30
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A console whose machine is lost gives its place back after a minute."""


class ConsoleTlsListener:
    """Listens at a free port of `host`; `address` is where. `log` gets a line for each connection that is refused.

    `inside` is the path of the Unix socket. The threads of the listener end with the process.
    """

    def __init__(self, host: str, identity: str, inside: str, log: Callable[[int, str], None]) -> None:
        self._context = server_context(find_identity(Path(identity)))
        self._inside = inside
        self._log = RateLimitedLog(log)
        self._admission: Admission[int] = Admission(limits_for(descriptor_limit()))  # by descriptor
        self._pending: dict[int, tuple[TlsHandshake, str]] = {}
        self._places = threading.Semaphore(PLACES)
        self._poll = select.poll()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=_BACKLOG)
        self._listener.setblocking(False)
        port = self._listener.getsockname()[1]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        threading.Thread(target=self._run, name="fission-console-tls", daemon=True).start()

    def _run(self) -> None:
        self._poll.register(self._listener.fileno(), select.POLLIN)
        while True:
            ready = self._poll.poll(_TURN * 1000)
            for descriptor, _ in ready:
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor in self._pending:
                    self._advance(descriptor)
            now = time.monotonic()
            for descriptor, reason in self._admission.expire(now):
                self._refuse(descriptor, reason)
            self._log.tend(now)

    def _accept(self) -> None:
        try:
            sock, address = self._listener.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._report(_WARNING, f"no console can be accepted: {error.strerror}")
                time.sleep(_PAUSE)
            return
        now = time.monotonic()
        try:
            for level, option, value in _KEEPALIVE:
                sock.setsockopt(level, option, value)
            handshake = accept_tls(
                sock, self._context, now + 2 * self._admission.limits.seconds, roles=(Role.CLIENT,)
            )
        except OSError:
            sock.close()
            return
        descriptor = sock.fileno()
        self._pending[descriptor] = handshake, str(address[0])
        self._poll.register(descriptor, select.POLLIN)
        for rejected, reason in self._admission.arrive(descriptor, str(address[0]), descriptor, now):
            self._refuse(rejected, reason)

    def _advance(self, descriptor: int) -> None:
        """Continue a handshake; give a console its place when it is complete."""
        handshake, host = self._pending[descriptor]
        step = handshake.step(time.monotonic())
        if step is Step.FAILED:
            self._refuse(descriptor, str(handshake.error))
        elif step is not Step.DONE:
            self._poll.modify(descriptor, select.POLLIN if step is Step.WANTS_READ else select.POLLOUT)
        elif self._places.acquire(blocking=False):
            self._forget(descriptor)
            serve = partial(self._serve, handshake.channel(), host)
            try:
                threading.Thread(target=serve, name=f"fission-console-{host}", daemon=True).start()
            except RuntimeError:  # the system has no thread left
                self._places.release()
                self._report(_WARNING, f"a console at {host} was refused: no thread can be started")
                handshake.close()
        else:
            self._refuse(descriptor, f"{PLACES} consoles are connected")

    def _serve(self, channel: TlsChannel, host: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX) as inside:
                inside.connect(self._inside)
                _relay(channel, inside)
        except (OSError, FissionError) as error:
            self._report(_INFO, f"a console at {host} was closed: {error}")
        finally:
            channel.close()
            self._places.release()

    def _refuse(self, descriptor: int, reason: str) -> None:
        handshake, host = self._pending[descriptor]
        self._forget(descriptor)
        handshake.close()
        self._report(_WARNING, f"a console at {host} was refused: {reason}")

    def _forget(self, descriptor: int) -> None:
        del self._pending[descriptor]
        self._admission.leave(descriptor)
        self._poll.unregister(descriptor)

    def _report(self, level: int, text: str) -> None:
        self._log.say(level, text, time.monotonic())


def _relay(channel: TlsChannel, inside: socket.socket) -> None:
    """Relay both directions until the job has no more output, or the console is gone."""
    typing = True
    poll = select.poll()
    poll.register(inside.fileno(), select.POLLIN)
    poll.register(channel.fileno(), select.POLLIN)
    buffer = bytearray(_BYTES)
    while True:
        waiting = channel.pending() > 0 and typing
        ready = dict(poll.poll(0 if waiting else None))
        if inside.fileno() in ready:
            data = inside.recv(_BYTES)
            if not data:
                return
            _send(channel, data)
        if typing and (waiting or channel.fileno() in ready):
            try:
                count = channel.recv_into(buffer)
            except BlockingIOError:
                continue
            lines, no_more, _ = bytes(buffer[:count]).partition(NO_MORE)
            inside.sendall(lines)
            if no_more or not count:
                typing = False
                inside.shutdown(socket.SHUT_WR)
                poll.unregister(channel.fileno())


def _send(channel: TlsChannel, data: bytes) -> None:
    """Send everything. Raises OSError for a console that does not take it."""
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLOUT)
    while data:
        try:
            data = data[channel.send(data) :]
        except BlockingIOError:
            if not poll.poll(_SEND_SECONDS * 1000):
                raise TimeoutError(errno.ETIMEDOUT, "it takes no output") from None
