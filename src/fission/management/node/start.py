"""The command line of the node service with checked options, for `fission-node`."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict

from fission.management.node.options import NodeOptions


def service_command(options: NodeOptions, versions: Mapping[str, str], *, lifeline: bool) -> list[str]:
    """Return the command; with a `lifeline` the service stops at the end of its stdin."""
    start = {**asdict(options), "versions": versions, "lifeline": lifeline}
    return [sys.executable, "-P", "-m", "fission.node", "--checked", json.dumps(start, default=str)]
