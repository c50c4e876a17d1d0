"""Reachability of TCP ports: attempts to connect whose outcome is named, and a port that proves what answers there.

A port is opened for a short time and shows a random token to whatever connects. An attempt that reads this token has reached
that port, and neither a proxy nor a machine with the same address.
"""

import asyncio
import errno
import os
import secrets
import socket
from typing import Final

from fission.diagnosis.facts import Outcome, Reach

__all__ = ["REACH_SECONDS", "ProbePort", "reach"]

REACH_SECONDS: Final = 3.5
"""A lost first packet is repeated after 1 s, the second one after 3 s."""

_TOKEN_BYTES: Final = 16
_MOST_CONNECTIONS: Final = 256
_OUTCOMES: Final = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ETIMEDOUT: Outcome.SILENT,
    errno.EHOSTUNREACH: Outcome.UNREACHABLE,
    errno.ENETUNREACH: Outcome.UNREACHABLE,
    errno.EHOSTDOWN: Outcome.UNREACHABLE,
    errno.EADDRNOTAVAIL: Outcome.UNREACHABLE,
    errno.ECONNRESET: Outcome.STRANGER,
}


async def reach(address: str, port: int, token: str = "", *, seconds: float = REACH_SECONDS) -> Reach:
    """Connect to a port, within so many seconds; with a `token` it must be the `ProbePort` that shows it. Raises nothing."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address, port, limit=1024)
            try:
                shown = await reader.readexactly(len(token)) if token else b""
            finally:
                writer.transport.abort()
    except TimeoutError:
        return Reach(Outcome.SILENT)
    except asyncio.IncompleteReadError:
        return Reach(Outcome.STRANGER)
    except socket.gaierror as error:
        return Reach(Outcome.UNRESOLVED, error.strerror or "")
    except UnicodeError:
        return Reach(Outcome.UNRESOLVED, "no host can have this name")
    except OSError as error:
        return _failed(error)
    return Reach(Outcome.REACHED if shown == token.encode() else Outcome.STRANGER)


def _failed(error: OSError) -> Reach:
    # of several addresses asyncio raises one error without a number
    outcome = _OUTCOMES.get(error.errno or 0, Outcome.FAILED)
    detail = "" if outcome in (Outcome.REFUSED, Outcome.SILENT, Outcome.STRANGER) else _system_text(error)
    return Reach(outcome, detail)


def _system_text(error: OSError) -> str:
    """Return the system's text, which asyncio replaces by its own."""
    return os.strerror(error.errno) if error.errno else str(error)


class ProbePort:
    """A listening port of the system's choice that shows `token` to each connection and closes it.

    `await open()`, then `close()`; it closes itself after `seconds`.
    """

    def __init__(self, address: str, seconds: float) -> None:
        self.token = secrets.token_hex(_TOKEN_BYTES)
        self.port = 0
        self._address = address
        self._seconds = seconds
        self._left = _MOST_CONNECTIONS
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def open(self) -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.start_server(self._greet, self._address, 0, limit=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self.close)

    def close(self) -> None:
        """Stop listening."""
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _greet(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._left -= 1
        writer.write(self.token.encode())
        writer.close()  # what was written is sent before
        if self._left <= 0:
            self.close()
