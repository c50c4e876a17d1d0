"""The log file of a simulation or a run, and who tells both it and the console."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from fission.cluster.board import NodeRecord
from fission.core.network import Network
from fission.engine.reports import JobReport
from fission.errors import ProjectError
from fission.management._console import RunConsole
from fission.management._run_console import ClusterConsole
from fission.placement import Placement
from fission.runtime.supervisor import OutputLine


class SimulationLog:
    """A `Watcher` that tells the console and the log file; `who` is what speaks where no job does."""

    def __init__(
        self, network: Network, console: RunConsole, log: logging.Logger, who: str = "simulate"
    ) -> None:
        self._names = {job.id: job.name for job in network.jobs}
        self._console = console
        self._log = log
        self._who = who

    def line(self, job: int, line: OutputLine) -> None:
        """A job wrote a line."""
        self._log.info("[%s] %s", self._names[job], line.text)
        self._console.line(job, line)

    def log(self, job: int | None, level: int, text: str) -> None:
        """Something worth a line in the log happened."""
        self._log.log(level, "[%s] %s", self._who if job is None else self._names[job], text)
        self._console.log(job, level, text)

    def status(self, reports: dict[int, JobReport], seconds: float) -> None:
        """How far every job is."""
        self._console.status(reports, seconds)


class RunLog(SimulationLog):
    """A `RunWatcher` that tells the console and the log file."""

    def __init__(self, network: Network, console: ClusterConsole, log: logging.Logger) -> None:
        super().__init__(network, console, log, "run")
        self._cluster_console = console

    def nodes(self, nodes: Sequence[NodeRecord], missing: Sequence[str]) -> None:
        """The nodes that have answered, and the addresses of those that have not."""
        self._log.info(
            "[run] nodes: %s; missing: %s", ", ".join(node.address for node in nodes), ", ".join(missing)
        )
        self._cluster_console.nodes(nodes, missing)

    def news(self, job: int | None, text: str) -> None:
        """Something happened to a job or a node that is no reason to worry."""
        self._log.info("[%s] %s", self._who if job is None else self._names[job], text)
        self._cluster_console.news(job, text)

    def placed(self, placement: Placement) -> None:
        """Where the jobs go, and why."""
        for one in placement:
            self._log.info("[%s] goes to %s: %s", one.name, one.node, one.rule)
        self._cluster_console.placed(placement)

    def progress(self, node: str, done: int, total: int) -> None:
        """So many bytes of the files that a node needs have arrived."""
        self._cluster_console.progress(node, done, total)


@contextlib.contextmanager
def log_file(path: Path, level: str = "DEBUG") -> Iterator[logging.Logger]:
    """A log of its own for one simulation or run. Raises ProjectError."""
    try:
        handler = logging.FileHandler(path, mode="w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ProjectError(f"the log cannot be written: {error.strerror}", where=str(path)) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-8s %(message)s"))
    log = logging.Logger("fission.log", level)
    log.addHandler(handler)
    try:
        yield log
    finally:
        handler.close()
