"""A checkpoint server and its client, with entries that are signed and states that match their digests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from fission.engine.checkpoints.authentication import checkpoint_code
from fission.engine.checkpoints.client import CheckpointClient
from fission.engine.checkpoints.server import PROTOCOL, CheckpointServer
from fission.engine.checkpoints.store import CheckpointEntry, CheckpointKey, CheckpointStore
from fission.engine.protocol.interfaces import CheckpointWriter, JobOrder, PlacedJob
from fission.engine.transport.dialer import Dialer
from fission.engine.transport.rpc import RpcConnection
from fission.runtime.checkpointing.digest import state_digest
from fission.runtime.messages import JobSpec
from fission.security import IdentityFiles, Role

KEY = CheckpointKey("net", "run", 3)
SECRET = bytes(range(32))
STATE = b"state"
NODE = "127.0.0.1"


def entry(
    round: int, state: bytes = STATE, *, digest: str = "", size: int = -1, by: int = 1, epoch: int = 1
) -> CheckpointEntry:
    """A signed entry of incarnation `by`, for a state or for a digest and size that the test makes up."""
    digest, size = digest or state_digest(state), len(state) if size < 0 else size
    one = CheckpointEntry(epoch, round, digest, size, by, "")
    return replace(one, code=checkpoint_code(SECRET, KEY, one))


def dialer(folder: Path | None) -> Dialer:
    """A dialer with a certificate, or without."""
    return Dialer(None if folder is None else IdentityFiles(folder), (Role.NODE, Role.CLIENT))


def client(address: str, folder: Path | None = None) -> CheckpointClient:
    """A client of the server at an address."""
    return CheckpointClient(address, dialer(folder))


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[RpcConnection]:
    """A connection on which a test may send any request."""
    host, _, port = address.rpartition(":")
    stream = await dialer(None).dial(host, int(port), 5)
    stream.send({"checkpoints": PROTOCOL})
    assert await stream.receive() == {"welcome": {}}
    rpc = RpcConnection(stream, address)
    serving = asyncio.create_task(rpc.serve())
    try:
        yield rpc
    finally:
        rpc.abort("the test is done")
        await serving


def place(server: CheckpointServer, incarnation: int = 2, node: str = NODE) -> None:
    """Announce that an incarnation of the job is placed on a node."""
    server.announce(KEY.network, KEY.run, {KEY.job: PlacedJob(incarnation, node)})


def talk(
    store: CheckpointStore,
    server: Path | None,
    folder: Path | None,
    story: Callable[[CheckpointClient], Awaitable[None]],
    *,
    placed: PlacedJob = PlacedJob(1, NODE),  # noqa: B008 - a frozen value
) -> None:
    """Let a story use a client of a server, to which a placement is announced."""

    async def whole() -> None:
        serving = CheckpointServer(store, None if server is None else IdentityFiles(server))
        one = client(serving.listen("127.0.0.1"), folder)
        serving.announce(KEY.network, KEY.run, {KEY.job: placed})
        try:
            await story(one)
        finally:
            one.close()
            await serving.close()

    asyncio.run(asyncio.wait_for(whole(), 20))


def order_for(*replicas: str, stored: bool = False, incarnation: int = 2) -> JobOrder:
    """The order of an incarnation that resumes."""
    spec = JobSpec(
        KEY.run, KEY.job, "job", incarnation, "", (), "", 0, "INFO", {}, {}, b"", resume=True, stored=stored
    )
    return JobOrder("net", "", spec, "", "", replicas=replicas, checkpoint_key=SECRET)


def writer(incarnation: int = 1) -> CheckpointWriter:
    """An incarnation of the job as a writer."""
    return CheckpointWriter(KEY.network, KEY.run, KEY.job, incarnation, SECRET)
