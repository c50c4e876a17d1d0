"""Arguments and options that several commands share, and how a command ends."""

# ruff: noqa: PLC0415 - completion imports only what it needs

from pathlib import Path
from typing import Annotated

import typer

from fission.management.access.project_root import find_root


def _complete_networks(incomplete: str) -> list[str]:
    from fission.project.load import networks_of

    try:
        return [name for name in networks_of(find_root(None)) if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - a shell that completes a word wants no errors
        return []


Net = Annotated[
    str,
    typer.Argument(metavar="NET", help="The network: its folder's name.", autocompletion=_complete_networks),
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="A name that Python can import.")]
Project = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="The project's folder; by default this folder or the nearest one above.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show whole tracebacks when something goes wrong.")]


def end(code: int) -> None:
    """Let the command end with this exit code."""
    raise typer.Exit(code)
