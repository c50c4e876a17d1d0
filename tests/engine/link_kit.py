"""Both ends of links, for tests: in this process, or a node in a process of its own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fission.engine.client_link import DaskClientLink
from fission.engine.node_link import DaskNodeLink
from fission.security import load_identity

LIMIT = 20.0
NODE = "127.0.0.2"


async def until(condition: Callable[[], Any], what: str = "") -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.005)


@dataclass
class Story:
    """What the callbacks of a client link were told."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)

    def count(self, what: str) -> int:
        return sum(line[0] == what for line in self.lines)

    def of(self, what: str) -> list[tuple[Any, ...]]:
        return [line[1:] for line in self.lines if line[0] == what]

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {what: self._adder(what) for what in ("up", "down", "refused", "posted")}

    def _adder(self, what: str) -> Callable[..., None]:
        return lambda *arguments: self.lines.append((what, *arguments))


@dataclass
class Node:
    """A node link with a handler that the test gives it, and what it was told."""

    link: DaskNodeLink
    admitted: list[tuple[str, dict[str, Any]]]
    gone: list[str]


class Bed:
    """Makes both ends, and closes what it has made."""

    def __init__(self, authority) -> None:
        self.authority = authority
        self.ends: list[Any] = []

    def identity(self, folder: Path | None):
        return load_identity(folder) if folder else None

    async def node(self, handler=None, *, address=NODE, port=0, tls=True, reason="", about=None) -> Node:
        async def echo(client, operation, arguments):
            return {"client": client, "operation": operation, **arguments}

        admitted: list[Any] = []
        gone: list[str] = []

        def admit(client, about):
            admitted.append((client, dict(about)))
            return reason() if callable(reason) else reason

        link = DaskNodeLink(
            address,
            port,
            identity=self.identity(self.authority.node(address) if tls else None),
            handler=handler or echo,
            admit=admit,
            gone=gone.append,
            about=about,
        )
        await link.start()
        self.ends.append(link)
        return Node(link, admitted, gone)

    async def client(
        self, story: Story, *, name="c1", network="net", tls=True, pulse=0.1, folder=None, **more
    ):
        link = DaskClientLink(
            identity=self.identity((folder or self.authority.client) if tls else None),
            network=network,
            client=name,
            pulse_interval=pulse,
            **{**story.callbacks(), **more},
        )
        await link.start()
        self.ends.append(link)
        return link


@contextlib.asynccontextmanager
async def bed_of(authority) -> AsyncIterator[Bed]:
    bed = Bed(authority)
    before = set(threading.enumerate())
    try:
        async with asyncio.timeout(60):
            yield bed
    finally:
        for end in reversed(bed.ends):
            await end.close()
        left = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*left, return_exceptions=True)
        assert set(threading.enumerate()) == before


class NodeProcess:
    """A node link in a process of its own, which can be killed and stopped. `port` is known after `open`."""

    def __init__(self, folder: Path | None, address: str = NODE, port: int = 0) -> None:
        script = Path(__file__).with_name("link_node.py")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", script, address, str(port), os.fspath(folder or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    async def close(self) -> None:
        """End it in any case."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
