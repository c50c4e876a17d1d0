"""Run the chain once: `python -m benchmarks.wires KIND PROJECT`, KIND is one of KINDS.

Each job has an address for itself: of the loopback, or of a host of the lab. Its folder is PROJECT/wires/<id>.
"""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.wires import KINDS
from benchmarks.wires.chain import Chain, Place
from fission.core.network import Network
from fission.security.ephemeral import ephemeral_authority


async def carry(kind: str, project: Path) -> int:
    """Run the chain; return the exit code."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    sys.path.insert(0, os.fspath(project))
    from chain import config

    network, problems = Network.build("chain", config.JOBS)
    with tempfile.TemporaryDirectory(prefix="fb-wires-") as scratch, _places(kind, Path(scratch)) as places:
        chain = Chain(network, project, places)
        await chain.run()
    for text in (*problems, *chain.failures):
        print(text, file=sys.stderr)
    return 1 if chain.failures else 0


@contextmanager
def _places(kind: str, scratch: Path) -> Iterator[list[Place]]:
    """Where the three jobs run, and with which certificates."""
    tls = kind.endswith("tls")
    if not kind.startswith("hosts"):
        addresses = [f"127.0.0.{number}" for number in (2, 3, 4)]
        authority = ephemeral_authority(scratch, addresses)
        yield [Place(address, authority.node(address) if tls else None) for address in addresses]
        return
    from lab import Lab, unavailable

    if reason := unavailable():
        sys.exit(reason)
    with Lab(scratch / "lab", nodes=3) as lab:
        yield [
            Place(node.address, lab.certs / "nodes" / node.address if tls else None, node.space)
            for node in lab.nodes
        ]


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
        sys.exit(f"usage: python -m benchmarks.wires {'|'.join(KINDS)} PROJECT")
    sys.exit(asyncio.run(carry(sys.argv[1], Path(sys.argv[2]))))
