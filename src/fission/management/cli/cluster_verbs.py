"""Command line of the commands about a network on nodes: arguments, options and help."""

# ruff: noqa: D301, PLC0415 - \b is for the layout of the help; a command imports only what it needs

from pathlib import Path
from typing import Annotated

import typer

from fission.management.access.project_root import find_root
from fission.management.cli.durations import parse_duration
from fission.management.cli.log_options import parse_level, parse_since
from fission.management.cli.options import Debug, Net, Project, exit_with
from fission.management.console.exit_codes import exit_code_of, exit_code_of_run


def run(
    net: Net,
    embedded: Annotated[
        int,
        typer.Option(
            "--embedded",
            metavar="N",
            min=0,
            max=200,
            help="Run on N local node services instead of NODES.",
        ),
    ] = 0,
    dask: Annotated[
        str,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Run beside the workers of a Dask cluster: the address of its scheduler, tls://HOST:PORT.",
        ),
    ] = "",
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
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Place jobs as this plan says."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Stop what an earlier client left running and start again.")
    ] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="TIME",
            parser=parse_duration,
            help="How long to wait at the start for nodes that are needed. Default: without end on a terminal, else 1m.",
        ),
    ] = None,
    keep_files: Annotated[
        bool, typer.Option("--keep-files", help="Keep the files of the last run in the folders of the jobs.")
    ] = False,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Run in the background; return when all jobs run. See the command attach."
        ),
    ] = False,
    in_background: Annotated[bool, typer.Option("--in-background", hidden=True)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Run a network on its nodes.

    The network is checked first. Then the client connects to the nodes in NODES, sends them the files they lack, and
    starts the jobs. When a node dies, its jobs continue on other nodes. Local jobs run in NET/local. Ctrl+C stops all
    jobs on all nodes; a second Ctrl+C does not wait for them. A closed terminal does not end the network: `attach` shows it.
    If an earlier client left the network running, it is taken over.

    \b
      fission run demo
      fission run demo --embedded 3          on three local node services
      fission run demo --embedded 3 --for 10s
      fission run demo --dask tls://10.0.0.1:8786
      fission run demo --plan plan.json      jobs on the nodes of a plan
      fission run demo --detach              in the background
    """
    from fission.management.access.problems import load_valid
    from fission.management.commands.cluster.background import start_in_background
    from fission.management.commands.cluster.run import RunOptions, run_network
    from fission.runtime.process_title import set_title

    def work() -> int:
        root = find_root(project)
        if detach:
            return start_in_background(root, net)
        options = RunOptions(
            embedded,
            seconds,
            until_finished,
            fresh,
            quiet,
            wait,
            keep_files=keep_files,
            in_background=in_background,
            dask=dask,
        )
        set_title("fission-run", f"fission: run {net} in {root}")
        if not quiet:
            print(f"loads and checks {net}", flush=True)
        network = load_valid(root, net, quiet=quiet)
        if plan is not None:
            from fission.management.commands.cluster.planned import place_as_planned

            place_as_planned(network, plan, embedded=embedded > 0)
        return run_network(network, root, options)

    exit_with(exit_code_of_run(work, until_finished=until_finished, quiet=quiet, debug=debug))


def attach(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Show the console of a network that runs in the background, or whose terminal was closed.

    Its jobs, on a terminal, and what they print. Ctrl+C leaves; the network goes on.

    \b
      fission attach demo
    """
    from fission.management.commands.cluster.attach import attach_command

    exit_with(exit_code_of(lambda: attach_command(find_root(project), net), debug=debug))


def stop(
    net: Net,
    force: Annotated[bool, typer.Option("--force", help="Kill jobs that do not end in time.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Stop a running network.

    This also works when its client is gone and its jobs are still running.

    \b
      fission stop demo
    """
    from fission.management.commands.cluster.stop import stop_command

    exit_with(exit_code_of(lambda: stop_command(find_root(project), net, force=force), debug=debug))


def status(
    net: Net,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    pids: Annotated[
        bool,
        typer.Option("--pids", help="Show the process ids of jobs and node services, and their machines."),
    ] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Show the nodes, jobs and pipes of a running network.

    \b
      fission status demo
      fission status demo --json
      fission status demo --pids
    """
    from fission.management.commands.cluster.status import status_command

    exit_with(
        exit_code_of(lambda: status_command(find_root(project), net, as_json=as_json, pids=pids), debug=debug)
    )


def move(
    net: Net,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Id or name of the job.")],
    node: Annotated[
        str, typer.Argument(metavar="[NODE]", help="Address of the new node. Default: the best other node.")
    ] = "",
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Move a job to another node without loss.

    \b
      fission move demo 4 192.168.4.3
      fission move demo 4
    """
    from fission.management.commands.cluster.move import move_command

    exit_with(exit_code_of(lambda: move_command(find_root(project), net, job, node), debug=debug))


def drain(
    net: Net,
    node: Annotated[str, typer.Argument(metavar="NODE", help="Address of the node.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let the node accept jobs again.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Move all jobs away from a node without loss.

    The node gets no new jobs until --undo.

    \b
      fission drain demo 192.168.4.3
      fission drain demo 192.168.4.3 --undo
    """
    from fission.management.commands.cluster.move import drain_command

    exit_with(exit_code_of(lambda: drain_command(find_root(project), net, node, undo=undo), debug=debug))


def rebalance(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Move the jobs to the nodes where they would be placed now.

    \b
      fission rebalance demo
    """
    from fission.management.commands.cluster.move import rebalance_command

    exit_with(exit_code_of(lambda: rebalance_command(find_root(project), net), debug=debug))


def collect(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Copy the log of every node to NET/collection.

    The log of a node service has its own events and those of its jobs. The network may be running.

    \b
      fission collect demo
    """
    from fission.management.access.problems import load_valid
    from fission.management.commands.cluster.collect import collect_network

    def work() -> int:
        root = find_root(project)
        return collect_network(load_valid(root, net, quiet=True), root)

    exit_with(exit_code_of(work, debug=debug))


def reload(
    net: Net,
    job: Annotated[
        str, typer.Argument(metavar="[JOB]", help="Id or name of a job. Default: all whose code has changed.")
    ] = "",
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Give new code to the jobs of a running network.

    The jobs that use changed files are restarted one after the other, from their checkpoints: nothing is lost, nothing
    comes twice. If the new code of a job fails before its first round, its old code goes on.

    \b
      fission reload demo
      fission reload demo "Square 2"
    """
    from fission.management.commands.cluster.reload import reload_command

    exit_with(exit_code_of(lambda: reload_command(find_root(project), net, job), debug=debug))


def logs(
    net: Net,
    jobs: Annotated[
        list[str] | None,
        typer.Option("--job", "-j", metavar="JOB", help="Only this job, by id or name. Repeatable."),
    ] = None,
    level: Annotated[
        int | None,
        typer.Option("--level", metavar="LEVEL", parser=parse_level, help="Only this level and above."),
    ] = None,
    since: Annotated[
        float | None,
        typer.Option(
            "--since",
            metavar="TIME",
            parser=parse_since,
            help="Only records since then: 10m (ago), 14:30 or 2026-11-27 14:30.",
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log until Ctrl+C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Include earlier runs.")] = False,
    simulation: Annotated[bool, typer.Option("--simulation", help="Show the last simulation.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Show the output and the events of the jobs.

    The records of all jobs are merged by time. The network may be running.

    \b
      fission logs demo
      fission logs demo --job 3 --job "JoinJob 4" --since 10m
      fission logs demo --level warning --follow
    """
    from fission.management.commands.cluster.logs import RecordFilter, logs_command

    def work() -> int:
        return logs_command(
            find_root(project),
            net,
            RecordFilter(tuple(jobs or ()), level or 0, since or 0.0),
            simulation=simulation,
            follow=follow,
            as_json=as_json,
            whole=everything,
        )

    exit_with(exit_code_of(work, debug=debug))


def shell(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Open a command prompt for a network and its nodes.

    The prompt has the commands allocate, start, stop, status, senddata, removedata, reboot, startcluster, closecluster,
    clear, exit and help. It also reads commands from a pipe.

    \b
      fission shell demo
      echo status | fission shell demo
    """
    from fission.management.shell.shell import shell_command

    exit_with(exit_code_of(lambda: shell_command(find_root(project), net), debug=debug))
