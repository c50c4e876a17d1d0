"""The checkpoint server of a machine: stores the checkpoints of jobs that other machines host.

Requests travel over an `RpcConnection` from machine to machine, without the client, so that checkpoints are stored while it is
away. Both nodes and the client may connect; a request about a job is granted only to the machine on which the client has placed
this incarnation of the job (`announce`). Large states travel in pieces, from file to file.

| operation | arguments                                                             | answer                          |
|-----------|-----------------------------------------------------------------------|---------------------------------|
| put       | network, run, job, incarnation, entry, needed_from, state or draft    | whether the entry is stored now |
| append    | draft (a number), offset, data                                        | nothing                         |
| discard   | draft                                                                 | nothing                         |
| fence     | network, run, job, incarnation                                        | the entries                     |
| get       | network, run, job, incarnation, digest, offset                        | size of the state, and a piece  |

A `put` without a state stores the entry only if the state is here already. `append` writes a draft of this connection, which
a `put` names later.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from functools import partial
from math import inf
from pathlib import Path
from time import monotonic

from fission.engine.checkpoints.store import LARGEST, CheckpointEntry, CheckpointKey, CheckpointStore
from fission.engine.protocol.interfaces import PlacedJob, PlacedJobs, Plain
from fission.engine.transport.handshake import refusal, welcome
from fission.engine.transport.listener import ConnectionListener
from fission.engine.transport.rpc import RpcConnection
from fission.engine.transport.stream import MessageStream
from fission.errors import FissionError, RunError
from fission.runtime.sockets.descriptors import descriptor_limit
from fission.security import IdentityFiles, Peer, Role, is_at
from fission.serialization.plain import read, write

__all__ = ["PIECE", "PROTOCOL", "CheckpointServer"]

_log = logging.getLogger(__name__)

PROTOCOL = 1
"""Raised when the checkpoint ports of different versions would misunderstand each other."""
PIECE = 1 << 20
"""Bytes of a state in one message."""
_CONNECTIONS = 256
"""Members that may be connected to one server; one more displaces the connection that was used least recently."""
_DRAFTS = 16
"""Unfinished states of one connection."""
_REPEAT_SECONDS = 600.0
"""Time after which the same failure of the disk is logged again."""
_NOWHERE = PlacedJob(0, "")
_ANNOUNCE_SECONDS = 1.5
"""Time for the announcement of an incarnation to arrive, which the client sends together with the order of the job."""


class CheckpointServer:
    """Stores the checkpoints of other machines' jobs in `store`. `listen` first, and `close` at last."""

    def __init__(self, store: CheckpointStore, identity: IdentityFiles | None) -> None:
        self._store = store
        self._identity = identity
        self._listener: ConnectionListener | None = None
        self._sessions: dict[_Session, None] = {}  # the least recently used first
        self._serving: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self._placed: dict[tuple[str, str], PlacedJobs] = {}
        self._announced = asyncio.Condition()
        self._logged: dict[str, float] = {}  # when each failure of the disk was logged last

    def listen(self, address: str) -> str:
        """Listen at a port of the system's choice; return "address:port". Raises RunError."""
        roles = (Role.NODE, Role.CLIENT)
        self._listener = ConnectionListener(address, 0, self._identity, self._join, roles=roles)
        self._listener.open()
        port = self._listener.port
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    async def close(self) -> None:
        """Stop listening; close all connections."""
        if self._listener is not None:
            await self._listener.close()
        for session in list(self._sessions):
            session.rpc.abort("the checkpoint server ends")
        tasks = [*self._serving, *self._requests]
        for task in self._requests:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def announce(self, network: str, run: str, placed: PlacedJobs) -> None:
        """Grant requests about these incarnations, and about no others of their jobs; other runs of the network are over."""
        before = self._placed.get((network, run), {})
        self.forget(network)
        self._placed[network, run] = {**before, **placed}
        task = asyncio.get_running_loop().create_task(self._wake())
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    def forget(self, network: str) -> None:
        """Accept no checkpoints of a network."""
        for key in [key for key in self._placed if key[0] == network]:
            del self._placed[key]

    # -- connections -------------------------------------------------------------------------------------

    async def _join(self, stream: MessageStream, first: Plain) -> bool:
        if first != {"checkpoints": PROTOCOL}:
            reason = f"this port stores checkpoints, by protocol {PROTOCOL}"
            stream.send(refusal(reason))
            raise RunError(reason, where=stream.where, found=ascii(first)[:80])
        self._make_room()
        session = _Session(stream.peer)
        handler = partial(self._handle, session)
        session.rpc = RpcConnection(stream, stream.where, handler=handler, running=self._requests)
        stream.send(welcome({}))
        self._sessions[session] = None
        task = asyncio.get_running_loop().create_task(self._serve(session))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return True

    def _make_room(self) -> None:
        """Close the least recently used connection when there are too many. Raises RunError when all are busy."""
        most = min(_CONNECTIONS, descriptor_limit() // 4)
        if len(self._sessions) < most:
            return
        for session in self._sessions:
            if not session.busy:
                session.rpc.abort("other machines need its place")
                del self._sessions[session]
                return
        raise RunError(f"all {most} connections of the checkpoint server are busy")

    async def _serve(self, session: "_Session") -> None:
        try:
            await session.rpc.serve()
        finally:
            self._sessions.pop(session, None)
            await asyncio.to_thread(session.remove_drafts)

    async def _wake(self) -> None:
        async with self._announced:
            self._announced.notify_all()

    # -- requests ----------------------------------------------------------------------------------------

    async def _handle(self, session: "_Session", operation: str, arguments: Mapping[str, Plain]) -> Plain:
        """Carry out a request. Raises FissionError, whose text is the answer."""
        if session in self._sessions:
            self._sessions[session] = self._sessions.pop(session)
        session.busy += 1
        try:
            if operation == "append":
                return await self._append(session, arguments)
            if operation == "discard":
                return await self._discard(session, arguments)
            key, incarnation = _place(arguments)
            await self._authorize(session.peer, key, incarnation)
            match operation:
                case "put":
                    return await self._put(session, key, incarnation, arguments)
                case "fence":
                    entries = await asyncio.to_thread(self._store.fence, key, incarnation)
                    return [write(CheckpointEntry, entry) for entry in entries]
                case "get":
                    return await asyncio.to_thread(self._piece, key, arguments)
            raise _misunderstood(operation)
        except FissionError as error:
            self._report(error)
            raise
        finally:
            session.busy -= 1

    async def _authorize(self, peer: Peer | None, key: CheckpointKey, incarnation: int) -> None:
        """Raise RunError unless the client has placed this incarnation of the job on the machine that asks."""
        where = f"job {key.job} of network {key.network}"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANNOUNCE_SECONDS), self._announced:
                await self._announced.wait_for(lambda: self._place_of(key).incarnation >= incarnation)
        placed = self._place_of(key)
        announced, node = placed.incarnation, placed.node
        if announced > incarnation:
            raise RunError(
                f"job {key.job} has a newer incarnation", expected=str(announced), found=str(incarnation)
            )
        if announced < incarnation:
            raise RunError(
                "the client has not announced this incarnation to the replica",
                where=where,
                expected=str(announced) if announced else "",
                found=str(incarnation),
            )
        if peer is not None and not is_at(peer, node):
            raise RunError(
                "the job is placed on another machine", where=where, expected=node, found=peer.name
            )

    def _place_of(self, key: CheckpointKey) -> PlacedJob:
        return self._placed.get((key.network, key.run), {}).get(key.job, _NOWHERE)

    async def _append(self, session: "_Session", arguments: Mapping[str, Plain]) -> None:
        match arguments:
            case {"draft": int(number), "offset": int(offset), "data": bytes(data)}:
                draft = session.drafts.get(number)
                if draft is None and offset == 0 and len(session.drafts) < _DRAFTS:
                    draft = session.drafts[number] = _Draft(await asyncio.to_thread(self._store.draft))
                if draft is None or draft.size != offset or offset + len(data) > LARGEST:
                    raise RunError("a piece of a state is out of order", found=f"offset {offset}")
                try:
                    await asyncio.to_thread(draft.append, data)
                except RunError:
                    del session.drafts[number]
                    raise
            case _:
                raise _misunderstood("append")

    async def _discard(self, session: "_Session", arguments: Mapping[str, Plain]) -> None:
        match arguments:
            case {"draft": int(number)}:
                draft = session.drafts.pop(number, None)
                if draft is not None:
                    await asyncio.to_thread(draft.remove)
            case _:
                raise _misunderstood("discard")

    async def _put(
        self, session: "_Session", key: CheckpointKey, incarnation: int, arguments: Mapping[str, Plain]
    ) -> bool:
        entry: CheckpointEntry = read(CheckpointEntry, "entry of a checkpoint", arguments.get("entry"))
        if entry.incarnation > incarnation:
            raise RunError("a checkpoint is newer than its job", found=str(entry.incarnation))
        state: bytes | Path | None = None
        draft: _Draft | None = None
        size = entry.size
        match arguments:
            case {"needed_from": [int(epoch), int(round)], "state": bytes(data)}:
                state, size = data, len(data)
            case {"needed_from": [int(epoch), int(round)], "draft": int(number)}:
                draft = session.drafts.pop(number, None)
                if draft is None:
                    raise RunError("a state has not arrived", where=f"job {key.job}")
                state, size = draft.path, draft.size
            case {"needed_from": [int(epoch), int(round)]}:
                pass
            case _:
                raise _misunderstood("put")
        try:
            if size != entry.size:
                raise RunError("a state is not complete", expected=f"{entry.size} bytes", found=str(size))
            return await asyncio.to_thread(self._store.put, key, incarnation, entry, (epoch, round), state)
        finally:
            if draft is not None:
                await asyncio.to_thread(draft.remove)

    def _piece(self, key: CheckpointKey, arguments: Mapping[str, Plain]) -> Plain:
        match arguments:
            case {"digest": str(digest), "offset": int(offset)} if 0 <= offset <= LARGEST:
                with self._store.open(key, digest) as file:
                    try:
                        size = file.seek(0, 2)
                        file.seek(offset)
                        return {"size": size, "data": file.read(PIECE)}
                    except OSError as error:
                        where = f"job {key.job} of network {key.network}"
                        raise RunError(
                            f"a state cannot be read: {error.strerror or error}", where=where
                        ) from error
        raise _misunderstood("get")

    def _report(self, error: FissionError) -> None:
        """Log a failure of the disk, the same one rarely."""
        text, now = str(error), monotonic()
        if isinstance(error.__cause__, OSError) and now >= self._logged.get(text, -inf) + _REPEAT_SECONDS:
            self._logged[text] = now
            _log.warning("%s", text)


