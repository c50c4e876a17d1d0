"""Command line of `plan`: arguments, options and help."""

# ruff: noqa: D301, PLC0415 - \b is for the layout of the help; a command imports only what it needs

from pathlib import Path
from typing import Annotated

import typer

from fission.management.cli.options import Debug, exit_with
from fission.management.console.exit_codes import exit_code_of

_DEFAULT_NODES = 8
_DEFAULT_SIDE = 25.0


def plan(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="File with the problem.")] = None,
    plan_file: Annotated[
        Path | None, typer.Argument(metavar="PLAN", help="With --check: file with the plan.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="METHOD", help="auto, search or exact.")
    ] = "auto",
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", help="Time for the solver. Default: by method.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of the search and of --generate.")
    ] = 0,
    instance: Annotated[
        str | None, typer.Option("--instance", metavar="NAME", help="Which problem of a file with several.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Write the plan, or the problem, as JSON."),
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", metavar="SVG", help="Draw the nodes and their hops.")
    ] = None,
    slots_file: Annotated[
        Path | None, typer.Option("--slots", metavar="SVG", help="Draw what each node does in each slot.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check PLAN against the problem in FILE.")] = False,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a problem by chance instead of reading one.")
    ] = False,
    nodes: Annotated[
        int, typer.Option("--nodes", metavar="N", help="With --generate: nodes.")
    ] = _DEFAULT_NODES,
    blocks: Annotated[
        int, typer.Option("--blocks", metavar="N", help="With --generate: blocks, sources and sink included.")
    ] = _DEFAULT_NODES,
    sources: Annotated[int, typer.Option("--sources", metavar="N", help="With --generate: sources.")] = 2,
    loops: Annotated[int, typer.Option("--loops", metavar="N", help="With --generate: links backwards.")] = 1,
    side: Annotated[
        float, typer.Option("--side", metavar="M", help="With --generate: side of the field in m.")
    ] = _DEFAULT_SIDE,
    load: Annotated[
        float, typer.Option("--load", metavar="F", help="With --generate: demands over capacities, 0 to 1.")
    ] = 0.4,
    debug: Debug = False,
) -> None:
    """Plan a wireless network: blocks onto nodes, data over hops, transmissions into TDMA slots.

    The plan has as few slots as the solver finds; the bound says how few there are at least. The exit code of --check is
    1 if the plan breaks a rule.

    \b
      fission plan field.json -o plan.json --map map.svg
      fission plan --check field.json plan.json
      fission plan --generate --nodes 12 --side 600 -o field.json
    """
    from fission.management.commands.planning.plan import (
        PlanOptions,
        check_command,
        generate_command,
        plan_command,
    )
    from fission.plan import Recipe

    def work() -> int:
        options = PlanOptions(file, plan_file, instance, method, seconds, seed, output, map_file, slots_file)
        if generate:
            recipe = Recipe(nodes=nodes, blocks=blocks, sources=sources, side=side, loops=loops, load=load)
            return generate_command(recipe, options)
        return check_command(options) if check else plan_command(options)

    exit_with(exit_code_of(work, debug=debug))
