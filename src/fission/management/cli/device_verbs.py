"""Command line of the commands for devices: deployment, certificates and the node service."""

# ruff: noqa: D301, PLC0415 - \b is for the layout of the help; a command imports only what it needs

from pathlib import Path
from typing import Annotated

import typer

from fission.core.network import Settings
from fission.management.cli.options import Debug, OptionalNet, Project, exit_with
from fission.management.console.exit_codes import exit_code_of


def certs(
    folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Folder of the certificates.")] = Path(
        "certs"
    ),
    nodes: Annotated[
        list[str] | None,
        typer.Option(
            "--node", metavar="ADDRESS", help="Address of a node; further names of it after commas."
        ),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="Days of validity.")] = 730,
    renew: Annotated[bool, typer.Option("--renew", help="Replace existing certificates.")] = False,
    list_only: Annotated[
        bool, typer.Option("--list", help="List the certificates and write nothing.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Create and list the certificates of a cluster.

    The authority, the client and each node get a certificate. Existing certificates are kept.

    \b
      fission certs --node 192.168.4.2 --node 192.168.4.3,pi3.local
      fission certs --list
    """
    from fission.management.commands.devices.certs import certs_command

    def work() -> int:
        return certs_command(folder, nodes=nodes or (), days=days, renew=renew, list_only=list_only)

    exit_with(exit_code_of(work, debug=debug))


def deploy(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[USER@]HOST...", help="Devices, as ssh names them."),
    ] = None,
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade", help="Replace another package; without HOST on all nodes of the node list."
        ),
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the node service.")] = False,
    data: Annotated[
        bool, typer.Option("--data", help="With --remove: also settings, certificate and files of networks.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check, and print what would be done.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Carry all wheels, for devices without internet.")
    ] = False,
    packages: Annotated[
        list[str] | None,
        typer.Option("--package", metavar="NAME", help="Python package that jobs import. May be repeated."),
    ] = None,
    groups: Annotated[str, typer.Option("--groups", metavar="A,B", help="Groups of these nodes.")] = "",
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port of the node service.")
    ] = Settings().node_port,
    certificates: Annotated[
        Path | None,
        typer.Option(
            "--certs", metavar="DIR", help="Folder of the certificates. Default: certs in the project."
        ),
    ] = None,
    node_list: Annotated[
        Path | None,
        typer.Option("--nodes", metavar="FILE", help="The node list. Default: nodes.csv in the project."),
    ] = None,
    ask_password: Annotated[
        bool, typer.Option("--ask-sudo-password", help="Ask for the sudo password of the devices.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Install the node service on devices over ssh.

    Each device gets the version of FISSION that runs here, in a virtual environment, a certificate made here, and
    fission.service, which starts at boot. A second run changes nothing. The nodes are added to the node list, which NODES
    in config.py can name. With --upgrade under a running network, one node after another is drained, upgraded and used
    again. Outside of a project certificates and node list are in the working directory.

    \b
      fission deploy pi@192.168.4.2 pi@192.168.4.3
      fission deploy --offline --groups roof,lab pi@192.168.4.4
      fission deploy --upgrade
      fission deploy --remove pi@192.168.4.2
    """
    from fission.deployment.deployment import Plan
    from fission.errors import UserError
    from fission.management.access.project_root import find_home
    from fission.management.commands.devices.deploy import DeployOptions, deploy_command

    def work() -> int:
        if remove and upgrade:
            raise UserError("--remove and --upgrade cannot be combined")
        if data and not remove:
            raise UserError("--data is for --remove")
        root, home = find_home(project)
        names = tuple(filter(None, (name.strip() for name in groups.split(","))))
        options = DeployOptions(
            Plan(port, tuple(packages or ()), names, offline=offline),
            certificates or home / "certs",
            node_list or home / "nodes.csv",
            root,
            upgrade=upgrade,
            remove=remove,
            data=data,
            dry_run=dry_run,
            as_json=as_json,
            ask_password=ask_password,
        )
        return deploy_command(hosts or (), options)

    exit_with(exit_code_of(work, debug=debug))


def doctor(
    net: OptionalNet = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Find out what is wrong with this machine, or with the nodes of a network.

    With NET all its nodes are checked, also while it runs: names, ports, firewalls, clocks, versions, certificates, disks,
    memory, groups, and the ways from each node to each other one. Without NET only this machine. Each problem comes with
    what helps. The exit code is 0 if no check has failed (there may be warnings), else 1.

    \b
      fission doctor
      fission doctor demo
      fission doctor demo --json
    """
    from fission.management.commands.doctor.command import doctor_command

    exit_with(exit_code_of(lambda: doctor_command(project, net, as_json=as_json), debug=debug))


def nodes(
    net: OptionalNet = None,
    discover: Annotated[
        bool, typer.Option("--discover", help="List the nodes that announce themselves in the local network.")
    ] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="N", min=0.5, max=60, help="Time of the search.")
    ] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the nodes as JSON.")] = False,
    certificates: Annotated[
        Path | None,
        typer.Option(
            "--certs", metavar="DIR", help="Folder of the certificates. Default: certs in the project."
        ),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Show the nodes of a running network, or those that announce themselves in the local network.

    Of a running network: where each comes from, its load and its jobs.

    Nodes announce themselves with fission-node --announce. Anybody can announce anything: the column authority says what a
    handshake with the node has shown. "ours" has a certificate of the authority here.

    \b
      fission nodes demo
      fission nodes demo --json
      fission nodes --discover
      fission nodes --discover --seconds 10 --json
    """
    from fission.errors import UserError
    from fission.management.access.project_root import find_home, find_root
    from fission.management.commands.cluster.nodes import nodes_command
    from fission.management.commands.devices.nodes import discover_command

    def work() -> int:
        if discover == (net is not None):
            raise UserError("say which nodes to list", hint="fission nodes NET, or fission nodes --discover")
        if net is not None:
            return nodes_command(find_root(project), net, as_json=as_json)
        return discover_command(certificates or find_home(project)[1] / "certs", seconds, as_json=as_json)

    exit_with(exit_code_of(work, debug=debug))


def pair(
    host: Annotated[str, typer.Argument(metavar="HOST", help="Address or name of the device.")],
    code: Annotated[
        str,
        typer.Option("--code", metavar="CODE", help="The code that the device shows. Default: ask for it."),
    ] = "",
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port of the node service.")
    ] = Settings().node_port,
    certificates: Annotated[
        Path | None,
        typer.Option(
            "--certs", metavar="DIR", help="Folder of the certificates. Default: certs in the project."
        ),
    ] = None,
    node_list: Annotated[
        Path | None,
        typer.Option("--nodes", metavar="FILE", help="Add the node to this node list, such as nodes.csv."),
    ] = None,
    project: Project = None,
    debug: Debug = False,
) -> None:
    """Give a new device its certificate.

    On the device fission-node --pair shows a code. This command asks for it, makes a certificate and sends it, encrypted. Then
    the device serves as a node. Nobody without the code learns or changes anything.

    \b
      fission pair 192.168.4.2
      fission pair pi3.local --nodes nodes.csv
    """
    from fission.management.access.project_root import find_home
    from fission.management.commands.devices.pair import PairOptions, pair_command

    def work() -> int:
        certs = certificates or find_home(project)[1] / "certs"
        return pair_command(host, PairOptions(port, certs, code, node_list))

    exit_with(exit_code_of(work, debug=debug))


def node(
    address: Annotated[
        str | None,
        typer.Option(
            "--address", metavar="IP", help="Address to listen on. Default: the address of the default route."
        ),
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on. Default: 8785.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name in tables. Default: the host name.")
    ] = None,
    slots: Annotated[
        int | None, typer.Option("--slots", help="Number of jobs at once. Default: the number of CPUs.")
    ] = None,
    groups: Annotated[
        str | None, typer.Option("--groups", metavar="A,B", help="Groups of this node.")
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(
            "--certs",
            metavar="DIR",
            help="Folder with the certificate of this node. Default: /etc/fission/certs.",
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Folder for files. Default: ~/.local/share/fission."),
    ] = None,
    security: Annotated[
        str | None,
        typer.Option(
            "--security", metavar="tls|off", help="off: no encryption and no authentication. Default: tls."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="TOML file with these options; the command line takes precedence.",
        ),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            "--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING, ERROR or CRITICAL. Default: INFO."
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="plain|json", help="Format of the log on stderr. Default: plain."),
    ] = None,
    allow_reboot: Annotated[
        bool, typer.Option("--allow-reboot", help="Allow clients to reboot this device.")
    ] = False,
    reboot_command: Annotated[
        str | None,
        typer.Option(
            "--reboot-command", metavar="COMMAND", help="Command that reboots. Default: systemctl reboot."
        ),
    ] = None,
    announce: Annotated[
        bool, typer.Option("--announce", help="Announce this node in the local network (mDNS).")
    ] = False,
    pair: Annotated[
        bool, typer.Option("--pair", help="Show a code and get a certificate first: fission pair HOST.")
    ] = False,
    lifeline: Annotated[bool, typer.Option("--lifeline", help="Stop when stdin is closed.")] = False,
    debug: Debug = False,
) -> None:
    """Run the node service, which runs jobs for clients on this device.

    A device needs one service for all networks, and no project. Clients find it by its address in NODES. SIGTERM or
    Ctrl+C stops it cleanly, a second one immediately.

    \b
      fission node --certs certs/nodes/192.168.4.2
      fission-node --address 192.168.4.2 --groups roof,lab --slots 2
      fission-node --config /etc/fission/node.toml --log json
      fission-node --pair
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
        "announce": announce or None,
    }
    exit_with(exit_code_of(lambda: node_command(given, config, lifeline=lifeline, pair=pair), debug=debug))
