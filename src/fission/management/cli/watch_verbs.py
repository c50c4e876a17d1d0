"""Command line of the commands that watch a running network: arguments, options and help."""

# ruff: noqa: D301, PLC0415 - \b is for the layout of the help; a command imports only what it needs

from typing import Annotated

import typer

from fission.management.access.project_root import find_root
from fission.management.cli.durations import parse_duration
from fission.management.cli.options import Debug, Net, Project, exit_with
from fission.management.console.exit_codes import exit_code_of

Pipe = Annotated[int, typer.Argument(metavar="PIPE", help="Id of the pipe, as in `status`.")]


def peek(
    net: Net,
    pipe: Pipe,
    count: Annotated[
        int,
        typer.Option("--count", "-n", metavar="N", min=0, help="Stop after N blocks. Default: until Ctrl+C."),
    ] = 0,
    rate: Annotated[
        float,
        typer.Option("--rate", metavar="N", min=0.01, max=1000.0, help="Show at most N blocks per second."),
    ] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the bytes of the blocks, nothing between them.")
    ] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Show blocks of a pipe of a running network.

    Arrays are shown by shape, dtype and statistics, other values by their beginning. The network never waits for it: blocks
    that come faster are left out. It may be simulated.

    \b
      fission peek demo 3
      fission peek demo 3 --count 1 --json
    """
    from fission.management.commands.cluster.peek import PeekForm, peek_command

    def work() -> int:
        form = PeekForm.RAW if raw else PeekForm.JSON if as_json else PeekForm.TEXT
        return peek_command(find_root(project), net, pipe, count=count, rate=rate, form=form)

    if raw and as_json:
        raise typer.BadParameter("--raw and --json exclude each other")
    exit_with(exit_code_of(work, debug=debug))


def hz(
    net: Net,
    pipe: Pipe,
    interval: Annotated[
        float | None,
        typer.Option(
            "--interval", metavar="TIME", parser=parse_duration, help="How often to measure. Default: 1s."
        ),
    ] = None,
    count: Annotated[
        int,
        typer.Option("--count", "-n", metavar="N", min=0, help="Stop after N lines. Default: until Ctrl+C."),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Show how many blocks and bytes per second a pipe carries.

    The numbers are those of its counters: no block is copied. The network may be simulated.

    \b
      fission hz demo 3
      fission hz demo 3 --interval 5s --count 1
    """
    from fission.management.commands.cluster.hz import hz_command

    def work() -> int:
        return hz_command(
            find_root(project), net, pipe, interval=interval or 1.0, count=count, as_json=as_json
        )

    exit_with(exit_code_of(work, debug=debug))


def top(
    net: Net,
    interval: Annotated[
        float | None,
        typer.Option(
            "--interval", metavar="TIME", parser=parse_duration, help="How often to look. Default: 1s."
        ),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Watch the nodes, jobs and pipes of a running network.

    Keys choose a job, move it, drain its node, restart it and show its log; each asks first. q or Ctrl+C ends it. Without a
    terminal it prints the tables once.

    \b
      fission top demo
    """
    from fission.management.commands.cluster.top import top_command

    exit_with(exit_code_of(lambda: top_command(find_root(project), net, interval or 1.0), debug=debug))
