"""Between those who keep states and those whose states they are: requests over TLS, from machine to machine.

A request is a header of JSON and, for `put`, the state; the answer has the same form. Machines talk to each other
without the client, so that states are kept while it is away. Only nodes and the client of the cluster are listened to.

| do    | header                                                            | answer                               |
|-------|-------------------------------------------------------------------|--------------------------------------|
| put   | network, run, job, incarnation, entry, needed_from; state or none | `ok`; `lacks`: send it with the state |
| fence | network, run, job, incarnation                                    | `entries`                            |
| get   | network, run, job, digest                                         | the state                            |

An answer with `error` says why not.
"""

import asyncio
import json
import logging
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fission.engine.states import StateEntry, StateKey, StateStore
from fission.errors import FissionError, RunError
from fission.security import (
    IdentityFiles,
    PeerError,
    client_context,
    peer_role,
    require_address,
    server_context,
)
from fission.security.roles import Role

_log = logging.getLogger(__name__)
_HEAD = struct.Struct("<IQ")
_LONGEST_HEAD = 1 << 16
_LARGEST = 1 << 32
_CONNECT_SECONDS = 1.5
_ANSWER_SECONDS = 30.0
_FENCE_SECONDS = 2.0
"""A restart waits for it, so whoever is silent for longer is left out."""
_PUT_SECONDS = 10.0
_SLOWEST = 1e6
"""Bytes a second that a state makes at least; it gets time accordingly."""
_IDLE_SECONDS = 600.0
_GREETING_SECONDS = 5.0


class StateServer:
    """Lets others keep their states in `store`. `await start(address)` returns where it listens; `close` at last.

    `listen` and then `await serve()` do the same in two steps: whoever connects between them waits.
    """

    def __init__(self, store: StateStore, identity: IdentityFiles | None) -> None:
        self._store = store
        self._identity = identity
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()

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
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            if self._identity is not None:
                peer_role(writer.get_extra_info("ssl_object"))
            while True:
                header, state = await _read(reader, idle=_IDLE_SECONDS)
                answer, data = await asyncio.to_thread(self._answer, header, state)
                async with asyncio.timeout(_seconds_for(len(data))):
                    await _write(writer, answer, data)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # it has gone, or says nothing; TimeoutError is an OSError
        except Exception as error:  # noqa: BLE001 - whatever a peer sends ends its connection and no other
            _log.warning("a connection about states was closed: %s", error)
        finally:
            writer.close()

    def _answer(self, header: Mapping[str, Any], state: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            key = StateKey(header["network"], header["run"], header["job"])
            match header["do"]:
                case "put":
                    entry = StateEntry(**header["entry"])
                    needed_from = (int(header["needed_from"][0]), int(header["needed_from"][1]))
                    there = len(state) == entry.size and header["with"]
                    kept = self._store.put(
                        key, header["incarnation"], entry, needed_from, state if there else None
                    )
                    return ({"ok": True} if kept else {"lacks": True}), b""
                case "fence":
                    entries = self._store.fence(key, header["incarnation"])
                    return {"entries": [asdict(entry) for entry in entries]}, b""
                case "get":
                    return {"ok": True}, self._store.get(key, header["digest"])
        except FissionError as error:
            return {"error": str(error)}, b""
        return {"error": "unknown request"}, b""


class StateLink:
    """Asks one StateServer. Connects when there is something to ask; one request at a time."""

    def __init__(self, address: str, identity: IdentityFiles | None) -> None:
        self.address = address
        self._identity = identity
        self._context: ssl.SSLContext | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._lock = asyncio.Lock()

    async def put(
        self,
        key: StateKey,
        incarnation: int,
        entry: StateEntry,
        needed_from: tuple[int, int],
        state: bytes | None,
    ) -> bool:
        """Let an entry be kept; False: the state is needed as well. Raises RunError."""
        header = {"do": "put", "incarnation": incarnation, "entry": asdict(entry), "needed_from": needed_from}
        data = state or b""
        header |= asdict(key) | {"with": state is not None}
        answer, _ = await self._ask(header, data, seconds=_seconds_for(len(data)))
        return "ok" in answer

    async def fence(self, key: StateKey, incarnation: int) -> tuple[StateEntry, ...]:
        """Return what is kept of a job; older incarnations are refused from now on. Raises RunError."""
        header = {"do": "fence", "incarnation": incarnation} | asdict(key)
        answer, _ = await self._ask(header, b"", seconds=_FENCE_SECONDS)
        return tuple(StateEntry(**entry) for entry in answer["entries"])

    async def get(self, key: StateKey, digest: str) -> bytes:
        """Return a state. Raises RunError."""
        _, state = await self._ask(
            {"do": "get", "digest": digest} | asdict(key), b"", seconds=_ANSWER_SECONDS
        )
        return state

    def close(self) -> None:
        """Close the connection, and fail what waits for it; the next request makes another one."""
        if self._streams is not None:
            self._streams[1].transport.abort()  # TLS would wait for the goodbye of a peer that is silent
            self._streams = None

    async def _ask(
        self, header: Mapping[str, Any], state: bytes, *, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        async with self._lock:
            try:
                used = self._streams
                try:
                    answer = await self._exchange(header, state, seconds)
                except TimeoutError:
                    raise  # it is an OSError, too, but there is nobody to ask again
                except (OSError, EOFError):
                    if used is None or self._streams is not used:
                        raise
                    self.close()  # it had been closed while nothing was said
                    answer = await self._exchange(header, state, seconds)
            except (OSError, EOFError, PeerError, ValueError) as error:
                self.close()
                raise RunError(
                    "who keeps states does not answer",
                    where=self.address,
                    found=str(error) or type(error).__name__,
                ) from error
            except asyncio.CancelledError:
                self.close()
                raise
        if "error" in answer[0]:
            raise RunError(str(answer[0]["error"]), where=self.address)
        return answer

    async def _exchange(
        self, header: Mapping[str, Any], state: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        async with asyncio.timeout(seconds):
            if self._streams is None:
                self._streams = await asyncio.wait_for(self._connect(), _CONNECT_SECONDS)
            reader, writer = self._streams
            await _write(writer, header, state)
            return await _read(reader)

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


async def _write(writer: asyncio.StreamWriter, header: Mapping[str, Any], state: bytes) -> None:
    head = json.dumps(header).encode()
    writer.write(_HEAD.pack(len(head), len(state)) + head)
    if state:
        writer.write(state)
    await writer.drain()


async def _read(reader: asyncio.StreamReader, idle: float | None = None) -> tuple[dict[str, Any], bytes]:
    """Read a message. With `idle` wait so long for its begin, and for the rest as long as its size allows."""
    async with asyncio.timeout(idle):
        head, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    if head > _LONGEST_HEAD or size > _LARGEST:
        raise ValueError(f"a message about states of {head} + {size} bytes")
    async with asyncio.timeout(None if idle is None else _seconds_for(size)):
        header = json.loads(await reader.readexactly(head))
        if not isinstance(header, dict):
            raise ValueError("a message about states without a header")
        return header, await reader.readexactly(size)


def _seconds_for(size: int) -> float:
    return _PUT_SECONDS + size / _SLOWEST
