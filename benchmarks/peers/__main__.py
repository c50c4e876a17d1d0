"""Start one peer's chain: `python -m benchmarks.peers NAME FOLDER`, with the plan in the environment.

The process starts the three roles, waits for them and ends with 1 if one failed. The roles die with it.
"""

import importlib
import os
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

from benchmarks.peers.base import ROLES, Peer, play
from benchmarks.probe.process import die_with_parent
from benchmarks.workloads import PLAN_VARIABLE, Plan

PEERS = {
    "bare": ("benchmarks.peers.bare", "BarePeer"),
    "bare-batched": ("benchmarks.peers.bare_batched", "BareBatchedPeer"),
    "pyzmq": ("benchmarks.peers.zeromq", "ZeroMQPeer"),
    "mp-queue": ("benchmarks.peers.mp", "QueuePeer"),
    "mp-pipe": ("benchmarks.peers.mp", "PipePeer"),
}


def main(arguments: list[str]) -> int:
    """Start the chain (two arguments) or be one role of it (a third one)."""
    name, folder = arguments[0], Path(arguments[1])
    plan = Plan.from_text(os.environ[PLAN_VARIABLE])
    module, attribute = PEERS[name]
    if len(arguments) == 3:
        play(getattr(importlib.import_module(module), attribute)(folder, plan), arguments[2], plan, folder)
        return 0
    die_with_parent()
    return spawn(module, attribute, plan, folder) if name.startswith("mp-") else start(name, folder)


def start(name: str, folder: Path) -> int:
    """Start the roles as three fresh interpreters; the receivers first."""
    command = [sys.executable, "-m", "benchmarks.peers", name, str(folder)]
    roles = [subprocess.Popen([*command, role]) for role in reversed(ROLES)]
    codes = [role.wait() for role in roles]
    return int(any(codes))


def spawn(module: str, attribute: str, plan: Plan, folder: Path) -> int:
    """Start the roles through multiprocessing, which alone can hand its queues and pipes to them."""
    context = get_context("spawn")
    peer: Peer = getattr(importlib.import_module(module), attribute)(context, plan)
    roles = [context.Process(target=play, args=(peer, role, plan, folder)) for role in ROLES]
    for role in roles:
        role.start()
    for role in roles:
        role.join()
    return int(any(role.exitcode for role in roles))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
