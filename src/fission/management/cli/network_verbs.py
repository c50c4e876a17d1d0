"""Command line of the commands about a network: arguments, options and help. Each command has a file in `commands`."""

# ruff: noqa: D301, PLC0415 - \b is for the layout of the help; a command imports only what it needs

from pathlib import Path
from typing import Annotated

import typer

from fission.management.access.project_root import find_root
from fission.management.cli.durations import parse_duration
from fission.management.cli.options import Debug, Net, NewName, Project, complete_examples, exit_with
from fission.management.console.exit_codes import exit_code_of, exit_code_of_run


def start_project(
    name: NewName,
    parent: Annotated[Path, typer.Option("--in", metavar="DIR", help="Parent folder.")] = Path(),
    debug: Debug = False,
) -> None:
    """Create a project.

    A project is a folder with manage.py and a folder shared for the code that its networks have in common.

    \b
      fission new project greenhouse
      cd greenhouse
    """
    from fission.management.commands.network.startproject import start_project_command

    exit_with(exit_code_of(lambda: start_project_command(parent, name), debug=debug))


def start_network(
    name: NewName,
    example: Annotated[
        str | None,
        typer.Option(
            "--example",
            metavar="EXAMPLE",
            help="Copy this one of the examples.",
            autocompletion=complete_examples,
        ),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Create a network in a project.

    A network is a folder with config.py and the folders jobs, nodes, pipes and source. With --example it is a copy of
    one of the examples.

    \b
      fission new network demo
      fission new network voices --example separation
    """
    from fission.management.commands.network.startnetwork import start_network_command

    def work() -> int:
        return start_network_command(find_root(project), name, example=example)

    exit_with(exit_code_of(work, debug=debug))


def ask_what_is_new(context: typer.Context) -> None:
    """Create a project, or a network in a project.

    Without arguments the command asks.
    """
    if context.invoked_subcommand is None:
        from fission.management.commands.network.new import ask_and_create

        exit_with(exit_code_of(ask_and_create))


def list_examples(debug: Debug = False) -> None:
    """List the examples that can be copied into a project.

    \b
      fission examples                                  list them
      fission new network voices --example separation   copy one
    """
    from fission.management.commands.network.examples import list_examples

    exit_with(exit_code_of(list_examples, debug=debug))


def simulate(
    net: Net,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for",
            metavar="TIME",
            parser=parse_duration,
            help="Stop after this time: 10s, 500ms, 2m, 1h30m.",
        ),
    ] = None,
    until_finished: Annotated[
        bool,
        typer.Option("--until-finished", help="Exit code 1 unless all jobs finished by themselves."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Run a network on this machine.

    The network is checked first. Then every job runs in its own process, with the same runtime as on a node, until
    Ctrl+C. NET/simulation is emptied and receives a working directory for each job, info.txt and fission.log.

    \b
      fission simulate demo
      fission simulate demo --for 10s
      fission simulate demo --until-finished --quiet
    """
    from fission.management.access.problems import load_valid
    from fission.management.commands.network.simulate import simulate_network
    from fission.runtime.process_title import set_title

    def work() -> int:
        root = find_root(project)
        set_title("fission-sim", f"fission: simulate {net} in {root}")
        network = load_valid(root, net, quiet=quiet)
        return simulate_network(network, root, seconds=seconds, until_finished=until_finished, quiet=quiet)

    exit_with(exit_code_of_run(work, until_finished=until_finished, quiet=quiet, debug=debug))


def _list_checks(wanted: bool) -> None:
    from fission.management.commands.network.check import list_checks

    if wanted:
        exit_with(exit_code_of(list_checks))


def check(
    net: Net,
    as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
    list_all: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--list", help="List all checks and exit.", is_eager=True, callback=_list_checks)
    ] = False,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="Also test whether each job continues identically after a restart."),
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for",
            metavar="TIME",
            parser=parse_duration,
            help="Duration of the simulation for --replay. Default: 5s.",
        ),
    ] = None,
    typed: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="JOB=LINE",
            help="Line that is typed at an InteractiveJob during --replay, again and again. May be repeated.",
        ),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Report all problems of a network.

    Nothing runs. The exit code is 0 if the network can run (there may be warnings), else 2. With --replay the network
    is simulated for some seconds; then each job is restored from a checkpoint and repeats some rounds for comparison.

    \b
      fission check demo
      fission check demo --json
      fission check demo --replay --for 10s
      fission check demo --replay --type 'Operator=+'
      fission check --list
    """
    from fission.management.commands.network.check import check_command, replay_command

    def work() -> int:
        root = find_root(project)
        if replay:
            duration = 5.0 if seconds is None else seconds
            return replay_command(root, net, seconds=duration, typed=typed or [], as_json=as_json)
        return check_command(root, net, as_json=as_json)

    exit_with(exit_code_of(work, debug=debug))


def graph(
    net: Net,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output file; its suffix selects the format. Default: NET/network.pdf.",
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--format", "-f", metavar="FORMAT", help="pdf, svg, png, dot or mermaid."),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Draw a network to a file.

    The formats dot and mermaid are text and go to stdout by default. Pictures need the program dot of Graphviz.

    \b
      fission graph demo
      fission graph demo -o demo.svg
      fission graph demo --format mermaid
    """
    from fission.management.commands.network.graph import graph_command

    exit_with(
        exit_code_of(lambda: graph_command(find_root(project), net, output=output, form=text), debug=debug)
    )


