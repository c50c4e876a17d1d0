"""`interactive`: open a Python console with a network."""

import code
import contextlib
import sys
from functools import partial
from pathlib import Path

from fission.api import run, simulate
from fission.core.network import Network
from fission.emulate import emulate
from fission.management.access.problems import describe, load_and_check, show_problems


def interactive_command(root: Path, name: str) -> int:
    """Open the console, also for a network with errors. Raises ProjectError and ConfigError."""
    network, problems = load_and_check(root, name)
    show_problems(problems, sys.stderr)
    names = namespace(network)
    with contextlib.suppress(ImportError):
        _complete_with_tab(names)
    with contextlib.suppress(SystemExit):
        code.interact(
            f"{describe(network)}\nNames: {', '.join(names)}. Ctrl+D exits.", local=names, exitmsg=""
        )
    return 0


def namespace(network: Network) -> dict[str, object]:
    """Return the names in the console: the network, its parts by id, address or name, and what it can do."""
    groups = dict.fromkeys(group for node in network.nodes for group in node.groups)
    return {
        "network": network,
        "JOBS": {job.id: job for job in network.jobs},
        "PIPES": {pipe.id: pipe for job in network.jobs for pipe in [*job.inputs, *job.outputs]},
        "NODES": {node.ip: node for node in network.nodes},
        "GROUPS": {group: [node for node in network.nodes if group in node.groups] for group in groups},
        "emulate": partial(emulate, network=network),
        "simulate": partial(simulate, network),
        "run": partial(run, network),
    }


def _complete_with_tab(names: dict[str, object]) -> None:
    import readline  # noqa: PLC0415 - not every Python has it
    import rlcompleter  # noqa: PLC0415

    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
