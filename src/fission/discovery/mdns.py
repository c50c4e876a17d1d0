"""Announces a node in the local network, and collects the announcements of others, with `zeroconf`."""

# ruff: noqa: PLC0415 - zeroconf is optional

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from fission.discovery.announcement import SERVICE, Announcement, instance_name, read_announcement
from fission.errors import RunError, UserError

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

__all__ = ["MOST_NODES", "announce", "find_nodes", "require_zeroconf"]

MOST_NODES: Final = 256
"""Nodes that one search returns; further ones are left out."""
_RESOLVE_SECONDS = 2.0
_log = logging.getLogger("fission.node")


def require_zeroconf(where: str) -> None:
    """Raise UserError when the library is not installed; `where` is the option that needs it."""
    try:
        import zeroconf  # noqa: F401
    except ImportError:
        raise UserError(
            "discovery needs the package zeroconf", where=where, hint="pip install 'fission[discover]'"
        ) from None


async def announce(node: Announcement) -> None:
    """Announce a node, on the interface of its first address, until the task is cancelled; then take it back.

    A network that cannot be used for it is logged; the node works without.
    """
    from zeroconf import Error, ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    address = node.addresses[0]
    try:
        info = ServiceInfo(
            SERVICE,
            f"{instance_name(node.name, address)}.{SERVICE}",
            port=node.port,
            properties=dict(node.properties()),
            parsed_addresses=list(node.addresses),
            server=f"fission-{address.replace('.', '-').replace(':', '-')}-{node.port}.local.",
        )
        mdns = AsyncZeroconf(interfaces=[address])
        try:
            # two services at one address, with different ports, would share the instance name
            await (await mdns.async_register_service(info, allow_name_change=True))
            _log.info("announced by mDNS as %s", info.name.removesuffix(f".{SERVICE}"))
            await asyncio.Event().wait()
        finally:
            await mdns.async_close()  # takes the announcement back
    except (OSError, RuntimeError, ValueError, Error) as error:
        _log.warning("the node is not announced: %s", error)


async def find_nodes(seconds: float) -> list[Announcement]:
    """Collect the nodes that announce themselves on any interface, for some seconds, sorted by name; at most 256.

    Raises RunError when no interface can be used.
    """
    from zeroconf import Error, IPVersion
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

    try:
        mdns = AsyncZeroconf(ip_version=IPVersion.All)
    except (OSError, RuntimeError, Error) as error:
        raise RunError(f"no interface can be used for mDNS ({error})") from None
    names: dict[str, None] = {}

    def changed(
        zeroconf: "Zeroconf",
        service_type: str,
        name: str,
        state_change: "ServiceStateChange",
    ) -> None:
        del zeroconf, service_type
        if state_change.name == "Removed":
            names.pop(name, None)
        elif len(names) < MOST_NODES:
            names[name] = None

    try:
        async with AsyncServiceBrowser(mdns.zeroconf, SERVICE, handlers=[changed]):
            await asyncio.sleep(seconds)
        found = await asyncio.gather(*(_resolve(mdns.zeroconf, name) for name in names))
    finally:
        await mdns.async_close()
    return sorted((one for one in found if one is not None), key=lambda one: (one.name, one.port))


async def _resolve(zeroconf: "Zeroconf", name: str) -> Announcement | None:
    from zeroconf import Error
    from zeroconf.asyncio import AsyncServiceInfo

    try:
        info = AsyncServiceInfo(SERVICE, name)
        if not await info.async_request(zeroconf, _RESOLVE_SECONDS * 1000):
            return None
        return read_announcement(name, info.parsed_scoped_addresses(), info.port, info.properties)
    except (Error, ValueError):  # a name or record that no node has sent
        return None
