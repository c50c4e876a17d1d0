"""What every peer is: a way to send blocks into a pipe and to take them out; and the three roles."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from benchmarks.probe.process import Report, die_with_parent
from benchmarks.probe.sink import Sink
from benchmarks.probe.source import Source
from benchmarks.workloads import Plan

ROLES = ("source", "forward", "sink")
FOLDERS = {"source": "1", "forward": "2", "sink": "3"}
"""Working directory of each role under the run's folder; FISSION names the folders of its jobs like that."""


class Peer(Protocol):
    """One way to carry blocks. Pipe 1 leads from source to forward, pipe 2 from forward to sink."""

    def send(self, pipe: int, blocks: Iterable[Any]) -> None:
        """Send every block, then the end of the stream; return when all has been handed over for good."""

    def receive(self, pipe: int) -> Iterator[Any]:
        """Yield the blocks until the end of the stream. The receiver may keep and change them."""


def play(peer: Peer, role: str, plan: Plan, folder: Path) -> None:
    """Be one role of the chain from beginning to end; leaves report.json in `folder`/`FOLDERS[role]`."""
    die_with_parent()
    report = Report()
    own = folder / FOLDERS[role]
    own.mkdir(exist_ok=True)
    os.chdir(own)
    figures: dict[str, float] = {}
    if role == "source":
        source = Source(plan)
        peer.send(1, source.blocks())
        figures = source.result()
    elif role == "forward":
        peer.send(2, peer.receive(1))
    else:
        sink = Sink(plan)
        take = sink.take
        for block in peer.receive(2):
            take(block)
        figures = sink.result()
    report.write(figures)
