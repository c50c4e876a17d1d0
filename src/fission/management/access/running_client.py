"""What the commands that talk to the client of a running network have in common."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fission.engine.client.control_socket import ask_client, watch_client
from fission.engine.client.private.journal import left_running
from fission.engine.client.private.run_folder import PRIVATE, private_folder
from fission.engine.files.locks import lock_holder
from fission.engine.simulate.simulation import SIMULATION
from fission.errors import RunError
from fission.management.console.exit_codes import print_error
from fission.project.load import find_network

LOGS = "logs"
"""Folder in the private one with the records of the runs."""


def ask(root: Path, name: str, **request: Any) -> dict[str, Any] | None:
    """Ask the client that runs a network; None when there is none. Raises ProjectError, RunError."""
    home = find_network(root, name)
    folder = private_folder(home)
    answer = ask_client(folder, **request) if folder.is_dir() else None
    if answer is None and (client := lock_holder(home)) and lock_holder(folder) != client:
        if lock_holder(home) != client:
            return None  # it has ended between the two questions
        raise RunError(
            f"its client, process {client}, cannot be asked: its folder {PRIVATE} has been removed",
            where=f"network {name}",
            hint=f"It runs on; end it with: kill {client}",
        )
    return answer


def ask_simulation(root: Path, name: str, **request: Any) -> dict[str, Any] | None:
    """Ask the process that simulates a network; None when there is none. Raises ProjectError, RunError."""
    folder = private_folder(find_network(root, name)) / SIMULATION
    return ask_client(folder, **request) if folder.is_dir() else None


def watch_pipe(
    root: Path, name: str, waits: Callable[[], None], **request: Any
) -> Iterator[dict[str, Any]] | None:
    """Yield blocks of a pipe from the process that runs or simulates a network (see `watch_client`); None if there is none."""
    folder = private_folder(find_network(root, name))
    for place in (folder, folder / SIMULATION):
        if place.is_dir() and (items := watch_client(place, waits, **request)) is not None:
            return items
    return None


def tell_client(root: Path, name: str, **request: Any) -> int:
    """Let the client do something, print what it says; return 2 if it would not, or not all. Raises RunError."""
    answer = ask(root, name, **request)
    if answer is None:
        raise no_client(root, name)
    for line in answer.get("lines", ()):
        print(line)
    for error in answer.get("errors", ()):
        print_error(f"network {name}: {error}")
    return 2 if answer.get("errors") else 0


def no_client(root: Path, name: str) -> RunError:
    """The error of a command that needs the client of a running network, where there is none."""
    where, folder = f"network {name}", private_folder(find_network(root, name))
    if client := lock_holder(folder):
        return not_to_be_asked(name, client)
    if left_running(folder):
        return RunError(
            "its client is gone; its jobs may go on on their nodes",
            where=where,
            hint=f"`fission run {name}` takes them over, `fission stop {name}` ends them",
        )
    return RunError("it does not run", where=where, hint=f"Start it: fission run {name}")


def not_to_be_asked(name: str, client: int) -> RunError:
    """The error of a command that meets a client between taking its folder and listening there, or at its end."""
    return RunError(
        f"its client, process {client}, cannot be asked: it has just begun, or ends",
        where=f"network {name}",
        hint="Try again in a moment",
    )
