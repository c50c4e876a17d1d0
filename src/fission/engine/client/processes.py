"""Asks the machines of a network for their processes."""

import asyncio
from collections.abc import Iterable

from fission.engine.protocol.interfaces import ClientLink, LinkError, Plain
from fission.engine.protocol.link_messages import WireError, processes_from_plain, processes_to_plain
from fission.engine.protocol.processes import Processes

__all__ = ["CLIENT", "processes_of"]

CLIENT = "client"
"""The name of the client among the nodes."""


async def processes_of(link: ClientLink | None, nodes: Iterable[str], own: Processes) -> dict[str, Plain]:
    """Return the processes of the client and of each node, or `error` where a node does not answer."""

    async def ask(node: str) -> Plain:
        try:
            if link is None:
                raise LinkError("there is no link to nodes", where=node)
            return processes_to_plain(processes_from_plain(await link.request(node, "processes")))
        except (LinkError, WireError) as error:
            return {"error": str(error)}

    addresses = list(nodes)
    answers = await asyncio.gather(*map(ask, addresses))
    return {CLIENT: processes_to_plain(own), **dict(zip(addresses, answers, strict=True))}
