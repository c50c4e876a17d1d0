"""Types lines at the InteractiveJobs of a simulation, again and again, so that their optional pipes carry values."""

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

from fission.core.network import Network
from fission.errors import UserError
from fission.management.commands.cluster.interact import find_job
from fission.management.commands.cluster.lines import connect

__all__ = ["lines_by_job", "type_lines"]

_PAUSE = 0.2
"""Seconds between two lines."""


def lines_by_job(network: Network, typed: Iterable[str]) -> dict[int, list[str]]:
    """Return the lines for each InteractiveJob, from texts such as `JOB=LINE`. Raises UserError."""
    lines: dict[int, list[str]] = {}
    for text in typed:
        name, equals, line = text.partition("=")
        if not equals:
            raise UserError("no job is named", where="--type", expected="JOB=LINE", found=repr(text))
        lines.setdefault(find_job(network, name).id, []).append(line)
    return lines


async def type_lines(lines: Mapping[int, Sequence[str]], folders: Mapping[int, Path]) -> None:
    """Type the lines of every job in turn, until cancelled; a job that does not listen yet is tried again."""
    texts = {job: cycle(some) for job, some in lines.items()}
    with contextlib.ExitStack() as stack:
        sockets: dict[int, socket.socket] = {}
        while True:
            for job, some in texts.items():
                sock = sockets.get(job) or connect(folders[job])
                if sock is None:
                    continue
                if job not in sockets:
                    sock.setblocking(False)
                    sockets[job] = stack.enter_context(sock)
                with contextlib.suppress(OSError):
                    sock.sendall(f"{next(some)}\n".encode())
                with contextlib.suppress(OSError):
                    sock.recv(1 << 16)  # what is answered, so that the job never waits for us
            await asyncio.sleep(_PAUSE)
