"""An embedded cluster: node services on 127.0.0.2, 127.0.0.3, ... of this machine, for as long as one run.

They are what runs on devices: processes of their own, real sockets, real certificates (made for this run). Only the
machine is the same, so it shows failover, not speed-up.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from fission.core.groups import ALL
from fission.core.network import Network
from fission.core.nodes import BaseNode, LocalNode, MultiNode
from fission.engine.client.start_progress import StartProgress
from fission.errors import RunError
from fission.security.ephemeral import EphemeralAuthority

FIRST = 2
MOST = 200
CLIENT = "127.0.0.1"
_START_SECONDS = 60.0
_END_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class EmbeddedNode:
    """A node of an embedded cluster; `plays` is the node of NODES whose groups it has, or ""."""

    address: str
    port: int
    groups: tuple[str, ...] = ()
    plays: str = ""


def plan(network: Network, count: int) -> tuple[Network, tuple[EmbeddedNode, ...]]:
    """Choose addresses and ports; return the network with these nodes in the place of its own (see `played`).

    The n-th node has the groups of the n-th node in NODES. Raises RunError when there are no free ports.
    """
    parts = [node for node in network.nodes if not isinstance(node, LocalNode)]
    nodes = []
    for index in range(count):
        address = f"127.0.0.{FIRST + index}"
        part = parts[index] if index < len(parts) else None
        groups = () if part is None else tuple(group for group in part.groups if group != ALL)
        plays = part.ip if part is not None and not isinstance(part, MultiNode) else ""
        nodes.append(EmbeddedNode(address, _free_port(address), groups, plays))
    return played(network, nodes), tuple(nodes)


def played(network: Network, nodes: Sequence[EmbeddedNode]) -> Network:
    """Return a network with these nodes in the place of its own; a DEFAULT_NODE is replaced accordingly."""
    parts = [node for node in network.nodes if not isinstance(node, LocalNode)]
    for job in network.jobs:
        for node in nodes:
            if node.plays and job.DEFAULT_NODE in (node.plays, _name(parts, node.plays)):
                job.DEFAULT_NODE = node.address
    slots = max(os.cpu_count() or 1, len(network.jobs))
    entries = tuple(BaseNode(node.address, *node.groups, max_jobs=slots) for node in nodes)
    local = tuple(node for node in network.nodes if isinstance(node, LocalNode))
    settings = replace(network.settings, client_ip=CLIENT, remote_root="")
    return replace(network, nodes=(*entries, *local), settings=settings)


class EmbeddedCluster:
    """Starts and stops the services: `spawn`, then `await listening()`, finally `await close()`.

    `folder` is private to this run; the certificates are made in it. `command` gives the command of the service of a node, whose
    files lie in the first folder, and its certificate in the second (None: clear text).
    """

    def __init__(
        self,
        nodes: Sequence[EmbeddedNode],
        folder: Path,
        *,
        command: Callable[[EmbeddedNode, Path, Path | None], Sequence[str]],
        secure: bool = True,
    ) -> None:
        self.nodes = tuple(nodes)
        self._folder = folder
        self._command = command
        self._authority = EphemeralAuthority(folder / "certs") if secure else None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def client(self) -> Path | None:
        """Folder of the client's certificate."""
        return None if self._authority is None else self._authority.client

    def pid(self, address: str) -> int:
        """Return the process id of a node service."""
        return self._processes[address].pid

    def spawn(self) -> None:
        """Start all services. Raises OSError."""
        for node in self.nodes:
            self._processes[node.address] = self._spawn(node)

    async def listening(
        self,
        interrupted: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Return when all services listen, or when `interrupted` returns true. Raises RunError.

        `tell` receives from time to time what is waited for.
        """
        started, progress = monotonic(), StartProgress()
        deadline = started + _START_SECONDS
        for node in self.nodes:
            while not interrupted() and not await _listens(node):
                seconds = monotonic() - started
                if progress.due(seconds):
                    tell(f"waits for the node service {node.address} ({seconds:.0f} s so far)")
                code = self._processes[node.address].poll()
                if code is not None or monotonic() > deadline:
                    raise RunError(
                        f"the embedded node {node.address} does not start",
                        found="no answer" if code is None else f"exit code {code}",
                        hint=self._last_line(node) or "",
                    )
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Stop all services, by force after 3 s."""
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = monotonic() + _END_SECONDS
        while running and monotonic() < deadline:
            await asyncio.sleep(0.02)
            running = [process for process in running if process.poll() is None]
        for process in running:
            process.kill()
            process.wait()
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()

    def _spawn(self, node: EmbeddedNode) -> "subprocess.Popen[bytes]":
        certs = None if self._authority is None else self._authority.node(node.address)
        command = self._command(node, self._root(node), certs)
        self._root(node).mkdir(parents=True, exist_ok=True)
        with open(self._log(node), "wb") as log:
            return subprocess.Popen(  # noqa: S603 - our own module
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    def _root(self, node: EmbeddedNode) -> Path:
        return self._folder / node.address

    def _log(self, node: EmbeddedNode) -> Path:
        return self._folder / f"{node.address}.log"

    def _last_line(self, node: EmbeddedNode) -> str:
        with contextlib.suppress(OSError, IndexError):
            return self._log(node).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]
        return ""


def _name(parts: Sequence[BaseNode], address: str) -> str:
    return next((part.name for part in parts if part.ip == address), address)


def _free_port(address: str) -> int:
    with socket.socket() as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            raise RunError(
                "this machine has no such loopback address", where=address, found=error.strerror or str(error)
            ) from error
        return int(sock.getsockname()[1])


async def _listens(node: EmbeddedNode) -> bool:
    try:
        _, writer = await asyncio.open_connection(node.address, node.port)
    except OSError:
        return False
    writer.close()
    return True
