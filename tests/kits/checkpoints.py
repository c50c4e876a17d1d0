"""A keeper of states, and somebody who asks it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from fission.engine.checkpoints.rpc import CheckpointClient, CheckpointServer
from fission.engine.checkpoints.store import CheckpointEntry, CheckpointKey, CheckpointStore
from fission.engine.protocol.interfaces import JobOrder
from fission.runtime.messages import JobSpec
from fission.security import IdentityFiles

KEY = CheckpointKey("net", "run", 3)


def entry(round: int, digest: str = "00aa00aa", size: int = 5) -> CheckpointEntry:
    return CheckpointEntry(1, round, digest, size)


def talk(
    store: CheckpointStore,
    server: Path | None,
    client: Path | None,
    story: Callable[[CheckpointClient], Awaitable[None]],
) -> None:
    async def whole() -> None:
        serving = CheckpointServer(store, None if server is None else IdentityFiles(server))
        address = await serving.start("127.0.0.1")
        link = CheckpointClient(address, None if client is None else IdentityFiles(client))
        try:
            await story(link)
        finally:
            link.close()
            await serving.close()

    asyncio.run(asyncio.wait_for(whole(), 20))


def order_for(*keepers: str, stored: bool = False) -> JobOrder:
    spec = JobSpec(KEY.run, KEY.job, "job", 2, "", (), "", 0, "INFO", {}, {}, b"", resume=True, stored=stored)
    return JobOrder("net", "", spec, "", "", keepers=keepers)
