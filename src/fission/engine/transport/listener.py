"""The node's door: it listens, and lets in clients with a certificate. Whoever else knocks costs next to nothing."""

import asyncio
import errno
import ipaddress
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable

from fission.engine.transport.stream import MessageStream, PlainChannel, tune
from fission.errors import FissionError, RunError
from fission.runtime.sockets.rate_limited_log import RateLimitedLog
from fission.security import (
    HANDSHAKE_SECONDS,
    IdentityFiles,
    Role,
    accept_tls,
    server_context,
)
from fission.security.aio import complete

__all__ = ["ConnectionListener"]

logger = logging.getLogger(__name__)

_HALF_OPEN = 128
"""So many may stand at the door. One more, and the one who stands there longest has to go."""
_ACCEPT_AT_ONCE = 32
ASK_SECONDS = 5.0
"""After the handshake, to say what one wants."""
_PAUSE = 0.2
"""Seconds without accepting when the system has no descriptor left."""

ConnectionHandler = Callable[[MessageStream], Awaitable[bool]]
"""Hears what a visitor wants; False when he was refused. It is given a time limit; what goes on longer is a task of
its own."""


class ConnectionListener:
    """Listens on (address, port), with TLS if there is an identity, and hands every client to `visitor`.

    `port` may be 0; after `open()` it is the real one. `close()` does not touch those who were let in.
    """

    def __init__(
        self, address: str, port: int, identity: IdentityFiles | None, visitor: ConnectionHandler
    ) -> None:
        self.address = address
        self.port = port
        self._context = None if identity is None else server_context(identity)
        self._visitor = visitor
        self._strangers = RateLimitedLog(logger.log)
        self._waiting: dict[asyncio.Task[None], socket.socket] = {}
        self._sock: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._tend: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to listen. Raises RunError when that is impossible."""
        try:
            version = ipaddress.ip_address(self.address).version
        except ValueError:
            raise RunError(
                "a node listens on an IP address of its machine", where="--address", found=self.address
            ) from None
        sock = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.address, self.port))
            sock.listen(256)
        except OSError as error:
            sock.close()
            raise RunError(
                f"cannot listen ({error.strerror})",
                where=f"{self.address} port {self.port}",
                hint=_hint(error),
            ) from None
        sock.setblocking(False)
        self.port = sock.getsockname()[1]
        self._sock = sock
        self._listen()

    async def close(self) -> None:
        """Stop listening, and send away who stands at the door."""
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()
            self._sock = None
        tasks = list(self._waiting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for timer in (self._pause, self._tend):
            if timer is not None:
                timer.cancel()

    def _listen(self) -> None:
        self._pause = None
        if self._sock is not None:
            asyncio.get_running_loop().add_reader(self._sock, self._accept, self._sock)

    def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._refused(f"no connection can be accepted ({error.strerror})")
                    loop.remove_reader(listener)
                    self._pause = loop.call_later(_PAUSE, self._listen)
                    return
                continue  # this one has gone already
            try:
                tune(sock)
            except OSError:
                sock.close()
                continue
            where = f"{address[0]}:{address[1]}"
            task = loop.create_task(self._receive(sock, where))
            self._waiting[task] = sock
            task.add_done_callback(self._left)
            if len(self._waiting) > _HALF_OPEN:
                next(iter(self._waiting)).cancel("too many wait at the door")

    def _left(self, task: asyncio.Task[None]) -> None:
        sock = self._waiting.pop(task)
        if task.cancelled():
            sock.close()  # sent away before he could say a word

    def _refused(self, text: str) -> None:
        loop = asyncio.get_running_loop()
        self._strangers.say(logging.WARNING, f"refused: {text}", loop.time())
        if self._tend is None:
            self._tend = loop.call_later(1.1, self._count_refused)

    def _count_refused(self) -> None:
        self._tend = None
        self._strangers.tend(asyncio.get_running_loop().time())

    async def _receive(self, sock: socket.socket, where: str) -> None:
        """Let one in, or not."""
        loop = asyncio.get_running_loop()
        stream = None
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS + ASK_SECONDS):
                stream = await _accepted(sock, self._context, where, loop.time() + HANDSHAKE_SECONDS)
                if await self._visitor(stream):
                    stream = None
        except asyncio.CancelledError as error:
            self._refused(f"{where}: {error.args[0] if error.args else 'the node ends'}")
        except TimeoutError:
            self._refused(f"{where}: it did not say in time what it wants")
        except (FissionError, OSError) as error:
            self._refused(str(error) if where in str(error) else f"{where}: {error}")
        except Exception:
            logger.exception("a bug: what %s wanted could not be handled", where)
        finally:
            if stream is not None:
                await stream.close("refused", 0.2)


async def _accepted(
    sock: socket.socket, context: ssl.SSLContext | None, where: str, deadline: float
) -> MessageStream:
    local = sock.getsockname()[0]
    if context is None:
        return MessageStream(PlainChannel(sock), where, local)
    channel = await complete(accept_tls(sock, context, deadline, roles=(Role.CLIENT,)))
    return MessageStream(channel, where, local)


def _hint(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "Does another fission-node run there already?"
    if error.errno == errno.EADDRNOTAVAIL:
        return "The address must be one of this machine"
    if error.errno == errno.EACCES:
        return "Ports below 1024 are for root; the default is 8785"
    return ""
