"""`fission nodes --discover`: the nodes that announce themselves in the local network."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from fission.discovery.authority import Found, Trust, check_nodes
from fission.discovery.mdns import find_nodes, require_zeroconf
from fission.management.console.tables import Row, new_console, show, table
from fission.security import Role

_STYLES = {Trust.OURS: "green", Trust.FOREIGN: "red"}
_SHOWN = 16
"""Hexadecimal digits of a fingerprint in the table; `--json` has all."""


def discover_command(certs: Path, seconds: float, *, as_json: bool) -> int:
    """List the nodes that announce themselves within some seconds, and whether they are of the authority in `certs`."""
    require_zeroconf("--discover")
    found = asyncio.run(_discover(certs, seconds))
    if as_json:
        print(json.dumps([_plain(one) for one in found], indent=2))
        return 0
    if not found:
        new_console(stderr=True).print(
            "no node announces itself here. Nodes do so with `fission-node --announce`, and only in the same local network",
            soft_wrap=True,
        )
        return 0
    console = new_console()
    titles = ("node", "address", "port", "version", "fingerprint", "authority")
    show(console, table(titles, [_row(one) for one in found], numbers=("port",)))
    for one in found:
        if one.reason:
            console.print(Text(f"{one.node.name}: {one.trust}: {one.reason}"), soft_wrap=True)
    return 0


async def _discover(certs: Path, seconds: float) -> list[Found]:
    return await check_nodes(await find_nodes(seconds), certs / Role.CLIENT)


def _row(one: Found) -> Row:
    node = one.node
    shown = node.fingerprint[:_SHOWN] or "none"
    style = _STYLES.get(one.trust, "yellow")
    return (
        node.name,
        "\n".join(node.addresses),
        str(node.port),
        node.version,
        shown,
        Text(one.trust, style=style),
    )


def _plain(one: Found) -> dict[str, object]:
    return {**asdict(one.node), "authority": one.trust.value, "reason": one.reason}