def show(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Draw a network and open the picture.

    Without a display the command prints the path of the picture.

    \b
      fission show demo
    """
    from fission.management.commands.network.show import show_command

    exit_with(exit_code_of(lambda: show_command(find_root(project), net), debug=debug))


def export(
    net: Net,
    text: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="json, graphml, xml, dot or mermaid.")
    ] = "json",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Output file. Default: stdout.")
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Export a network for other programs.

    XML supports only MARVELO jobs on fixed nodes; XML_FILE reads the same format.

    \b
      fission export demo
      fission export demo --format graphml -o demo.graphml
    """
    from fission.management.commands.network.export import export_command

    exit_with(
        exit_code_of(lambda: export_command(find_root(project), net, form=text, output=output), debug=debug)
    )


def run_tests(
    net: Net,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[PYTEST ARGUMENT]...", help="Passed to pytest.")
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Run the tests of a network.

    pytest runs NET/tests with the plugin of FISSION: jobs run in real processes. The exit code is that of pytest.

    \b
      fission test demo
      fission test demo -k join --runslow
    """
    from fission.management.commands.network.test import test_network

    exit_with(exit_code_of(lambda: test_network(find_root(project), net, arguments or []), debug=debug))


def place(
    net: Net,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the score or refusal of every node for every job.")
    ] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Show which job would be placed on which node.

    The rules are those of a run. All NODES are assumed to be up and idle; while the network runs, their present state
    counts. The exit code is 2 if a job has no node.

    \b
      fission place demo
      fission place demo --explain
    """
    from fission.management.access.problems import load_valid
    from fission.management.access.running_client import ask
    from fission.management.commands.network.place import place_network

    def work() -> int:
        root = find_root(project)
        answer = ask(root, net, do="status")
        live = None if answer is None else answer["network"]
        return place_network(load_valid(root, net, quiet=True), explain=explain, live=live)

    exit_with(exit_code_of(work, debug=debug))


def interact(
    net: Net,
    job: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="Id or name of the job. Default: the only InteractiveJob."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="HOST:PORT", help="Address of a job on another machine, from the log of the run."
        ),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Send typed lines to an InteractiveJob.

    The network must run on this machine. Ctrl+D ends the command, not the job. Lines from a pipe work too: the command
    ends when the job has accepted all of them, with exit code 1 if the job rejected one.

    \b
      fission interact demo
      fission interact demo 3
      echo 5 | fission interact demo 3
      fission interact demo --at 192.168.4.1:40123     from another machine with the client's certificate
    """
    from fission.management.commands.cluster.interact import interact_command

    exit_with(exit_code_of(lambda: interact_command(find_root(project), net, job, at=at), debug=debug))


def interactive(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Open a Python console with a network.

    The console has the names network, JOBS and PIPES (by id), NODES (by address) and GROUPS (by name). The network may
    be incomplete.

    \b
      fission interactive demo
      >>> JOBS[1].outputs
    """
    from fission.management.commands.network.interactive import interactive_command

    exit_with(exit_code_of(lambda: interactive_command(find_root(project), net), debug=debug))
