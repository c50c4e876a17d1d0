"""The control socket: how other terminals and programs reach the client of a running network.

A Unix socket in the network's private folder, for its owner only. A request is one line of JSON, and so is the answer:

| request                                            | answer                                      |
|----------------------------------------------------|---------------------------------------------|
| `{"do": "status"}`                                 | `network`: a view of the network            |
| `{"do": "stop", "force": false}`                   | `lines`, `errors`                           |
| `{"do": "move", "job": 2, "node": "10.0.0.2"}`     | `lines`, `errors`; node "" chooses the best |
| `{"do": "drain", "node": "10.0.0.2", "undo": false}` | `lines`, `errors`                         |
| `{"do": "rebalance"}`                              | `lines`, `errors`                           |
| `{"do": "reload", "job": 0}`                       | `lines`, `errors`, `jobs`; job 0: all that have changed |
| `{"do": "log", "node": "10.0.0.2"}`                | `text`, or `error`                          |
| `{"do": "processes"}`                              | `processes`: of each node and of `client`   |
| `{"do": "watch", "pipe": 3, "rate": 10.0, "size_rate": 1e6, "text": 2000, "raw": false}` | lines, one per block: `PipeTaps` |

`lines` are for people. `errors` say what was refused. The processes of a machine are `host`, `pid` and `jobs`, by the ids of the
jobs, or an `error`.
"""

import asyncio
import contextlib
import json
import os
import select
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fission.errors import RunError
from fission.serialization import json_codec

NAME = "control.sock"
_LONGEST = 1 << 16
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Describe the network."""


@dataclass(frozen=True, slots=True)
class StopRequest:
    """Stop the network; `force` kills its processes."""

    force: bool


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """Move a job to a node, "" for the best one."""

    job: int
    node: str


@dataclass(frozen=True, slots=True)
class DrainRequest:
    """Move all jobs away from a node, which takes no new ones; `undo` lets it take jobs again."""

    node: str
    undo: bool


@dataclass(frozen=True, slots=True)
class RebalanceRequest:
    """Move the jobs to where they would be placed now."""


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """Read the project again, and restart the jobs whose code has changed; 0 for all of them."""

    job: int


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Return the last lines of a node's log."""

    node: str


@dataclass(frozen=True, slots=True)
class ProcessesRequest:
    """Name the processes of the network on each machine."""


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """Describe blocks of a pipe, line by line, until the other end closes the connection; see `messages.Tap`."""

    pipe: int
    rate: float
    size_rate: float
    text: int
    raw: bool


Request = (
    StatusRequest
    | StopRequest
    | MoveRequest
    | DrainRequest
    | RebalanceRequest
    | ReloadRequest
    | LogRequest
    | ProcessesRequest
    | WatchRequest
)

REQUESTS: Mapping[str, type[Request]] = {
    "status": StatusRequest,
    "stop": StopRequest,
    "move": MoveRequest,
    "drain": DrainRequest,
    "rebalance": RebalanceRequest,
    "reload": ReloadRequest,
    "log": LogRequest,
    "processes": ProcessesRequest,
    "watch": WatchRequest,
}
"""The requests by their name on the wire, the value of `do`."""

Answer = Callable[[Request], Awaitable[Mapping[str, Any]]]
"""`await answer(request)` carries out a request and returns the answer."""

Watch = Callable[[WatchRequest], AsyncIterator[Mapping[str, Any]]]
"""`watch(request)` yields what is sent to a watcher."""


def read_request(data: object) -> Request | str:
    """Return the request that a line of JSON stands for, or why it is none."""
    if not isinstance(data, dict):
        return "a request is an object of JSON"
    given = dict(data)
    kind = REQUESTS.get(str(given.pop("do", "")))
    if kind is None:
        return f"this version cannot do {str(data.get('do'))[:40]!r}; it can do {', '.join(REQUESTS)}"
    types = {one.name: _TYPES[str(one.type)] for one in fields(kind)}
    if given.keys() != types.keys() or any(type(given[name]) is not types[name] for name in types):
        wanted = ", ".join(f"{name} ({one.__name__})" for name, one in types.items())
        return f"{data['do']} takes {wanted or 'nothing'}"
    return kind(**given)


