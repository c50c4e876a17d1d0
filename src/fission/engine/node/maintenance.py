"""Maintenance of a node on request of a client: remove a network's files, reboot the device."""

import asyncio
import logging
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fission.engine.checkpoints.store import CheckpointStore
from fission.engine.protocol.interfaces import Plain
from fission.errors import RunError

_log = logging.getLogger(__name__)


async def remove_network(home: Path, network: str, states: CheckpointStore) -> bool:
    """Remove a network's folder, `home`, and the states of its jobs; False when there was no such folder.

    Only a folder in which jobs have worked is removed. Raises RunError.
    """
    await asyncio.to_thread(states.keep_runs, network, [])
    try:
        return await asyncio.to_thread(_remove, home)
    except OSError as error:
        raise RunError(
            f"the network's folder cannot be removed: {error.strerror}", where=str(error.filename or home)
        ) from error


def _remove(home: Path) -> bool:
    if home.is_symlink() or not (home / ".state").is_dir():
        return False
    shutil.rmtree(home)
    return True


def reboot(command: str, node: str) -> None:
    """Reboot the device with this command without waiting for it. Raises RunError when that is not allowed."""
    if not command:
        raise RunError(
            "this node may not be rebooted from here",
            where=node,
            hint="Its service was started without --allow-reboot",
        )
    _log.warning("reboots, as a client wants: %s", command)
    try:
        subprocess.Popen(  # noqa: S603 - the operator of the service has configured it
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(f"the command {command!r} cannot be run: {error.strerror}", where=node) from error


def remote_root(arguments: Mapping[str, Plain]) -> str:
    """Return the REMOTE_ROOT that a client names. Raises RunError."""
    root = arguments.get("root", "")
    if not isinstance(root, str):
        raise RunError("root is no text", found=repr(root)[:80])
    return root