class _Draft:
    """A state that arrives in pieces."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0

    def append(self, data: bytes) -> None:
        """Write the next piece; after a failure nothing of the draft is left on the disk, which may be full."""
        try:
            with self.path.open("ab") as file:
                file.write(data)
        except OSError as error:
            self.remove()
            raise RunError(
                f"a state cannot be written: {error.strerror or error}", where=str(self.path.parent)
            ) from error
        self.size += len(data)

    def remove(self) -> None:
        """Remove the file unless it was moved to the store; on a disk that refuses, the next start of the node does."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class _Session:
    """One connection of a member; `rpc` is set when it exists."""

    rpc: RpcConnection

    def __init__(self, peer: Peer | None) -> None:
        self.peer = peer
        self.busy = 0
        self.drafts: dict[int, _Draft] = {}

    def remove_drafts(self) -> None:
        """Remove the states that have not arrived completely."""
        for draft in self.drafts.values():
            draft.remove()
        self.drafts.clear()


def _place(arguments: Mapping[str, Plain]) -> tuple[CheckpointKey, int]:
    match arguments:
        case {"network": str(network), "run": str(run), "job": int(job), "incarnation": int(incarnation)}:
            return CheckpointKey(network, run, job), incarnation
    raise _misunderstood("checkpoint")


def _misunderstood(operation: str) -> RunError:
    return RunError(
        f"this {operation[:20]!r} request is not understood", hint="Is the version the same there?"
    )
