"""Both ends of links, for tests: in this process, or a node in a process of its own."""

import asyncio
import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fission.engine.client.link import StreamClientLink
from fission.engine.node.link import StreamNodeLink
from fission.security import Role, find_identity
from fission.security.authority import Authority
from kits.waiting import until

LIMIT = 20.0
NODE = "127.0.0.2"


class Cluster:
    """An authority that also issues invalid certificates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = Authority.create(dt.datetime.now(dt.UTC))
        self._count = 0
        self._nodes: dict[str, Path] = {}
        self.client = self.make(Role.CLIENT)

    def node(self, address: str) -> Path:
        """Return the folder of a node's certificate."""
        if address not in self._nodes:
            self._nodes[address] = self.make(Role.NODE, address)
        return self._nodes[address]

    def make(self, role: Role, *addresses: str, age: int = 0, days: int = 10, ca: bytes = b"") -> Path:
        """Make a certificate that was issued `age` days ago; `ca` replaces the authority that its owner trusts."""
        now = dt.datetime.now(dt.UTC) - dt.timedelta(days=age)
        pair = self._authority.issue(role, (*addresses, str(role))[0], addresses, now=now, days=days)
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir(mode=0o700, parents=True)
        (folder / "ca.pem").write_bytes(ca or self._authority.pem)
        (folder / "cert.pem").write_bytes(pair.certificate)
        (folder / "key.pem").touch(0o600)
        (folder / "key.pem").write_bytes(pair.key)
        return folder

    @property
    def ca(self) -> bytes:
        """The authority's certificate."""
        return self._authority.pem


@dataclass
class Story:
    """The calls of the callbacks of a client link."""

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
    """A node link with the handler of a test, and the arguments of its callbacks."""

    link: StreamNodeLink
    admitted: list[tuple[str, dict[str, Any]]]
    gone: list[str]


class Bed:
    """Creates both ends of links, and closes all that it has created."""

    def __init__(self, authority: Cluster) -> None:
        self.authority = authority
        self.ends: list[Any] = []

    def identity(self, folder: Path | None):
        return find_identity(folder) if folder else None

    async def node(self, handler=None, *, address=NODE, port=0, tls=True, reason="", about=None) -> Node:
        async def echo(client, operation, arguments):
            return {"client": client, "operation": operation, **arguments}

        admitted: list[Any] = []
        gone: list[str] = []

        def admit(client, about):
            admitted.append((client, dict(about)))
            return reason() if callable(reason) else reason

        link = StreamNodeLink(
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
        link = StreamClientLink(
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
        await until(lambda: set(threading.enumerate()) <= before)


class NodeProcess:
    """A node link in a process of its own, which can be killed and stopped."""

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
        """Send a signal to the process."""
        os.kill(self.process.pid, number)

    async def close(self) -> None:
        """Kill the process and close its pipes."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
