"""Outgoing connections: dials an address, verifies the peer's certificate, and returns a `MessageStream`."""

import asyncio
import ipaddress
import os
import socket
from collections.abc import Iterable

from fission.engine.transport.stream import MessageStream, PlainChannel, tune
from fission.errors import RunError
from fission.security import IdentityFiles, Role, client_context, dial_tls
from fission.security.aio import complete

__all__ = ["Dialer"]


class Dialer:
    """Connects to peers of the given `roles`: over TLS with our identity, or in clear text without one."""

    def __init__(self, identity: IdentityFiles | None, roles: Iterable[Role]) -> None:
        self._context = None if identity is None else client_context(identity, check_host=False)
        self._roles = tuple(roles)

    async def dial(self, address: str, port: int, seconds: float) -> MessageStream:
        """Connect within so many seconds; the certificate of a node must name `address`.

        Raises RunError when the address cannot be reached, and PeerError, which is a RunError, when the peer there has
        the wrong certificate or role.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        where = f"{address}:{port}"
        try:
            async with asyncio.timeout_at(deadline):
                sock = await _connected(address, port)
        except TimeoutError:
            raise RunError(f"does not answer within {seconds:g} s", where=where) from None
        except OSError as error:
            # asyncio replaces the system's text with its own
            known = error.errno is not None and error.errno > 0
            why = os.strerror(error.errno or 0) if known else error.strerror or error
            raise RunError(f"cannot be reached ({why})", where=where) from None
        local = sock.getsockname()[0]
        if self._context is None:
            return MessageStream(PlainChannel(sock), where, local)
        handshake = dial_tls(sock, self._context, deadline, host=address, roles=self._roles)
        return MessageStream(await complete(handshake), where, local)


async def _connected(address: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    problem: OSError = OSError("it has no address")
    for family, target in await _resolved(address, port):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            tune(sock)
            await loop.sock_connect(sock, target)
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise problem


async def _resolved(address: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    """Return family and target of each address; an IP address needs no name look-up, which would take a thread."""
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(address, port, type=socket.SOCK_STREAM)
        return [(family, (str(target[0]), port)) for family, _, _, _, target in found]
    return [(socket.AF_INET if version == 4 else socket.AF_INET6, (address, port))]
