"""`run`: run a network on its nodes, or on an embedded cluster of this machine."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fission.cluster import Outcome
from fission.core.network import Network
from fission.dask_cluster.source import DaskNodes
from fission.engine.client.embedded_command import embedded_commands
from fission.engine.client.embedded_nodes import EmbeddedNodes
from fission.engine.client.node_source import NodeSource
from fission.engine.client.open_run import OpenRun, open_run
from fission.engine.client.run import RunOutcome
from fission.engine.protocol.job_report import missing_output
from fission.errors import UserError
from fission.management.access.running_client import LOGS
from fission.management.access.signals import not_ignored
from fission.management.commands.cluster.debug import open_debug_window
from fission.management.console.nonblocking_output import OutputThread, nonblocking_output
from fission.management.console.run_console import ClusterConsole
from fission.management.console.run_log import RunLog, log_file, record_file
from fission.runtime.sockets.descriptors import raise_descriptor_limit

_NOBODY_READS = 1
WAIT_SECONDS = 60.0
"""Seconds for which a start without a terminal waits for nodes that are needed."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run.

    `embedded`: so many nodes on this machine; `fresh`: not to go on where an earlier client stopped; `wait`: seconds to wait at
    the start for nodes that are needed (None: the default); `stop`: take over what runs, and stop it; `keep_files`: leave in the
    jobs' folders what an earlier run has left there; `source`: where the nodes come from, if not from NODES;
    `dask`: the address of a Dask scheduler;
    `in_background`: the run continues when the reader of its output is gone.
    """

    embedded: int = 0
    seconds: float | None = None
    until_finished: bool = False
    fresh: bool = False
    quiet: bool = False
    wait: float | None = None
    stop: bool = False
    keep_files: bool = False
    source: NodeSource | None = None
    dask: str = ""
    in_background: bool = False


def run_network(network: Network, root: Path, options: RunOptions) -> int:
    """Run a network that has been checked; return the exit code of the command.

    0 when it finished, was ended with Ctrl+C or after the given time; 1 when it failed; 2 when it cannot start. With
    `until_finished` only a network that has finished gives 0. Raises FissionError before anything is started.
    """
    raise_descriptor_limit()
    with (
        open_run(
            network,
            root,
            source=_source(network, options),
            seconds=options.seconds,
            wait=_patience(options),
            fresh=options.fresh,
            stop=options.stop,
            keep_files=options.keep_files,
        ) as opened,
        log_file(root / network.settings.log_file, network.settings.log_level) as log,
        nonblocking_output() as output,
        ClusterConsole(opened.network, quiet=options.quiet) as console,
        record_file(opened.private / LOGS) as records,
    ):
        observer = RunLog(opened.network, console, log, records)
        outcome = asyncio.run(_run(opened, observer, output, options))
        code = _tell(opened.network, outcome, console, log, options)
        return _NOBODY_READS if output.broken and not output.discards else code


def _source(network: Network, options: RunOptions) -> NodeSource | None:
    """Return where the nodes come from; None for those of the network. Raises UserError."""
    if options.embedded and options.dask:
        raise UserError("--embedded and --dask exclude each other", where=f"network {network.name}")
    if options.embedded:
        return EmbeddedNodes(options.embedded, embedded_commands)
    scheduler = options.dask or network.settings.dask
    if scheduler and options.source is None:
        return DaskNodes(scheduler)
    return options.source


def _patience(options: RunOptions) -> float | None:
    """Return for how many seconds the start waits for nodes that are needed; None: without end."""
    if options.wait is not None:
        return options.wait
    return None if sys.stdout.isatty() else WAIT_SECONDS


async def _run(opened: OpenRun, observer: RunLog, output: OutputThread, options: RunOptions) -> RunOutcome:
    """Run until the end, a signal, or the loss of the reader of the output."""
    session = opened.begin(observer)
    if not options.stop and (note := open_debug_window(opened.network, simulation=False)):
        observer.news(None, note)
    loop = asyncio.get_running_loop()
    for number in not_ignored(signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, session.interrupt)
    detach = partial(_detach, opened.network.name, observer, output)
    for number in not_ignored(signal.SIGHUP):
        loop.add_signal_handler(number, detach)
    outlives = options.in_background or sys.stdout.isatty()
    output.when_broken(partial(_call_soon, loop, detach if outlives else session.interrupt))
    try:
        return await session.run()
    finally:
        output.when_broken(None)


def _detach(name: str, observer: RunLog, output: OutputThread) -> None:
    """Go on without a terminal: it was closed, or the command that has started the run in the background has returned."""
    if output.discards:
        return
    output.discard()
    with open(os.devnull, "r+b") as nothing:
        for file in (0, 1, 2):
            os.dup2(nothing.fileno(), file)
    observer.news(
        None, f"goes on without a terminal: fission attach {name} shows it, fission stop {name} ends it"
    )


def _call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(call)


def _tell(
    network: Network,
    outcome: RunOutcome,
    console: ClusterConsole,
    log: logging.Logger,
    options: RunOptions,
) -> int:
    end = outcome.end
    if any(report.incarnation for report in outcome.jobs.values()):
        console.summary(outcome.jobs, outcome.seconds)
    if end.failure is not None:
        if end.failure.traceback:
            console.error(end.failure.traceback.rstrip())
        console.error(f"error: {end.failure.message}")
        log.error("%s", end.failure.message)
        return end.exit_code
    finished = end.outcome is Outcome.FINISHED
    if options.until_finished and not finished:
        console.error(f"error: the network had not finished after {outcome.seconds:.1f} s")
        return 1
    if options.until_finished and (missing := missing_output(network, outcome.jobs)):
        console.error(f"error: {missing}")
        return 1
    if not finished and not any(report.incarnation for report in outcome.jobs.values()):
        console.say("stopped before the jobs were started")
    else:
        console.say(
            f"ran for {outcome.seconds:.1f} s: " + ("all jobs have finished" if finished else "stopped")
        )
    return end.exit_code