_TYPES: Mapping[str, type] = {
    "bool": bool,
    "float": float,
    "int": int,
    "str": str,
    **{str(one): one for one in (bool, float, int, str)},
}


class ControlServer:
    """Answers requests at a socket in `folder` from `start` to `close`."""

    def __init__(self, folder: Path, answer: Answer, watch: Watch) -> None:
        self._folder = folder
        self._answer = answer
        self._watch = watch
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises RunError when the folder allows no socket."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short(self._folder) as folder:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{folder}/{NAME}")
                sock.bind(f"{folder}/{NAME}")
                os.chmod(f"{folder}/{NAME}", 0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=_LONGEST)
        except OSError as error:
            sock.close()
            raise RunError(
                "there can be no socket for other terminals",
                where=str(self._folder),
                found=error.strerror or str(error),
            ) from error

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                (self._folder / NAME).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS) as limit:
                request = read_request(json_codec.decode(await reader.readline()))
                if isinstance(request, ReloadRequest):
                    limit.reschedule(None)  # it restarts job after job
                if isinstance(request, WatchRequest):
                    limit.reschedule(None)
                    await _stream(reader, writer, self._watch(request))
                    return
                answer = {"errors": [request]} if isinstance(request, str) else await self._answer(request)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, TimeoutError, ValueError):
            pass  # the other end is gone, or has sent no JSON
        finally:
            writer.close()


async def _stream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, items: AsyncIterator[Mapping[str, Any]]
) -> None:
    """Send one line per item, as fast as the other end reads, until it closes the connection or there are no more."""
    gone = asyncio.ensure_future(reader.read())
    following: asyncio.Future[Mapping[str, Any] | None] | None = None
    try:
        while True:
            following = asyncio.ensure_future(_next(items))
            await asyncio.wait((gone, following), return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or (item := following.result()) is None:
                return
            writer.write(json.dumps(item).encode() + b"\n")
            writing = asyncio.ensure_future(writer.drain())
            await asyncio.wait((gone, writing), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
    finally:
        waiting = [one for one in (gone, following) if one is not None]
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _next(items: AsyncIterator[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return await anext(items, None)


def watch_client(
    folder: Path, waits: Callable[[], None], *, seconds: float = 3.0, **request: Any
) -> Iterator[dict[str, Any]] | None:
    """Yield what the client of a network shows of a pipe, whose private folder is given; None when no client runs it.

    `waits` is called once if nothing comes within `seconds`. The iteration ends when the client does; close it to end it before.
    Raises RunError.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(folder) as short:
            sock.connect(f"{short}/{NAME}")
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        sock.close()
        return None
    return _items(sock, waits, seconds, request)


def _items(
    sock: socket.socket, waits: Callable[[], None], seconds: float, request: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    with sock:
        try:
            sock.sendall(json.dumps({"do": "watch", **request}).encode() + b"\n")
            if not select.select([sock], [], [], seconds)[0]:
                waits()
            with sock.makefile("rb") as file:
                for line in file:
                    item = json_codec.decode(line)
                    if isinstance(item, dict):
                        yield item
        except (OSError, ValueError) as error:
            raise RunError("the client does not answer", found=str(error)) from error


def ask_client(
    folder: Path, *, seconds: float | None = _ANSWER_SECONDS, **request: Any
) -> dict[str, Any] | None:
    """Ask the client of a network, whose private folder is given; None when no client runs it. Raises RunError.

    The answer may take so many `seconds`; None: any time.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(seconds)
    with sock:
        try:
            with _short(folder) as short:
                sock.connect(f"{short}/{NAME}")
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile("rb") as file:
                line = file.readline()
            answer = json_codec.decode(line)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise RunError(
                "the client does not answer", where=str(folder / NAME), found=str(error)
            ) from error
    return answer if isinstance(answer, dict) else None


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A short path of a folder: that of a socket must not have more than 107 bytes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
