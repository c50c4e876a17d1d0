"""`new` without arguments: ask what to create."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fission.errors import ProjectError, UserError
from fission.management.access.project_root import find_root
from fission.management.commands.network.startnetwork import start_network_command
from fission.management.commands.network.startproject import start_project_command
from fission.management.console.exit_codes import print_error
from fission.project.examples import examples


def ask_and_create() -> int:
    """Ask for the kind, the name and the example, and create what was asked for.

    A rejected answer is asked for again. Raises UserError without a terminal and at the end of the input.
    """
    if not sys.stdin.isatty():
        raise UserError(
            "fission new asks what to create, and the input is no terminal",
            hint="Use fission new project NAME or fission new network NAME",
        )
    root = _project_here()
    if root is None:
        print("This folder is in no project, so a project comes first.")
        return _until_accepted(lambda: start_project_command(Path(), _ask("Name of the project")))
    kind = _ask("Create a network or a project?", "network", ["network", "project"])
    if kind == "project":
        return _until_accepted(lambda: start_project_command(Path(), _ask("Name of the project")))
    example = _ask_example()
    return _until_accepted(
        lambda: start_network_command(root, _ask("Name of the network", example), example=example)
    )


def _project_here() -> Path | None:
    try:
        return find_root(None)
    except ProjectError:
        return None


def _ask_example() -> str | None:
    print("Examples to begin with:")
    known = examples()
    for example in known:
        print(f"  {example.name:18} {example.summary}")
    names = [example.name for example in known]
    return _ask("Copy an example? Its name, or Enter for an empty network", "", ["", *names]) or None


def _ask(question: str, default: str | None = None, choices: Sequence[str] = ()) -> str:
    """Read an answer; an empty one stands for the default, and one that is not among the choices is asked for again."""
    shown = f" [{default}]:" if default else ":"
    while True:
        try:
            answer = input(f"{question}{shown} ").strip() or default
        except EOFError:
            print()
            raise UserError("the input ended before all was answered", hint="Nothing was created") from None
        if answer is not None and (not choices or answer in choices):
            return answer
        expected = " or ".join(filter(None, choices)) or "a name"
        print_error(f"expected {expected}, found {repr(answer[:80]) if answer else 'nothing'}")


def _until_accepted(create: Callable[[], int]) -> int:
    while True:
        try:
            return create()
        except ProjectError as error:
            print_error(str(error))
