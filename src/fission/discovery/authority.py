"""Finds out by a handshake whether a node belongs to our authority; its announcement is no proof."""

import asyncio
import hashlib
import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fission.discovery.announcement import Announcement, safe_text
from fission.errors import FissionError
from fission.security import Role, client_context, load_identity, peer_role, require_role
from fission.security.explain import explain

__all__ = ["Found", "Trust", "check_nodes"]

_SECONDS = 3.0
_AT_ONCE = 16


class Trust(StrEnum):
    """Whose certificate a node has shown."""

    OURS = "ours"
    FOREIGN = "foreign"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """A node that was discovered, what its handshake has shown, and the reason if it is not ours."""

    node: Announcement
    trust: Trust
    reason: str = ""


async def check_nodes(nodes: list[Announcement], client: Path) -> list[Found]:
    """Shake hands with all nodes, 16 at once; `client` is the folder of the client's certificate."""
    try:
        context = client_context(load_identity(client, Role.CLIENT))
    except FissionError as error:
        return [Found(node, Trust.UNKNOWN, str(error)) for node in nodes]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def check(node: Announcement) -> Found:
        async with slots:
            return await _check(node, context)

    return list(await asyncio.gather(*map(check, nodes)))


async def _check(node: Announcement, context: ssl.SSLContext) -> Found:
    """Dial its addresses one after another; the first that answers decides."""
    reason = "no answer"
    for address in node.addresses:
        try:
            async with asyncio.timeout(_SECONDS):
                shown = await _shown_certificate(address, node.port, context)
        except TimeoutError:
            continue
        except ssl.SSLError as error:
            return Found(node, Trust.FOREIGN, safe_reason(explain(error, address).what))
        except FissionError as error:
            return Found(node, Trust.FOREIGN, safe_reason(error.what))
        except OSError as error:
            reason = error.strerror or "the connection failed"
            continue
        if shown != node.fingerprint:
            return Found(
                node, Trust.FOREIGN, "the announced fingerprint is not that of the certificate it shows"
            )
        return Found(node, Trust.OURS)
    return Found(node, Trust.UNREACHABLE, safe_reason(reason))


async def _shown_certificate(address: str, port: int, context: ssl.SSLContext) -> str:
    """Return the fingerprint of a node that our authority has signed. Raises OSError, PeerError."""
    host = address.partition("%")[0]
    _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    try:
        tls = writer.get_extra_info("ssl_object")
        require_role(peer_role(tls), Role.NODE)
        return hashlib.sha256(tls.getpeercert(True)).hexdigest()
    finally:
        writer.transport.abort()


def safe_reason(text: str) -> str:
    """Return a short reason without control characters."""
    return safe_text(text[:60]) + safe_text(text[60:120])
