"""The commands as they are typed: arguments, options, help. What they do stands in a file per command."""

# ruff: noqa: D301, PLC0415 - \b is for the layout of the help; a command imports only what it needs

from pathlib import Path
from typing import Annotated

import typer

from fission.management.access.project_root import find_root
from fission.management.cli.durations import parse_duration
from fission.management.cli.options import Debug, Net, NewName, Project, end
from fission.management.console.guard import guard, guard_run


def start_project(
    name: NewName,
    parent: Annotated[Path, typer.Option("--in", metavar="DIR", help="Where to create it.")] = Path(),
    debug: Debug = False,
) -> None:
    """Create a project.

    That is a folder with manage.py and the folder shared, for what its networks have in common.

    \b
      fission new project greenhouse
      cd greenhouse
    """
    from fission.management.commands.network.startproject import start_project_command

    end(guard(lambda: start_project_command(parent, name), debug=debug))


def start_network(name: NewName, project: Project = None, debug: Debug = False) -> None:
    """Create a network in a project.

    That is a folder with config.py, jobs, nodes, pipes and source.

    \b
      fission new network demo
    """
    from fission.management.commands.network.startnetwork import start_network_command

    end(guard(lambda: start_network_command(find_root(project), name), debug=debug))


def simulate(
    net: Net,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for", metavar="TIME", parser=parse_duration, help="End after 10s, 500ms, 2m or 1h30m."
        ),
    ] = None,
    until_finished: Annotated[
        bool,
        typer.Option("--until-finished", help="Exit code 1 unless all jobs have finished by themselves."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Run a network on this machine.

    The network is checked first. Then every job runs as it would on its node, until you press Ctrl+C.
    Everything is written to NET/simulation, which is emptied before: a folder per job (its working
    directory), info.txt and fission.log.

    \b
      fission simulate demo
      fission simulate demo --for 10s
      fission simulate demo --until-finished --quiet
    """
    from fission.management.access.problems import load_sound
    from fission.management.commands.network.simulate import simulate_network

    def work() -> int:
        root = find_root(project)
        network = load_sound(root, net, quiet=quiet)
        return simulate_network(network, root, seconds=seconds, until_finished=until_finished, quiet=quiet)

    end(guard_run(work, until_finished=until_finished, quiet=quiet, debug=debug))


def _list_checks(wanted: bool) -> None:
    from fission.management.commands.network.check import list_checks

    if wanted:
        end(guard(list_checks))


def check(
    net: Net,
    as_json: Annotated[bool, typer.Option("--json", help="The problems as JSON on stdout.")] = False,
    list_all: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--list", help="List every check and exit.", is_eager=True, callback=_list_checks)
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Also: does every job go on identically after a restart?")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option("--for", metavar="TIME", parser=parse_duration, help="How long --replay simulates; 5s."),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Tell all that is wrong with a network.

    Nothing is run. Exit code 0 when it can run (there may be warnings), 2 when not. With --replay the network is
    simulated for some seconds; then every job is made anew, given its state, and must compute some rounds again.

    \b
      fission check demo
      fission check demo --json
      fission check demo --replay --for 10s
      fission check --list
    """
    from fission.management.commands.network.check import check_command, replay_command

    def work() -> int:
        root = find_root(project)
        if replay:
            return replay_command(root, net, seconds=5.0 if seconds is None else seconds, as_json=as_json)
        return check_command(root, net, as_json=as_json)

    end(guard(work, debug=debug))


def graph(
    net: Net,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="By default NET/network.pdf; the suffix says the format."
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--format", "-f", metavar="FORMAT", help="pdf, svg, png, dot or mermaid."),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Draw a network into a file.

    Or print it as text, for DOT or Mermaid. Pictures need the program dot of Graphviz, text does not.

    \b
      fission graph demo
      fission graph demo -o demo.svg
      fission graph demo --format mermaid
    """
    from fission.management.commands.network.graph import graph_command

    end(guard(lambda: graph_command(find_root(project), net, output=output, form=text), debug=debug))


def show(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Draw a network and open the picture.

    Without a display it says where the picture is.

    \b
      fission show demo
    """
    from fission.management.commands.network.show import show_command

    end(guard(lambda: show_command(find_root(project), net), debug=debug))


def export(
    net: Net,
    text: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="json, graphml, xml, dot or mermaid.")
    ] = "json",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default it goes to stdout.")
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Write a network as text for other programs.

    XML can say networks of MARVELO jobs on fixed nodes only; it is what XML_FILE reads.

    \b
      fission export demo
      fission export demo --format graphml -o demo.graphml
    """
    from fission.management.commands.network.export import export_command

    end(guard(lambda: export_command(find_root(project), net, form=text, output=output), debug=debug))


def run_tests(
    net: Net,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[PYTEST ARGUMENT]...", help="Whatever pytest understands.")
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Run the tests of a network.

    That is NET/tests, with pytest and our plugin: jobs run in real processes. Exit codes are those of pytest.

    \b
      fission test demo
      fission test demo -k join --runslow
    """
    from fission.management.commands.network.test import test_network

    end(guard(lambda: test_network(find_root(project), net, arguments or []), debug=debug))


def place(
    net: Net,
    explain: Annotated[
        bool, typer.Option("--explain", help="For every job all nodes, with score or refusal.")
    ] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Tell which job would go to which node.

    By the rules that a run follows, as if all NODES were up and idle; while the network runs, as they are. Exit code 2
    when a job finds no node.

    \b
      fission place demo
      fission place demo --explain
    """
    from fission.management.access.problems import load_sound
    from fission.management.access.running_client import ask
    from fission.management.commands.network.place import place_network

    def work() -> int:
        root = find_root(project)
        answer = ask(root, net, do="status")
        live = None if answer is None else answer["network"]
        return place_network(load_sound(root, net, quiet=True), explain=explain, live=live)

    end(guard(work, debug=debug))


def interact(
    net: Net,
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="Id or name; may be left out if there is only one.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="HOST:PORT", help="A job on another machine, as its log has told it."),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Type lines for an InteractiveJob.

    In a terminal of your own, while the network runs on this machine. Ctrl+D leaves, the job goes on. Lines may also
    come from a pipe: the command ends when they have been taken.

    \b
      fission interact demo
      fission interact demo 3
      echo 5 | fission interact demo 3
      fission interact demo --at 192.168.4.1:40123     from another machine with the client's certificate
    """
    from fission.management.commands.cluster.interact import interact_command

    end(guard(lambda: interact_command(find_root(project), net, job, at=at), debug=debug))


def interactive(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Open a Python console with a network.

    It has network, JOBS and PIPES by id, NODES by address and GROUPS by name; also if the network is incomplete.

    \b
      fission interactive demo
      >>> JOBS[1].outputs
    """
    from fission.management.commands.network.interactive import interactive_command

    end(guard(lambda: interactive_command(find_root(project), net), debug=debug))
