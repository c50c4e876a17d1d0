"""The commands about a network that runs on nodes, as they are typed; see `verbs`."""

# ruff: noqa: D301, PLC0415 - \b is for the layout of the help; a command imports only what it needs

from typing import Annotated

import typer

from fission.management.access.project_root import find_root
from fission.management.cli.durations import parse_duration
from fission.management.cli.log_options import parse_level, parse_since
from fission.management.cli.options import Debug, Net, Project, end
from fission.management.console.guard import guard, guard_run


def run(
    net: Net,
    embedded: Annotated[
        int,
        typer.Option(
            "--embedded",
            metavar="N",
            min=0,
            max=200,
            help="Run on N nodes that this machine plays, without NODES.",
        ),
    ] = 0,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for", metavar="TIME", parser=parse_duration, help="Stop after 10s, 500ms, 2m or 1h30m."
        ),
    ] = None,
    until_finished: Annotated[
        bool,
        typer.Option("--until-finished", help="Exit code 1 unless all jobs have finished by themselves."),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew: end what an earlier client has left running.")
    ] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait", metavar="TIME", parser=parse_duration, help="How long to wait for nodes at the start."
        ),
    ] = None,
    keep_files: Annotated[
        bool, typer.Option("--keep-files", help="Leave in the jobs' folders what the last run has left.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Run a network on its nodes.

    The network is checked first. Then the nodes in NODES are asked to join; files go to them, jobs start, and when
    a node dies its jobs go on elsewhere. Local jobs run in NET/local. Ctrl+C stops everything everywhere, a second
    one does not wait. A network that an earlier client has left running is taken over.

    \b
      fission run demo
      fission run demo --embedded 3          on three nodes that this machine plays
      fission run demo --embedded 3 --for 10s
    """
    from fission.management.access.problems import load_sound
    from fission.management.commands.cluster.run import RunOptions, run_network

    def work() -> int:
        root = find_root(project)
        options = RunOptions(embedded, seconds, until_finished, fresh, quiet, wait, keep_files=keep_files)
        return run_network(load_sound(root, net, quiet=quiet), root, options)

    end(guard_run(work, until_finished=until_finished, quiet=quiet, debug=debug))


def stop(
    net: Net,
    force: Annotated[bool, typer.Option("--force", help="Do not wait for jobs that do not end.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Stop a running network from another terminal.

    Also one whose client is gone and whose jobs run on.

    \b
      fission stop demo
    """
    from fission.management.commands.cluster.stop import stop_command

    end(guard(lambda: stop_command(find_root(project), net, force=force), debug=debug))


def status(
    net: Net,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Tell what runs where, from another terminal.

    \b
      fission status demo
      fission status demo --json
    """
    from fission.management.commands.cluster.status import status_command

    end(guard(lambda: status_command(find_root(project), net, as_json=as_json), debug=debug))


def move(
    net: Net,
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id or name.")],
    node: Annotated[
        str, typer.Argument(metavar="[NODE]", help="Where to; the best other node by default.")
    ] = "",
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Move a job to another node, without loss.

    \b
      fission move demo 4 192.168.4.3
      fission move demo 4
    """
    from fission.management.commands.cluster.move import move_command

    end(guard(lambda: move_command(find_root(project), net, job, node), debug=debug))


def drain(
    net: Net,
    node: Annotated[str, typer.Argument(metavar="NODE", help="Its address.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let it take jobs again.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Move all jobs away from a node, without loss.

    It gets no new ones until it joins anew, or `--undo`.

    \b
      fission drain demo 192.168.4.3
      fission drain demo 192.168.4.3 --undo
    """
    from fission.management.commands.cluster.move import drain_command

    end(guard(lambda: drain_command(find_root(project), net, node, undo=undo), debug=debug))


def rebalance(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Move the jobs to where they would be placed now.

    \b
      fission rebalance demo
    """
    from fission.management.commands.cluster.move import rebalance_command

    end(guard(lambda: rebalance_command(find_root(project), net), debug=debug))


def collect(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Copy the log of every node to NET/collection.

    Also while the network runs. A log has what the node service did, and what became of its jobs.

    \b
      fission collect demo
    """
    from fission.management.access.problems import load_sound
    from fission.management.commands.cluster.collect import collect_network

    def work() -> int:
        root = find_root(project)
        return collect_network(load_sound(root, net, quiet=True), root)

    end(guard(work, debug=debug))


def logs(
    net: Net,
    jobs: Annotated[
        list[str] | None,
        typer.Option("--job", "-j", metavar="JOB", help="Only this job, by id or name; several times."),
    ] = None,
    level: Annotated[
        int | None, typer.Option("--level", metavar="LEVEL", parser=parse_level, help="From this level on.")
    ] = None,
    since: Annotated[
        float | None,
        typer.Option(
            "--since", metavar="TIME", parser=parse_since, help="From 10m ago, 14:30 or 2026-11-27 14:30 on."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl+C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object per line.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also of earlier runs, as far as kept.")] = False,
    simulation: Annotated[bool, typer.Option("--simulation", help="Of the last simulation.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Show what the jobs have printed, and what happened to them.

    All jobs in the order of time, while the network runs and afterwards.

    \b
      fission logs demo
      fission logs demo --job 3 --job "JoinJob 4" --since 10m
      fission logs demo --level warning --follow
    """
    from fission.management.commands.cluster.logs import Wanted, logs_command

    def work() -> int:
        return logs_command(
            find_root(project),
            net,
            Wanted(tuple(jobs or ()), level or 0, since or 0.0),
            simulation=simulation,
            follow=follow,
            as_json=as_json,
            whole=everything,
        )

    end(guard(work, debug=debug))


def shell(net: Net, project: Project = None, debug: Debug = False) -> None:
    """Open a prompt for a network: start, status, stop, and what its nodes need.

    The commands there are allocate, start, stop, status, senddata, removedata, reboot, startcluster, closecluster,
    clear, exit and help. Lines may also come from a pipe.

    \b
      fission shell demo
      echo status | fission shell demo
    """
    from fission.management.shell.shell import shell_command

    end(guard(lambda: shell_command(find_root(project), net), debug=debug))
