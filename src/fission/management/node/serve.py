"""The process of the node service: `python -m fission.node --checked JSON`, started by `fission-node`."""

import asyncio
import gc
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from fission.engine.files.provision import StoredFiles, operations
from fission.engine.files.store import Store
from fission.engine.node.link import StreamNodeLink
from fission.engine.node.probe import NodeProbe
from fission.engine.node.service import NodeService, NodeSettings
from fission.errors import ConfigError, RunError
from fission.management.access.signals import not_ignored
from fission.management.console.exit_codes import exit_code_of
from fission.management.node.log import keep_log, start_log
from fission.management.node.options import NodeOptions, options_of
from fission.runtime.process_title import set_title
from fission.runtime.sockets.descriptors import raise_descriptor_limit
from fission.security import find_identity

_log = logging.getLogger("fission.node")

_LOOK_SECONDS = 1.0
END_SECONDS = 2.5
"""Time for a clean shutdown before it is forced."""


def main() -> int:
    """Serve until a signal or the end of stdin; return the exit code."""
    raise_descriptor_limit()
    start = json.loads(sys.argv[2])
    versions = start.pop("versions")
    life = _Life(start.pop("lifeline"), start.pop("alone", 0.0), start.pop("temporary", ""))
    options = options_of(start)
    start_log(options.log_level, options.log)
    try:
        return exit_code_of(lambda: asyncio.run(_serve(options, versions, life)))
    finally:
        if life.temporary:
            shutil.rmtree(life.temporary, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Life:
    """How long the service lives, apart from signals.

    As long as stdin is open (`lifeline`), and until no client was there for `alone` seconds (0: for ever). It removes the
    folder `temporary` at its end.
    """

    lifeline: bool
    alone: float
    temporary: str


async def _serve(options: NodeOptions, versions: Mapping[str, str], life: _Life) -> int:
    requests = _ShutdownRequests()
    requests.listen(lifeline=life.lifeline)
    try:
        identity = None if options.security == "off" else find_identity(options.certs)
        store = await asyncio.to_thread(Store, options.root)
        settings = NodeSettings(
            options.address,
            options.root,
            options.name,
            options.slots,
            options.groups,
            "" if identity is None else str(options.certs),
            keep_log(options.root),
            options.reboot_command if options.allow_reboot else "",
        )
        probe = NodeProbe(options.address, options.root, identity)
        service = NodeService(
            settings,
            StoredFiles(store),
            versions=versions,
            operations={**operations(store), **probe.operations()},
            in_use=store.keep,
        )
        link = StreamNodeLink(
            options.address,
            options.port,
            identity=identity,
            handler=service.handle,
            admit=service.admit,
            gone=service.gone,
            about={"name": options.name},
        )
        service.link = link
        await service.start()
        set_title("fission-node", f"fission: node {options.address}:{link.port} in {options.root}")
        gc.freeze()  # the objects of the start-up stay for ever
        gc.enable()
    except RunError as error:
        raise ConfigError(error.what, where=error.where, found=error.found, hint=error.hint) from error
    _log.info(
        "node %s listens on %s port %d: %d slots, groups %s, files in %s",
        options.name,
        options.address,
        link.port,
        options.slots,
        ", ".join(options.groups) or "none",
        options.root,
    )
    announcing = None
    if options.announce:
        from fission.management.node.announcing import Announcing  # noqa: PLC0415 - rarely needed

        announcing = Announcing(options, link.port, versions["fission"], identity)
    watching = asyncio.create_task(_watch_clients(service, life.alone, requests)) if life.alone else None
    _log.info("%s: the service is stopping", await requests.first())
    if watching is not None:
        watching.cancel()
    if announcing is not None:
        await announcing.stop()
    if not await requests.finish(service.close()):
        _log.warning("the service stops without waiting any longer")
        await requests.finish(service.close(force=True))
        logging.shutdown()
        os._exit(0)  # no thread is waited for; the reaper kills what is left
    probe.close()
    store.close()
    return 0


async def _watch_clients(service: NodeService, seconds: float, requests: "_ShutdownRequests") -> None:
    """Ask for the end when no client was there for so long."""
    last = monotonic()
    while monotonic() - last < seconds:
        await asyncio.sleep(_LOOK_SECONDS)
        if service.attended:
            last = monotonic()
    requests.add(f"no client was here for {seconds:g} s")


class _ShutdownRequests:
    """Requests to stop: signals, and with `lifeline` the end of stdin."""

    def __init__(self) -> None:
        self._reasons: asyncio.Queue[str] = asyncio.Queue()

    def listen(self, *, lifeline: bool) -> None:
        """Install the handlers."""
        loop = asyncio.get_running_loop()
        for number in not_ignored(signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._reasons.put_nowait, number.name)
        if lifeline:
            loop.add_reader(sys.stdin.fileno(), self._read)

    def add(self, reason: str) -> None:
        """Add a request."""
        self._reasons.put_nowait(reason)

    async def first(self) -> str:
        """Wait for the first request and return its reason."""
        return await self._reasons.get()

    async def finish(self, work: Coroutine[Any, Any, None]) -> bool:
        """Await the work; False when a second request or the time limit comes before its end."""
        doing, forced = asyncio.create_task(work), asyncio.create_task(self._reasons.get())
        done, _ = await asyncio.wait(
            [doing, forced], timeout=END_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        forced.cancel()
        if doing in done:
            await doing
            return True
        return False

    def _read(self) -> None:
        if not os.read(sys.stdin.fileno(), 1 << 10):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._reasons.put_nowait("stdin was closed")
