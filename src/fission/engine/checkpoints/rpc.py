"""Between those who keep states and those whose states they are: requests over TLS, from machine to machine.

A request is a header of JSON and, for `put`, the state; the answer has the same form. Machines talk to each other
without the client, so that states are kept while it is away. Only nodes and the client of the cluster are listened to.
Large states go from file to file, in pieces, so that none is ever in memory as a whole.

| do    | header                                                            | answer                               |
|-------|-------------------------------------------------------------------|--------------------------------------|
| put   | network, run, job, incarnation, entry, needed_from; state or none | `ok`; `lacks`: send it with the state |
| fence | network, run, job, incarnation                                    | `entries`                            |
| get   | network, run, job, digest                                         | the state                            |

An answer with `error` says why not.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from fission.engine.checkpoints.store import LARGEST, CheckpointEntry, CheckpointKey, CheckpointStore
from fission.errors import FissionError, RunError
from fission.security import (
    IdentityFiles,
    PeerError,
    client_context,
    peer_role,
    require_address,
    require_role,
    server_context,
)
from fission.security.roles import Role

_log = logging.getLogger(__name__)
_HEAD = struct.Struct("<IQ")
_LONGEST_HEAD = 1 << 16
_PIECE = 1 << 20
"""Bytes that are in memory of one state; those that are not larger come and go at once."""
_CONNECTIONS = 256
"""So many may ask one server. When there is one more, the one goes that has asked nothing for the longest time."""
_CONNECT_SECONDS = 1.5
_ANSWER_SECONDS = 30.0
_FENCE_SECONDS = 2.0
"""A restart waits for it, so whoever is silent for longer is left out."""
_PUT_SECONDS = 10.0
_SLOWEST = 1e6
"""Bytes a second that a state makes at least; it gets time accordingly."""
_IDLE_SECONDS = 600.0
_GREETING_SECONDS = 5.0


class CheckpointServer:
    """Lets others keep their states in `store`. `await start(address)` returns where it listens; `close` at last.

    `listen` and then `await serve()` do the same in two steps: whoever connects between them waits.
    """

    def __init__(self, store: CheckpointStore, identity: IdentityFiles | None) -> None:
        self._store = store
        self._identity = identity
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self._idle: dict[asyncio.Task[Any], None] = {}
        self._logged = ""

    async def start(self, address: str) -> str:
        """Listen at a port of the system's choice and serve; return "address:port". Raises RunError."""
        place = self.listen(address)
        await self.serve()
        return place

    def listen(self, address: str) -> str:
        """Listen at a port of the system's choice; return "address:port". Raises RunError."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            self._socket = socket.create_server((address, 0), family=family, backlog=100)
        except OSError as error:
            raise RunError(
                "states cannot be kept here", where=address, found=error.strerror or str(error)
            ) from error
        port = self._socket.getsockname()[1]
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    async def serve(self) -> None:
        """Answer those who connect, from now on."""
        context = None if self._identity is None else server_context(self._identity)
        self._server = await asyncio.start_server(
            self._serve,
            sock=self._socket,
            ssl=context,
            limit=_LONGEST_HEAD,
            ssl_handshake_timeout=None if context is None else _GREETING_SECONDS,
        )

    async def close(self) -> None:
        """Stop listening; end all connections."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or not self._makes_room():
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            if self._identity is not None:
                peer = peer_role(writer.get_extra_info("ssl_object"))
                require_role(peer, Role.NODE, Role.CLIENT)
            while True:
                self._idle[task] = None
                async with asyncio.timeout(_IDLE_SECONDS):
                    head, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
                del self._idle[task]
                await self._do(reader, writer, head, size)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # it has gone, or says nothing; TimeoutError is an OSError
        except Exception as error:  # noqa: BLE001 - whatever a peer sends ends its connection and no other
            _log.warning("a connection about states was closed: %s", " ".join(str(error).split()))
        finally:
            self._idle.pop(task, None)
            self._connections.discard(task)
            writer.close()

    def _makes_room(self) -> bool:
        """Whether one more may be listened to; perhaps somebody who says nothing has to go."""
        if len(self._connections) < _CONNECTIONS:
            return True
        longest = next(iter(self._idle), None)
        if longest is None:
            _log.warning("a connection about states was closed: %d are busy", len(self._connections))
            return False
        del self._idle[longest]
        longest.cancel()
        return True

    async def _do(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: int, size: int
    ) -> None:
        """Carry out one request."""
        _check(head, size)
        draft: Path | None = None
        failed: RunError | None = None
        state: bytes | Path = b""
        file: BinaryIO | None = None
        try:
            async with asyncio.timeout(_seconds_for(size)):
                header = _header(await reader.readexactly(head))
                if size <= _PIECE:
                    state = await reader.readexactly(size)
                else:
                    try:
                        state = draft = await asyncio.to_thread(self._store.draft)
                    except RunError as error:
                        failed = error
                    failed = await _receive(reader, size, draft) or failed
            answer, file = await asyncio.to_thread(self._answer, header, state, size, failed)
            async with asyncio.timeout(_seconds_for(0 if file is None else _length(file))):
                await _write(writer, answer, file)
        finally:
            if file is not None:
                file.close()
            if draft is not None:
                await asyncio.to_thread(draft.unlink, missing_ok=True)

    def _answer(
        self, header: Mapping[str, Any], state: bytes | Path, size: int, failed: RunError | None
    ) -> tuple[dict[str, Any], BinaryIO | None]:
        """What to answer; `failed`: the state has come but could not be written."""
        try:
            if failed is not None:
                raise failed
            key = CheckpointKey(header["network"], header["run"], header["job"])
            match header["do"]:
                case "put":
                    entry = CheckpointEntry(**header["entry"])
                    needed_from = (int(header["needed_from"][0]), int(header["needed_from"][1]))
                    there = size == entry.size and header["with"]
                    kept = self._store.put(
                        key, header["incarnation"], entry, needed_from, state if there else None
                    )
                    return ({"ok": True} if kept else {"lacks": True}), None
                case "fence":
                    entries = self._store.fence(key, header["incarnation"])
                    return {"entries": [asdict(entry) for entry in entries]}, None
                case "get":
                    return {"ok": True}, self._store.open(key, header["digest"])
        except FissionError as error:
            self._complain(error)
            return {"error": str(error)}, None
        return {"error": "unknown request"}, None

    def _complain(self, error: FissionError) -> None:
        """Log that the disk fails, once each time it fails otherwise."""
        if isinstance(error.__cause__, OSError) and str(error) != self._logged:
            self._logged = str(error)
            _log.warning("%s", error)


