"""Arguments and options that several commands share, and the exit of a command."""

# ruff: noqa: PLC0415 - completion imports only what it needs

from pathlib import Path
from typing import Annotated

import typer

from fission.management.access.project_root import find_root


def _complete_networks(incomplete: str) -> list[str]:
    from fission.project.load import networks_of

    try:
        return [name for name in networks_of(find_root(None)) if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - completion in a shell must not print errors
        return []


def complete_examples(incomplete: str) -> list[str]:
    """Return the names of examples that begin with this."""
    from fission.project.examples import examples

    try:
        return [example.name for example in examples() if example.name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - completion in a shell must not print errors
        return []


Net = Annotated[
    str,
    typer.Argument(metavar="NET", help="Folder name of the network.", autocompletion=_complete_networks),
]
OptionalNet = Annotated[
    str | None,
    typer.Argument(metavar="[NET]", help="Folder name of the network.", autocompletion=_complete_networks),
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the new folder.")]
Project = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="Folder of the project. Default: the nearest project at or above this folder.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show full tracebacks of errors.")]


def exit_with(code: int) -> None:
    """End the command with this exit code."""
    raise typer.Exit(code)
