"""How other terminals talk to the client of a running network: a socket in the network's folder, for its owner only.

A request is one line of JSON, `{"do": "status"}`, `{"do": "stop", "force": false}`, `{"do": "move", "job": 2, "node": ""}`,
`{"do": "drain", "node": "10.0.0.2", "undo": false}`, `{"do": "rebalance"}` or `{"do": "log", "node": "10.0.0.2"}`; the answer is
one line as well, with `lines` for people, for `status` with `network`, a view, and for `log` with `text` or `error`.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fission.errors import RunError

NAME = "control.sock"
_LONGEST = 1 << 16
_ANSWER_SECONDS = 10.0

Answer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""`await answer(request)` does what a request says and returns the answer.

Raises ValueError when it says nothing that can be done."""


class ControlServer:
    """Answers requests at a socket in `folder` from `start` to `close`."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self._folder = folder
        self._answer = answer
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
            async with asyncio.timeout(_ANSWER_SECONDS):
                request = json.loads(await reader.readline())
                answer = (
                    await self._answer(request) if isinstance(request, dict) else {"errors": ["no request"]}
                )
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, TimeoutError, ValueError):
            pass  # whoever asked has gone, or has asked for nothing
        finally:
            writer.close()


def ask_client(folder: Path, **request: Any) -> dict[str, Any] | None:
    """Ask the client of a network, whose private folder is given; None when no client runs it. Raises RunError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(_ANSWER_SECONDS)
    with sock:
        try:
            with _short(folder) as short:
                sock.connect(f"{short}/{NAME}")
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile("rb") as file:
                line = file.readline()
            answer = json.loads(line)
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
