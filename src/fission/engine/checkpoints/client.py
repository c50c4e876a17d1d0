"""The client side of one checkpoint server (see `server` for the operations)."""

import asyncio
import contextlib
import itertools
import os
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from fission.engine.checkpoints.server import PIECE, PROTOCOL
from fission.engine.checkpoints.store import CheckpointEntry, CheckpointKey
from fission.engine.protocol.interfaces import LinkError, Plain
from fission.engine.transport.dialer import Dialer
from fission.engine.transport.handshake import read_answer
from fission.engine.transport.rpc import RpcConnection
from fission.errors import RunError
from fission.runtime.checkpointing.digest import state_hash
from fission.serialization.plain import read, write

__all__ = ["CheckpointClient", "DamagedStateError"]

_CONNECT_SECONDS = 1.5
_FENCE_SECONDS = 2.0
"""A restart waits for the slowest replica, so one that is silent for longer is left out."""
_PIECE_SECONDS = 10.0
_GET_SECONDS = 30.0


class DamagedStateError(RunError):
    """A replica has sent a state that does not match its digest."""


class CheckpointClient:
    """Sends requests to one checkpoint server, several at a time; it connects when there is something to send.

    `close` closes the connection and fails the requests that wait; a later request opens a connection for itself only.
    """

    def __init__(self, address: str, dialer: Dialer) -> None:
        self.address = address
        self._dialer = dialer
        self._rpc: RpcConnection | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._connecting = asyncio.Lock()
        self._drafts = itertools.count(1)
        self._active = 0
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether a connection is open."""
        return self._rpc is not None and not self._rpc.stream.closed

    async def put(
        self,
        key: CheckpointKey,
        incarnation: int,
        entry: CheckpointEntry,
        needed_from: tuple[int, int],
        state: BinaryIO | None,
    ) -> bool:
        """Store an entry; return False when the state is needed as well, as an open file. Raises RunError."""
        arguments = _place(key, incarnation) | {
            "entry": write(CheckpointEntry, entry),
            "needed_from": list(needed_from),
        }
        if state is not None and entry.size <= PIECE:
            arguments["state"] = await asyncio.to_thread(_read, state, entry.size)
        elif state is not None:
            arguments["draft"] = await self._send_draft(state, entry.size)
        return await self._request("put", arguments, _PIECE_SECONDS) is True

    async def fence(self, key: CheckpointKey, incarnation: int) -> tuple[CheckpointEntry, ...]:
        """Return the entries of a job; older incarnations are refused from now on. Raises RunError."""
        answer = await self._request("fence", _place(key, incarnation), _FENCE_SECONDS)
        if not isinstance(answer, list):
            raise RunError("the checkpoint replica sends no list of entries", where=self.address)
        return tuple(read(CheckpointEntry, "entry of a checkpoint", one) for one in answer)

    async def get(self, key: CheckpointKey, incarnation: int, entry: CheckpointEntry, path: Path) -> None:
        """Bring the state of an entry into a file, and check its digest.

        Raises DamagedStateError for a state that is not the entry's, RunError for every other failure.
        """
        hashed, offset = state_hash(), 0
        arguments = _place(key, incarnation) | {"digest": entry.digest}
        while True:
            answer = await self._request("get", arguments | {"offset": offset}, _GET_SECONDS)
            match answer:
                case {"size": int(size), "data": bytes(data)} if data or size == offset:
                    pass
                case _:
                    raise RunError("the checkpoint replica sends no piece of a state", where=self.address)
            if size != entry.size or offset + len(data) > size:
                raise DamagedStateError(
                    "its copy of a state is damaged",
                    where=self.address,
                    expected=f"{entry.size} bytes",
                    found=str(max(size, offset + len(data))),
                )
            hashed.update(data)
            await asyncio.to_thread(_write, path, offset, data)
            offset += len(data)
            if offset == size:
                break
        if hashed.hexdigest() != entry.digest:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise DamagedStateError(
                "its copy of a state is damaged",
                where=self.address,
                expected=f"digest {entry.digest}",
                found=hashed.hexdigest(),
            )

    def close(self) -> None:
        """Close the connection, and fail the requests that wait for it."""
        self._closed = True
        self._drop("it is not used any more")

    # -- inside ------------------------------------------------------------------------------------------

    def _drop(self, reason: str) -> None:
        if self._rpc is not None:
            self._rpc.abort(reason)
            self._rpc = None

    async def _send_draft(self, state: BinaryIO, size: int) -> int:
        number, offset = next(self._drafts), 0
        while offset < size:
            try:
                data = await asyncio.to_thread(_read, state, min(PIECE, size - offset), offset)
            except RunError:
                with contextlib.suppress(RunError):
                    await self._request("discard", {"draft": number}, _PIECE_SECONDS)
                raise
            await self._request("append", {"draft": number, "offset": offset, "data": data}, _PIECE_SECONDS)
            offset += len(data)
        return number

    async def _request(self, operation: str, arguments: dict[str, Plain], seconds: float) -> Plain:
        """Return the answer of the server. Raises RunError."""
        self._active += 1
        try:
            async with asyncio.timeout(seconds):
                for _ in range(2):
                    reused = self.connected
                    rpc = await self._connection()
                    try:
                        return await rpc.request(operation, arguments, seconds)
                    except LinkError as error:
                        if not error.where:  # the server has answered
                            raise RunError(error.what, where=self.address) from None
                        if not (reused and rpc.stream.closed):
                            raise
                        # the connection was closed while it was not used: once more, over a new one
            raise LinkError("the connection was closed twice", where=self.address)
        except TimeoutError:
            self._drop("no answer")
            raise self._silent(f"no answer within {seconds:g} s") from None
        except LinkError as error:
            raise self._silent(error.what) from None
        finally:
            self._active -= 1
            if self._closed and not self._active:
                self._drop("it is not used any more")

    def _silent(self, why: str) -> RunError:
        return RunError("the checkpoint replica does not answer", where=self.address, found=why)

    async def _connection(self) -> RpcConnection:
        async with self._connecting:
            if self._rpc is None or self._rpc.stream.closed:
                try:
                    self._rpc = await self._connect()
                except (RunError, OSError) as error:
                    raise LinkError(str(error), where=self.address) from None
            return self._rpc

    async def _connect(self) -> RpcConnection:
        host, _, port = self.address.rpartition(":")
        stream = await self._dialer.dial(host.strip("[]"), int(port), _CONNECT_SECONDS)
        try:
            stream.send({"checkpoints": PROTOCOL})
            _, refused = read_answer(await stream.receive())
            if refused:
                raise RunError(refused)
        except BaseException:
            stream.abort("it was not let in")
            raise
        rpc = RpcConnection(stream, self.address)
        task = asyncio.get_running_loop().create_task(rpc.serve())
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return rpc


def _place(key: CheckpointKey, incarnation: int) -> dict[str, Plain]:
    return {**asdict(key), "incarnation": incarnation}


def _read(file: BinaryIO, size: int, offset: int = 0) -> bytes:
    try:
        file.seek(offset)
        data = file.read(size)
    except OSError as error:
        raise RunError("a state cannot be read", found=error.strerror or str(error)) from error
    if len(data) < size:
        raise RunError("a state has become shorter while it was sent")
    return data


def _write(path: Path, offset: int, data: bytes) -> None:
    """Write a piece of a state; where that fails, leave nothing of it on a disk that may be full."""
    try:
        with path.open("ab" if offset else "wb") as file:
            file.write(data)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise RunError(
            f"a state cannot be written: {error.strerror or error}", where=str(path.parent)
        ) from error
