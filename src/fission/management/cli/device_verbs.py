"""The commands for devices, as they are typed: their certificates, and the service that runs on them; see `verbs`."""

# ruff: noqa: D301, PLC0415 - \b is for the layout of the help; a command imports only what it needs

from pathlib import Path
from typing import Annotated

import typer

from fission.management.cli.options import Debug, end
from fission.management.console.guard import guard


def certs(
    folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where they are kept.")] = Path(
        "certs"
    ),
    nodes: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="ADDRESS", help="A node: its address; further names after commas."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="How long they are valid.")] = 730,
    renew: Annotated[bool, typer.Option("--renew", help="Replace the certificates that are there.")] = False,
    list_only: Annotated[bool, typer.Option("--list", help="Only list; write nothing.")] = False,
    debug: Debug = False,
) -> None:
    """Make the certificates of a cluster, and list them.

    One for the authority, one for the client, one for each node. What is there stays as it is.

    \b
      fission certs --node 192.168.4.2 --node 192.168.4.3,pi3.local
      fission certs --list
    """
    from fission.management.commands.devices.certs import certs_command

    def work() -> int:
        return certs_command(folder, nodes=nodes or (), days=days, renew=renew, list_only=list_only)

    end(guard(work, debug=debug))


def node(
    address: Annotated[
        str | None,
        typer.Option(
            "--address", metavar="IP", help="Serve at this address; by default that of the default route."
        ),
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="By default 8785.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="For people; by default the host's name.")
    ] = None,
    slots: Annotated[
        int | None, typer.Option("--slots", help="Jobs at once; by default the number of CPUs.")
    ] = None,
    groups: Annotated[
        str | None, typer.Option("--groups", metavar="A,B", help="Groups that this node belongs to.")
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(
            "--certs", metavar="DIR", help="This node's certificate; by default /etc/fission/certs."
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Where files go; by default ~/.local/share/fission."),
    ] = None,
    security: Annotated[
        str | None,
        typer.Option("--security", metavar="tls|off", help="off: clear text, for trusted cables only."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="A TOML file with these options; those here go first."),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR.")
    ] = None,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="plain|json", help="Lines for people, or JSON, on stderr."),
    ] = None,
    allow_reboot: Annotated[
        bool, typer.Option("--allow-reboot", help="Let clients start this device anew.")
    ] = False,
    reboot_command: Annotated[
        str | None,
        typer.Option("--reboot-command", metavar="COMMAND", help="How; systemctl reboot by default."),
    ] = None,
    lifeline: Annotated[bool, typer.Option("--lifeline", help="End when stdin is closed.")] = False,
    debug: Debug = False,
) -> None:
    """Run the node service: it runs the jobs that clients send to this device.

    One per device, the same for every network; it needs no project. A client finds it by its address in NODES.
    It ends cleanly on SIGTERM or Ctrl+C, and at once on a second one.

    \b
      fission node --certs certs/nodes/192.168.4.2
      fission-node --address 192.168.4.2 --groups roof,lab --slots 2
      fission-node --config /etc/fission/node.toml --log json
    """
    from fission.management.node.command import node_command

    given = {
        "address": address,
        "port": port,
        "name": name,
        "slots": slots,
        "groups": groups,
        "certs": certificates,
        "root": root,
        "security": security,
        "log_level": log_level,
        "log": log,
        "allow_reboot": allow_reboot or None,
        "reboot_command": reboot_command,
    }
    end(guard(lambda: node_command(given, config, lifeline=lifeline), debug=debug))
