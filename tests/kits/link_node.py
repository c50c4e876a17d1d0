"""A node link as a program: `link_node.py ADDRESS PORT FOLDER` prints its port and ends with its standard input."""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fission.engine.node.link import StreamNodeLink
from fission.security import load_identity


async def main(address: str, port: str, folder: str) -> None:
    """Serve until the end of standard input."""

    async def handler(client: str, operation: str, arguments: Mapping[str, Any]) -> Any:
        match operation:
            case "echo":
                return dict(arguments)
            case "sink":
                return len(arguments["d"])
            case "post":
                for n in range(arguments["count"]):
                    link.post(client, "n", n)
            case "block":
                time.sleep(arguments["seconds"])
            case "hang":
                await asyncio.sleep(3600)
            case "gone":
                return gone
        return None

    gone: list[str] = []
    link = StreamNodeLink(
        address,
        int(port),
        identity=load_identity(Path(folder)) if folder else None,
        handler=handler,
        admit=lambda client, about: "",
        gone=gone.append,
    )
    await link.start()
    sys.stdout.write(f"{link.port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await link.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
