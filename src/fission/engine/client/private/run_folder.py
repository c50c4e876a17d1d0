"""The private folder of a network's client, and the locks that allow one client per network."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fission.core.network import Network
from fission.engine.files.locks import lock_holder, locked
from fission.errors import ProjectError

__all__ = ["PRIVATE", "private_folder", "run_folder"]

PRIVATE = ".fission"
"""The client's folder in a network's folder: journal, control socket, checkpoints of others."""


def private_folder(network_folder: Path | str) -> Path:
    """Return the client's private folder in a network's folder."""
    return Path(network_folder) / PRIVATE


@contextmanager
def run_folder(network: Network) -> Iterator[Path]:
    """Lock the network's folder and its private folder inside a `with` block; create and provide the latter.

    The private folder may be removed while the network runs: the lock of the other one refuses a second client even then.
    Raises ProjectError when another client holds the network.
    """
    home, folder = Path(network.folder), private_folder(network.folder)
    with ExitStack() as stack:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            free = stack.enter_context(locked(folder)) and stack.enter_context(locked(home))
        except OSError as error:
            raise ProjectError(
                f"the network's private folder cannot be made: {error.strerror}",
                where=str(error.filename or folder),
            ) from error
        if not free:
            raise ProjectError(
                "the network is being run already",
                where=f"network {network.name}",
                found=f"process {pid}" if (pid := lock_holder(home)) else "",
                hint=f"See `fission attach {network.name}`, or end it: `fission stop {network.name}`",
            )
        yield folder
