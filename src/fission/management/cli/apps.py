"""The typer applications behind the three entry points, built from the same commands."""

# ruff: noqa: D301 - \b is for the layout of the help

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fission.management.cli import cluster_verbs, device_verbs, network_verbs, planning_verbs, watch_verbs
from fission.management.console.exit_codes import print_error
from fission.project.suggest import did_you_mean, listed

Verb = Callable[..., None]

_OF_NETWORKS: Mapping[str, Verb] = {
    "simulate": network_verbs.simulate,
    "run": cluster_verbs.run,
    "attach": cluster_verbs.attach,
    "stop": cluster_verbs.stop,
    "status": cluster_verbs.status,
    "nodes": device_verbs.nodes,
    "peek": watch_verbs.peek,
    "hz": watch_verbs.hz,
    "top": watch_verbs.top,
    "move": cluster_verbs.move,
    "drain": cluster_verbs.drain,
    "rebalance": cluster_verbs.rebalance,
    "reload": cluster_verbs.reload,
    "logs": cluster_verbs.logs,
    "collect": cluster_verbs.collect,
    "check": network_verbs.check,
    "graph": network_verbs.graph,
    "show": network_verbs.show,
    "export": network_verbs.export,
    "interact": network_verbs.interact,
    "interactive": network_verbs.interactive,
    "shell": cluster_verbs.shell,
    "test": network_verbs.run_tests,
    "place": network_verbs.place,
    "doctor": device_verbs.doctor,
}

FISSION_VERBS: Mapping[str, Verb] = {
    **_OF_NETWORKS,
    "examples": network_verbs.list_examples,
    "plan": planning_verbs.plan,
    "deploy": device_verbs.deploy,
    "certs": device_verbs.certs,
    "pair": device_verbs.pair,
    "node": device_verbs.node,
}
"""Commands of `fission`, beside `new`."""

PROJECT_VERBS: Mapping[str, Verb] = {
    "startnetwork": network_verbs.start_network,
    **{"graphviz" if word == "graph" else word: verb for word, verb in _OF_NETWORKS.items()},
}
"""Commands of `manage.py <network>`; `graph` keeps its name from the first FISSION there."""

ADMIN_VERBS: Mapping[str, Verb] = {"startproject": network_verbs.start_project}
"""Commands of `fission_admin.py <project>`."""


_SETTINGS: Mapping[str, dict[str, Any]] = {"test": {"ignore_unknown_options": True}}
"""Click settings of commands that pass unknown options on."""


@dataclass(frozen=True, slots=True)
class Target:
    """The words before the verb: a name in the project (or folder) `root`."""

    name: str
    root: Path


class _Group(TyperGroup):
    """A command group that lists its commands when one is unknown."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, `new` first."""
        return sorted(super().list_commands(ctx), key=lambda word: word != "new")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first argument names; exit with code 2 if there is none."""
        if self.get_command(ctx, args[0]) is None:
            print_error(unknown_verb(args[0], self.list_commands(ctx)))
            raise typer.Exit(2)
        return super().resolve_command(ctx, args)


def unknown_verb(word: str, known: list[str]) -> str:
    """Format the error for an unknown command."""
    guess = did_you_mean(word, known)
    return f"unknown command {word!r}. {guess + ' ' if guess else ''}The commands are {listed(known)}"


def _new_app(**more: Any) -> typer.Typer:
    # plain help: the same text on a terminal and in a pipe, and no time spent on importing rich
    settings = {"no_args_is_help": True, **more}
    return typer.Typer(cls=_Group, rich_markup_mode=None, pretty_exceptions_enable=False, **settings)


def fission_app() -> typer.Typer:
    """The application behind `fission`."""
    app = _new_app(context_settings=_CONTEXT)
    new = _new_app(no_args_is_help=False, invoke_without_command=True)
    new.command("project")(network_verbs.start_project)
    new.command("network")(network_verbs.start_network)
    new.callback()(network_verbs.ask_what_is_new)
    app.add_typer(new, name="new")
    for word, verb in FISSION_VERBS.items():
        app.command(word, context_settings=_SETTINGS.get(word))(verb)
    app.callback()(_fission)
    return app


def run_named(
    argv: list[str], known: Mapping[str, Verb], root: Path, *, program: str, kind: str, help_text: str
) -> int:
    """Run a command line in the form of the first FISSION: the name of a `kind`, then the verb."""
    words = list(known)
    if len(argv) == 1 and not argv[0].startswith("-"):
        print_error(f"the command is missing: {program} {argv[0]} COMMAND. The commands are {listed(words)}")
        return 2
    if len(argv) > 1 and argv[0] in known and argv[1] not in known:
        print_error(
            f"the {kind} comes first. Did you mean: {program} {' '.join([argv[1], argv[0], *argv[2:]])}"
        )
        return 2
    _named_app(program, kind, help_text, known, root)(argv, prog_name=program)
    return 0


def _named_app(program: str, kind: str, help_text: str, known: Mapping[str, Verb], root: Path) -> typer.Typer:
    def remember(context: typer.Context, name: str) -> None:
        context.obj = Target(name, root)

    remember.__annotations__["name"] = Annotated[str, typer.Argument(metavar=kind.upper())]
    app = _new_app(add_completion=False, context_settings=_CONTEXT)
    app.callback(help=help_text)(remember)
    for word, verb in known.items():
        command = _bound(verb)
        command.__doc__ = _in_this_form(verb.__doc__ or "", program, word)
        app.command(word, context_settings=_SETTINGS.get(word))(command)
    return app


def _in_this_form(text: str, program: str, word: str) -> str:
    """Rewrite the examples of a help text to the form with the name before the verb."""
    return re.sub(
        r"fission (?:new )?\w+(?: (\w+))?", lambda found: f"{program} {found[1] or 'demo'} {word}", text
    )


def _bound(verb: Verb) -> Verb:
    """Return the command without the arguments that precede it on the command line."""
    signature = inspect.signature(verb)
    bound = {"net", "name", "project", "parent"} & set(signature.parameters)

    def command(context: typer.Context, **options: object) -> None:
        target: Target = context.obj
        places = {"net": target.name, "name": target.name, "project": target.root, "parent": target.root}
        verb(**{word: places[word] for word in bound}, **options)

    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    kept = [parameter for word, parameter in signature.parameters.items() if word not in bound]
    command.__signature__ = signature.replace(parameters=[context, *kept])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (context, *kept)}
    return command


_CONTEXT = {"help_option_names": ["--help", "-h"]}


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - rarely needed

        print(f"fission {version('fission')}")
        raise typer.Exit


def _fission(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Run a dataflow of Python jobs on many devices, or simulate it on this one.

    A project contains networks. A network is a folder with a config.py, which connects jobs with pipes.

    \b
    First steps:
      fission new project greenhouse     a folder with manage.py
      cd greenhouse
      fission new network demo           a folder with config.py, jobs and pipes
      fission check demo                 report all its problems
      fission simulate demo --for 10s    run all its jobs on this machine
      fission graph demo                 draw it to demo/network.pdf

    Every command has examples: fission COMMAND --help
    """
