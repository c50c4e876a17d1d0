"""`simulate` and `run`: handles to networks that a program starts."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fission.api.backends import Backend, ClusterBackend, SimulationBackend
from fission.api.handle import Handle
from fission.api.networks import Source, as_network, require_valid
from fission.api.session import Session
from fission.api.streams import BlockStream
from fission.core.network import Network
from fission.core.nodes import BaseNode
from fission.dask_cluster.source import DaskNodes
from fission.engine.client.embedded_command import embedded_commands
from fission.engine.client.embedded_nodes import EmbeddedNodes
from fission.engine.client.node_source import NodeSource
from fission.errors import UserError

__all__ = ["run", "simulate"]

WAIT_SECONDS = 60.0
"""Seconds for which a start waits for nodes that are needed."""


def simulate(
    network: Source,
    *,
    pipes: Iterable[int] = (),
    seconds: float | None = None,
    folder: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Handle:
    """Return the handle of a network that runs on this machine, with every job in a process of its own.

    `network` is a `Network`, a list of jobs, or the path of a network's folder, an XML or a JSON file. The jobs that read `pipes`
    share them with the program (see `Handle.pipe`). It ends after `seconds`. A network of the program keeps its files in
    `folder`, by default a temporary one. With `quiet` nothing is printed. Raises FissionError when the network cannot run.
    """
    return _handle(network, SimulationBackend(seconds=seconds), pipes, folder, quiet=quiet)


def run(
    network: Source,
    *,
    nodes: Iterable[str | BaseNode] | None = None,
    embedded: int = 0,
    dask: Any = None,
    pipes: Iterable[int] = (),
    seconds: float | None = None,
    wait: float | None = WAIT_SECONDS,
    fresh: bool = False,
    certs: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Handle:
    """Return the handle of a network that runs on nodes; see `simulate` for the parameters that both have.

    The nodes are `nodes`, addresses or `BaseNode`s, in the place of those of the network; or `embedded` ones on this machine;
    or beside the workers of `dask`, the address of a scheduler, or a `Cluster` or `Client` of Dask.
    The start waits up to `wait` seconds (None: without end) for nodes that are needed. `fresh` ignores what an
    interrupted run has left. `certs` is the folder with the client's certificate. Raises FissionError when the network
    cannot run.
    """
    if (nodes is not None) + (embedded != 0) + (dask is not None) > 1:
        raise UserError("nodes, embedded and dask exclude each other", where="run", hint="Give one of them")
    if embedded < 0:
        raise UserError(
            "wrong number of nodes", where="run, embedded", expected="1 or more", found=str(embedded)
        )
    made = as_network(network)
    if nodes is not None:
        entries = tuple(BaseNode(one) if isinstance(one, str) else one for one in nodes)
        made = replace(made, nodes=entries)
    if certs is not None:
        made = replace(made, settings=replace(made.settings, certs=os.fspath(Path(certs).absolute())))
    scheduler = dask or (made.settings.dask if nodes is None and not embedded else None)
    if not made.nodes and not embedded and not scheduler:
        raise UserError(
            "there are no nodes",
            where=f"network {made.name}",
            hint='Give them, run(network, nodes=["10.0.0.2"]), or play them on this machine: embedded=3',
        )
    source: NodeSource | None = EmbeddedNodes(embedded, embedded_commands) if embedded else None
    if scheduler:
        source = DaskNodes(scheduler)
    backend = ClusterBackend(source=source, seconds=seconds, wait=wait, fresh=fresh)
    return _handle(made, backend, pipes, folder, quiet=quiet)


def _handle(
    source: Source,
    backend: Backend,
    pipes: Iterable[int],
    folder: str | os.PathLike[str] | None,
    *,
    quiet: bool,
) -> Handle:
    network: Network = as_network(source)
    require_valid(network)
    place = None if folder is None else Path(folder).absolute()
    if place is not None and network.folder:
        raise UserError(
            "the network has a folder already", where=f"network {network.name}", found=network.folder
        )
    streams = {}
    for id in pipes:
        network.edge(id)
        streams[id] = BlockStream(id)
    return Handle(network, lambda: Session(network, backend, folder=place, quiet=quiet), pipes=streams)