class CheckpointClient:
    """Asks one CheckpointServer. Connects when there is something to ask; one request at a time."""

    def __init__(self, address: str, identity: IdentityFiles | None) -> None:
        self.address = address
        self._identity = identity
        self._context: ssl.SSLContext | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._lock = asyncio.Lock()
        self._closed = False

    async def put(
        self,
        key: CheckpointKey,
        incarnation: int,
        entry: CheckpointEntry,
        needed_from: tuple[int, int],
        state: BinaryIO | None,
    ) -> bool:
        """Let an entry be kept; False: the state is needed as well, as an open file. Raises RunError."""
        header = {"do": "put", "incarnation": incarnation, "entry": asdict(entry), "needed_from": needed_from}
        header |= asdict(key) | {"with": state is not None}
        seconds = _seconds_for(0 if state is None else entry.size)
        return "ok" in await self._ask(header, state, seconds=seconds)

    async def fence(self, key: CheckpointKey, incarnation: int) -> tuple[CheckpointEntry, ...]:
        """Return what is kept of a job; older incarnations are refused from now on. Raises RunError."""
        header = {"do": "fence", "incarnation": incarnation} | asdict(key)
        answer = await self._ask(header, seconds=_FENCE_SECONDS)
        return tuple(CheckpointEntry(**entry) for entry in answer["entries"])

    async def get(self, key: CheckpointKey, digest: str, path: Path) -> None:
        """Bring a state into a file. Raises RunError, also when it cannot be written."""
        header = {"do": "get", "digest": digest} | asdict(key)
        await self._ask(header, into=path, seconds=_ANSWER_SECONDS)

    def close(self) -> None:
        """Close the connection, and fail what waits for it. A later request makes one for itself only."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()  # TLS would wait for the goodbye of a peer that is silent
            self._streams = None

    async def _ask(
        self,
        header: Mapping[str, Any],
        state: BinaryIO | None = None,
        *,
        into: Path | None = None,
        seconds: float,
    ) -> dict[str, Any]:
        async with self._lock:
            try:
                used = self._streams
                try:
                    answer = await self._exchange(header, state, into, seconds)
                except TimeoutError:
                    raise  # it is an OSError, too, but there is nobody to ask again
                except (OSError, EOFError):
                    if used is None or self._streams is not used:
                        raise
                    self._drop()  # it had been closed while nothing was said
                    answer = await self._exchange(header, state, into, seconds)
            except (OSError, EOFError, PeerError, ValueError) as error:
                self._drop()
                raise RunError(
                    "who keeps states does not answer",
                    where=self.address,
                    found=str(error) or type(error).__name__,
                ) from error
            except (RunError, asyncio.CancelledError):  # our own disk fails, or nobody waits any more
                self._drop()
                raise
            finally:
                if self._closed:
                    self._drop()  # whoever had it has closed it while others waited for their turn
        if "error" in answer:
            raise RunError(str(answer["error"]), where=self.address)
        return answer

    async def _exchange(
        self, header: Mapping[str, Any], state: BinaryIO | None, into: Path | None, seconds: float
    ) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            if self._streams is None:
                self._streams = await asyncio.wait_for(self._connect(), _CONNECT_SECONDS)
            reader, writer = self._streams
            await _write(writer, header, state)
            head, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
            _check(head, size)
            answer = _header(await reader.readexactly(head))
        async with asyncio.timeout(_seconds_for(size)):
            if into is not None and "error" not in answer and (failed := await _receive(reader, size, into)):
                raise failed
        return answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.address.rpartition(":")
        host = host.strip("[]")
        if self._identity is not None and self._context is None:
            self._context = client_context(self._identity, check_host=False)
        name = None if self._context is None else host
        reader, writer = await asyncio.open_connection(
            host, int(port), ssl=self._context, limit=_LONGEST_HEAD, server_hostname=name
        )
        if self._context is not None:
            peer = peer_role(writer.get_extra_info("ssl_object"))
            if peer.role is Role.NODE:
                require_address(peer, host)
        return reader, writer


def _check(head: int, size: int) -> None:
    """Refuse a message that nobody of us sends."""
    if head > _LONGEST_HEAD or size > LARGEST:
        raise ValueError(f"a message about states of {head} + {size} bytes; at most {LARGEST} can be kept")


def _header(data: bytes) -> dict[str, Any]:
    header = json.loads(data)
    if not isinstance(header, dict):
        raise ValueError("a message about states without a header")
    return header


async def _write(writer: asyncio.StreamWriter, header: Mapping[str, Any], file: BinaryIO | None) -> None:
    """Send a message, with what is in a file. Raises RunError when that cannot be read."""
    head, size, piece = json.dumps(header).encode(), 0, b""
    if file is not None:
        size = left = _length(file)
        piece = _read(file, size) if size <= _PIECE else b""
    writer.write(_HEAD.pack(len(head), size) + head + piece)
    await writer.drain()
    if file is not None and size > _PIECE:
        while left:
            piece = await asyncio.to_thread(_read, file, min(_PIECE, left))
            left -= len(piece)
            writer.write(piece)
            await writer.drain()


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        piece = file.read(size)
    except OSError as error:
        raise RunError("a state cannot be read", found=error.strerror or str(error)) from error
    if len(piece) < size:
        raise ValueError("a state has become shorter while it was sent")
    return piece


async def _receive(reader: asyncio.StreamReader, size: int, path: Path | None) -> RunError | None:
    """Take so many bytes into a file; return why that was not possible, or None. They are taken from the stream anyhow."""
    failed: RunError | None = None
    mode = "wb"
    while size or mode == "wb":
        piece = await reader.readexactly(min(_PIECE, size))
        size -= len(piece)
        if path is not None and failed is None:
            failed = await asyncio.to_thread(_add, path, mode, piece)
        mode = "ab"
    return failed


def _add(path: Path, mode: str, piece: bytes) -> RunError | None:
    """Write a piece of a state; where that fails, leave nothing of it on a disk that is perhaps full."""
    try:
        with path.open(mode) as file:
            file.write(piece)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        failed = RunError(f"a state cannot be written: {reason}", where=str(path.parent))
        failed.__cause__ = error
        return failed
    return None


def _length(file: BinaryIO) -> int:
    """How long a file is; it will be read from its begin."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _seconds_for(size: int) -> float:
    return _PUT_SECONDS + size / _SLOWEST
