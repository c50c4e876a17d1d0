"""`attach`: show the console of a network that runs elsewhere: in the background, or in a terminal that was closed."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from fission.engine.client.private.run_folder import private_folder
from fission.errors import RunError
from fission.management.access.running_client import LOGS, ask, no_client
from fission.management.commands.cluster.logs import LinePrinter
from fission.management.commands.cluster.status import heading, jobs_table
from fission.management.console.log_reader import LogReader
from fission.management.console.records import LOG_NAME
from fission.management.console.tables import new_console
from fission.project.load import find_network

__all__ = ["attach_command"]

_LOOK_SECONDS = 0.5
_EARLIER = 20
"""Records from before that are shown at first."""


def attach_command(root: Path, name: str) -> int:
    """Show new records of a running network, and on a terminal its jobs, until it ends or Ctrl+C. Raises RunError."""
    network = _view(root, name)
    if network is None:
        raise no_client(root, name)
    path = private_folder(find_network(root, name)) / LOGS / LOG_NAME
    console = new_console(soft_wrap=True)
    with LogReader(path) as reader, _left_by_signal(name):
        earlier = list(reader.more())[-_EARLIER:]
        printer = LinePrinter()
        for record in earlier:
            printer(record)
        with _live(console) as live:
            while network is not None:
                for record in reader.more():
                    printer(record)
                sys.stdout.flush()
                if live is not None:
                    live.update(_picture(network), refresh=True)
                time.sleep(_LOOK_SECONDS)
                network = _view(root, name)
        for record in reader.more():
            printer(record)
        print(f"{name} has ended")
    return 0


def _view(root: Path, name: str) -> Mapping[str, Any] | None:
    """Return what the client says of its network; None if there is none, or not any more."""
    try:
        answer = ask(root, name, do="status")
    except RunError:
        return None
    return None if answer is None else answer["network"]


@contextlib.contextmanager
def _left_by_signal(name: str) -> Iterator[None]:
    """Let Ctrl+C leave the network as it is."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"{name} goes on; `fission stop {name}` ends it")


@contextlib.contextmanager
def _live(console: Console) -> Iterator[Live | None]:
    """Show a picture at the bottom of a terminal."""
    if not console.is_terminal:
        yield None
        return
    with Live(Text(""), console=console, auto_refresh=False, transient=True) as live:
        yield live


def _picture(network: Mapping[str, Any]) -> RenderableType:
    jobs = jobs_table(network)
    parts: list[RenderableType] = [Text(heading(network), style="bold")]
    return Group(*parts, *([] if jobs is None else [jobs]))
