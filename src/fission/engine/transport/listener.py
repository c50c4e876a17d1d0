"""Listens for members of the cluster: TLS, the role of their certificate, and their first message.

Until then a connection is unauthenticated and counts against the limits of `runtime.sockets.admission`.
"""

import asyncio
import errno
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from fission.engine.transport.stream import MessageStream, PlainChannel, tune
from fission.errors import FissionError, RunError
from fission.runtime.sockets.admission import Admission, limits_for
from fission.runtime.sockets.descriptors import descriptor_limit
from fission.runtime.sockets.rate_limited_log import RateLimitedLog
from fission.security import (
    IdentityFiles,
    Role,
    TlsChannel,
    accept_tls,
    server_context,
)
from fission.security.aio import complete

__all__ = ["ConnectionListener"]

logger = logging.getLogger(__name__)

_BACKLOG = 256
_ACCEPT_AT_ONCE = 32
HANDLER_SECONDS = 5.0
"""Time for the handler, from the first message on."""
_PAUSE = 0.2
"""Seconds without accepting when the system has no descriptor left."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

ConnectionHandler = Callable[[MessageStream, Any], Awaitable[bool]]
"""`await handler(stream, first)` with the first message of a member; True when the handler keeps the stream. Longer work
belongs into a task of its own."""


class ConnectionListener:
    """Listens on (address, port), with TLS if there is an identity, and passes the streams of members to `handler`.

    A member has a certificate for one of the `roles`. `port` may be 0; after `open()` it is the real one. `close()` does
    not touch the streams that a handler has kept.
    """

    def __init__(
        self,
        address: str,
        port: int,
        identity: IdentityFiles | None,
        handler: ConnectionHandler,
        *,
        roles: Collection[Role] = (Role.CLIENT,),
    ) -> None:
        self.address = address
        self.port = port
        self._context = None if identity is None else server_context(identity)
        self._handler = handler
        self._roles = roles
        self._log = RateLimitedLog(logger.log)
        self._admission: Admission[_Accepted] = Admission(limits_for(descriptor_limit()))
        self._tasks: dict[_Accepted, asyncio.Task[None]] = {}
        self._sock: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._summary: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to listen. Raises RunError when that is impossible."""
        try:
            version = ipaddress.ip_address(self.address).version
        except ValueError:
            raise RunError(
                "a port is opened at an IP address of this machine", where="--address", found=self.address
            ) from None
        sock = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.address, self.port))
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            raise RunError(
                f"cannot listen ({error.strerror})",
                where=f"{self.address} port {self.port}" if self.port else self.address,
                hint=_hint(error),
            ) from None
        sock.setblocking(False)
        self.port = sock.getsockname()[1]
        self._sock = sock
        self._listen()

    async def close(self) -> None:
        """Stop listening, and close the connections that no handler has kept."""
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()
            self._sock = None
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel("this service ends")
        await asyncio.gather(*tasks, return_exceptions=True)
        for timer in (self._pause, self._expiry, self._summary):
            if timer is not None:
                timer.cancel()

    def _listen(self) -> None:
        self._pause = None
        if self._sock is not None:
            asyncio.get_running_loop().add_reader(self._sock, self._accept, self._sock)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._accept_later(listener, error)
                    return
                continue  # the waiting connection was closed
            try:
                tune(sock)
            except OSError:
                sock.close()
                continue
            if self._admit(sock, str(address[0]), f"{address[0]}:{address[1]}"):
                return  # the sockets of cancelled tasks are closed before the next accept

    def _accept_later(self, listener: socket.socket, error: OSError) -> None:
        loop = asyncio.get_running_loop()
        self._report(f"no connection can be accepted ({error.strerror})")
        loop.remove_reader(listener)
        self._pause = loop.call_later(_PAUSE, self._listen)

    def _admit(self, sock: socket.socket, host: str, where: str) -> bool:
        """Start the task of a connection; return whether others are displaced by it."""
        loop = asyncio.get_running_loop()
        accepted = _Accepted(sock, where)
        task = loop.create_task(self._receive(accepted))
        self._tasks[accepted] = task
        task.add_done_callback(partial(self._done, accepted))
        rejected = self._admission.arrive(accepted, host, sock.fileno(), loop.time())
        for one, reason in rejected:
            self._reject(one, reason)
        if self._expiry is None:
            self._expire()
        return bool(rejected)

    def _expire(self) -> None:
        """Reject the connections whose time is over, and look again when the next one is due."""
        loop = asyncio.get_running_loop()
        for one, reason in self._admission.expire(loop.time()):
            self._reject(one, reason)
        deadline = self._admission.deadline()
        self._expiry = None if deadline is None else loop.call_at(deadline, self._expire)

    def _reject(self, accepted: "_Accepted", reason: str) -> None:
        self._report(f"{accepted.where}: {accepted.missing} is not complete: {reason}")
        self._tasks[accepted].cancel(reason)

    def _done(self, accepted: "_Accepted", task: asyncio.Task[None]) -> None:
        del self._tasks[accepted]
        self._admission.leave(accepted)
        if task.cancelled():
            accepted.sock.close()  # cancelled before its first step

    def _report(self, text: str) -> None:
        loop = asyncio.get_running_loop()
        self._log.say(logging.WARNING, f"refused: {text}", loop.time())
        if self._summary is None:
            self._summary = loop.call_later(1.1, self._summarize)

    def _summarize(self) -> None:
        self._summary = None
        self._log.tend(asyncio.get_running_loop().time())

    async def _receive(self, accepted: "_Accepted") -> None:
        """Take a connection from the accept to its handler, or close it."""
        where = accepted.where
        stream: MessageStream | None = None
        kept = False
        try:
            stream = await self._secured(accepted)
            first = await stream.receive()
            self._admission.leave(accepted)
            async with asyncio.timeout(HANDLER_SECONDS):
                kept = await self._handler(stream, first)
        except asyncio.CancelledError as error:
            if stream is not None:
                stream.abort(str(error.args[0]) if error.args else "cancelled")
            raise
        except TimeoutError:
            self._report(f"{where}: its request was not handled within {HANDLER_SECONDS:g} s")
        except (FissionError, OSError) as error:
            self._report(str(error) if where in str(error) else f"{where}: {error}")
        except Exception:
            logger.exception("a bug: the request of %s could not be handled", where)
        finally:
            if stream is None:
                accepted.sock.close()
            elif not kept:
                await stream.close("refused", 0.2)

    async def _secured(self, accepted: "_Accepted") -> MessageStream:
        """Complete the TLS handshake, if there is an identity, and return the stream."""
        sock = accepted.sock
        local = sock.getsockname()[0]
        if self._context is None:
            channel: PlainChannel | TlsChannel = PlainChannel(sock)
        else:
            # the admission ends before this deadline
            deadline = asyncio.get_running_loop().time() + 2 * self._admission.limits.seconds
            channel = await complete(accept_tls(sock, self._context, deadline, roles=self._roles))
        accepted.missing = "the first message"
        return MessageStream(channel, accepted.where, local)


@dataclass(slots=True, eq=False)
class _Accepted:
    """A connection between the accept and its handler."""

    sock: socket.socket
    where: str
    missing: str = "the TLS handshake"


def _hint(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "Does another fission-node run there already?"
    if error.errno == errno.EADDRNOTAVAIL:
        return "The address must be one of this machine"
    if error.errno == errno.EACCES:
        return "Ports below 1024 are for root; the default is 8785"
    return ""
