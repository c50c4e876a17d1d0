"""The node service itself: `python -m fission.node --checked JSON`, which `fission-node` becomes."""

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Mapping
from typing import Any

from fission.engine.files.provision import StoredFiles, operations
from fission.engine.files.store import Store
from fission.engine.node.link import StreamNodeLink
from fission.engine.node.service import NodeService, NodeSettings
from fission.errors import ConfigError, RunError
from fission.management.access.signals import not_ignored
from fission.management.console.guard import guard
from fission.management.node.log import keep_log, start_log
from fission.management.node.options import NodeOptions, options_of
from fission.runtime.sockets.descriptors import raise_descriptor_limit
from fission.security import find_identity

_log = logging.getLogger("fission.node")

END_SECONDS = 2.5
"""How long a clean end may take before it is forced."""


def main() -> int:
    """Serve until told to end; return the exit code."""
    raise_descriptor_limit()
    start = json.loads(sys.argv[2])
    versions, lifeline = start.pop("versions"), start.pop("lifeline")
    options = options_of(start)
    start_log(options.log_level, options.log)
    return guard(lambda: asyncio.run(_serve(options, versions, lifeline=lifeline)))


async def _serve(options: NodeOptions, versions: Mapping[str, str], *, lifeline: bool) -> int:
    ends = _Ends()
    ends.listen(lifeline=lifeline)
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
        service = NodeService(
            settings,
            StoredFiles(store),
            versions=versions,
            operations=operations(store),
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
        gc.freeze()  # what is there now stays
        gc.enable()
    except RunError as error:
        raise ConfigError(error.what, where=error.where, found=error.found, hint=error.hint) from error
    _log.info(
        "node %s serves at %s port %d: %d slots, groups %s, files in %s",
        options.name,
        options.address,
        link.port,
        options.slots,
        ", ".join(options.groups) or "none",
        options.root,
    )
    _log.info("%s: the service ends", await ends.first())
    if not await ends.in_time(service.close()):
        _log.warning("the service does not wait any longer")
        await ends.in_time(service.close(force=True))
        logging.shutdown()
        os._exit(0)  # no thread is waited for; the reaper kills what is left
    store.close()
    return 0


class _Ends:
    """What ends the service: signals, and with a lifeline the end of stdin."""

    def __init__(self) -> None:
        self._reasons: asyncio.Queue[str] = asyncio.Queue()

    def listen(self, *, lifeline: bool) -> None:
        """Begin to listen for signals."""
        loop = asyncio.get_running_loop()
        for number in not_ignored(signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._reasons.put_nowait, number.name)
        if lifeline:
            loop.add_reader(sys.stdin.fileno(), self._read)

    async def first(self) -> str:
        """Wait for a reason to end."""
        return await self._reasons.get()

    async def in_time(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do the work; False when there is another reason to end, or no time left, before it is done."""
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
