"""Process that runs a network for `shell`: `python -m fission.management.shell.run JSON`."""

import json
import sys
from pathlib import Path
from typing import Any

from fission.engine.client.embedded import EmbeddedCluster, EmbeddedNode
from fission.engine.client.embedded_nodes import PlayedNodes
from fission.management.access.problems import load_valid
from fission.management.commands.cluster.run import RunOptions, run_network
from fission.management.console.exit_codes import exit_code_of
from fission.runtime.process_title import set_title


def command_line(
    root: Path, name: str, options: dict[str, bool], cluster: EmbeddedCluster | None
) -> list[str]:
    """Return the command that runs a network, on the nodes of a cluster if given."""
    words: dict[str, Any] = {"root": str(root), "name": name, "options": options}
    if cluster is not None:
        words["nodes"] = [[one.address, one.port, one.groups, one.plays] for one in cluster.nodes]
        words["client"] = None if cluster.client is None else str(cluster.client)
    return [sys.executable, "-m", "fission.management.shell.run", json.dumps(words)]


def main() -> None:
    """Run the network that the JSON argument describes."""
    words = json.loads(sys.argv[1])
    root = Path(words["root"])
    source = None
    if "nodes" in words:
        nodes = tuple(
            EmbeddedNode(address, port, tuple(groups), plays)
            for address, port, groups, plays in words["nodes"]
        )
        source = PlayedNodes(nodes, None if words["client"] is None else Path(words["client"]))

    def work() -> int:
        set_title("fission-run", f"fission: run {words['name']} in {root}")
        network = load_valid(root, words["name"], quiet=True)
        return run_network(network, root, RunOptions(quiet=True, source=source, **words["options"]))

    sys.exit(exit_code_of(work))


if __name__ == "__main__":
    main()
