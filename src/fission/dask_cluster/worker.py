"""Runs in the process of a Dask worker: starts the node service beside it, and ends it.

The service is a process of its own, since jobs are processes of the service and Dask's tasks must not meet them. It ends when
the worker does (its stdin is closed then), when it is told to, and when no client has been there for a while.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fission.engine.host.scratch import scratch_folder
from fission.engine.protocol.versions import installed_versions
from fission.security.files import PRIVATE, make_folder, write_file

__all__ = ["ServiceOrder", "running", "start_service", "stop_service"]

_PREFIX = "fission-dask-"
_START_SECONDS = 30.0
_END_SECONDS = 5.0
_LOOK = 0.02
_LONGEST_LINE = 300

_services: dict[tuple[str, str], "_Service"] = {}
"""The services of this process by run and worker: Dask gives functions that it runs no other place to keep something."""


@dataclass(frozen=True, slots=True)
class ServiceOrder:
    """What a worker needs to start its service; `certificate` has the contents of the files of its certificate by name.

    `alone` is the number of seconds without a client after which the service ends.
    """

    run: str
    worker: str
    host: str
    name: str
    slots: int
    groups: tuple[str, ...]
    alone: float
    certificate: Mapping[str, bytes] | None


@dataclass(slots=True)
class _Service:
    process: "subprocess.Popen[bytes]"
    folder: Path
    port: int


async def start_service(order: ServiceOrder) -> int:
    """Start a service, or return the one that runs; return its port when it listens. Raises RuntimeError and OSError."""
    key = (order.run, order.worker)
    known = _services.get(key)
    if known is not None and known.process.poll() is None:
        return known.port
    if known is not None:  # it has ended by itself
        await stop_service(*key)
    versions = await asyncio.to_thread(installed_versions)
    folder = scratch_folder(_PREFIX)
    port = _free_port(order.host)
    _services[key] = service = _Service(_spawn(order, folder, port, versions), folder, port)
    try:
        await _listening(service, order.host)
    except BaseException:
        await stop_service(*key)
        raise
    return port


def running(run: str, worker: str) -> bool:
    """Return whether the service of a run is there."""
    service = _services.get((run, worker))
    return service is not None and service.process.poll() is None


async def stop_service(run: str, worker: str) -> None:
    """End the service of a run; its files are removed."""
    service = _services.pop((run, worker), None)
    if service is not None:
        await asyncio.to_thread(_end, service)


def _spawn(
    order: ServiceOrder, folder: Path, port: int, versions: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    options = {
        "address": order.host,
        "port": port,
        "name": order.name,
        "root": os.fspath(folder / "files"),
        "slots": order.slots,
        "groups": list(order.groups),
        "security": "off",
    }
    if order.certificate is not None:
        certs = folder / "certs"
        make_folder(certs)
        for name, content in order.certificate.items():
            write_file(certs / name, content, PRIVATE, sync=False)
        options |= {"security": "tls", "certs": os.fspath(certs)}
    life = {"lifeline": True, "alone": order.alone, "temporary": os.fspath(folder)}
    start = json.dumps({**options, "versions": dict(versions), **life})
    with open(folder / "log", "wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "fission.node", "--checked", start],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


async def _listening(service: _Service, host: str) -> None:
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection(host, service.port)
        except OSError:
            pass
        else:
            writer.close()
            return
        code = service.process.poll()
        if code is not None or asyncio.get_running_loop().time() > deadline:
            how = "does not listen" if code is None else f"ended with exit code {code}"
            raise RuntimeError(f"the node service {how}: {_last_line(service.folder / 'log')}")
        await asyncio.sleep(_LOOK)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:_LONGEST_LINE] if lines else "it has written nothing"


def _end(service: _Service) -> None:
    """End a service by force if need be, and remove what it has left."""
    service.process.terminate()
    try:
        service.process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        service.process.kill()
        service.process.wait()
    if service.process.stdin is not None:
        service.process.stdin.close()
    shutil.rmtree(service.folder, ignore_errors=True)


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])
