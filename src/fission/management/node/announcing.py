"""Announces the running service in the local network, with `--announce`."""

import asyncio
import hashlib
import ssl

from fission.discovery.announcement import Announcement
from fission.discovery.mdns import announce
from fission.management.node.options import NodeOptions
from fission.security import IdentityFiles

_END_SECONDS = 0.5


class Announcing:
    """The announcement of a service that listens at `port`; call `stop` before the service ends."""

    def __init__(self, options: NodeOptions, port: int, version: str, identity: IdentityFiles | None) -> None:
        fingerprint = ""
        if identity is not None:
            certificate = ssl.PEM_cert_to_DER_cert(identity.cert.read_text(encoding="ascii"))
            fingerprint = hashlib.sha256(certificate).hexdigest()
        node = Announcement(options.name, (options.address,), port, version, fingerprint)
        self._task = asyncio.create_task(announce(node))

    async def stop(self) -> None:
        """Take the announcement back, in a bounded time."""
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_END_SECONDS)
