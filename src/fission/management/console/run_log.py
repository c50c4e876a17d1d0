"""Logs of a simulation or a run: a text file, the records for `fission logs`, and the observers that feed them."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fission.cluster.state import NodeRecord
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.client.views import JobPlace
from fission.engine.protocol.interfaces import JobSaid
from fission.engine.protocol.job_report import JobReport
from fission.errors import ProjectError
from fission.management.console.job_console import JobConsole
from fission.management.console.log_files import DegradingFileHandler
from fission.management.console.records import LOG_NAME, Record, RecordFile
from fission.management.console.run_console import ClusterConsole
from fission.placement import Placement
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log

_CLIENT = ("client", 0)
"""Default node and incarnation of a record."""


class SimulationLog:
    """A `Watcher` that passes events to the console, the log file and the records.

    `source` names the origin of records that belong to no job.
    """

    def __init__(
        self,
        network: Network,
        console: JobConsole,
        log: logging.Logger,
        records: RecordFile,
        *,
        run: str,
        source: str = "simulate",
    ) -> None:
        self._names = {job.id: job.name for job in network.jobs}
        self._console = console
        self._log = log
        self._records = records
        self._run = run
        self._source = source

    def information(self, places: Sequence[JobPlace]) -> None:
        """Log the list of jobs with their addresses; the debug window shows it, too."""
        for line in information_lines(places):
            self._note(None, logging.INFO, line)

    def line(self, job: int, line: OutputLine) -> None:
        """Pass on a line that a job printed."""
        self._line(job, line, _CLIENT)

    def log(self, job: int | None, level: int, text: str) -> None:
        """Pass on a message about a job or the network."""
        self._note(job, level, text, _CLIENT)
        self._console.log(job, level, text)

    def _line(self, job: int, line: OutputLine, place: tuple[str, int]) -> None:
        self._note(job, logging.INFO, line.text, place, line.stream)
        self._console.line(job, line)

    def _note(
        self, job: int | None, level: int, text: str, place: tuple[str, int] = _CLIENT, stream: str = "log"
    ) -> None:
        """Write to both logs. Lines that jobs print become records regardless of LOG_LEVEL."""
        if not self._log.isEnabledFor(level) and stream == "log":
            return
        name = self._source if job is None else self._names[job]
        self._log.log(level, "[%s] %s", name, text)
        node, incarnation = place
        self._records.put(Record(level, text, node, job or 0, name, incarnation, stream, self._run))

    def status(self, reports: dict[int, JobReport], seconds: float) -> None:
        """Pass on the counters of all jobs."""
        self._console.status(reports, seconds)


class RunLog(SimulationLog):
    """A `RunObserver` that passes events to the console, the log file and the records. Call `begin` first."""

    def __init__(
        self, network: Network, console: ClusterConsole, log: logging.Logger, records: RecordFile
    ) -> None:
        super().__init__(network, console, log, records, run="", source="run")
        self._cluster_console = console

    def begin(self, run: str) -> None:
        """Set the id of the run."""
        self._run = run

    def said(self, said: JobSaid) -> None:
        """Pass on a line that a job printed or logged."""
        place = ("client" if said.node == LOCAL else said.node, said.incarnation)
        match said.what:
            case OutputLine() as line:
                self._line(said.job, line, place)
            case Log(level, text):
                self._note(said.job, level, text, place)
                self._cluster_console.log(said.job, level, text)

    def nodes(self, nodes: Sequence[NodeRecord], missing: Mapping[str, str]) -> None:
        """Pass on the nodes that answered, and the reasons why others did not."""
        present = ", ".join(node.address for node in nodes)
        absent = ", ".join(f"{node} ({reason})" if reason else node for node, reason in missing.items())
        self._note(None, logging.INFO, f"nodes: {present}; missing: {absent}")
        self._cluster_console.nodes(nodes, missing)

    def news(self, job: int | None, text: str) -> None:
        """Pass on an ordinary event of a job or a node."""
        self._note(job, logging.INFO, text)
        self._cluster_console.news(job, text)

    def placed(self, placement: Placement) -> None:
        """Pass on the placement and its reasons."""
        for one in placement:
            self._note(one.job, logging.INFO, f"placed on {one.node}: {one.rule}")
        self._cluster_console.placed(placement)

    def progress(self, node: str, done: int, total: int) -> None:
        """Pass on the progress of a file transfer to a node."""
        self._cluster_console.progress(node, done, total)


def information_lines(places: Sequence[JobPlace]) -> list[str]:
    """Format the list 'Network Information'."""
    rows = [
        ("id", "name", "node", "address", "port"),
        *((str(one.id), one.name, one.node, one.ip or "-", str(one.port or "-")) for one in places),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = (zip(row, widths, strict=True) for row in rows)
    return [
        "Network Information:",
        *("  ".join(text.ljust(width) for text, width in row).rstrip() for row in cells),
    ]


@contextlib.contextmanager
def log_file(path: Path, level: str = "DEBUG") -> Iterator[logging.Logger]:
    """A log of its own for one simulation or run. Raises ProjectError."""
    try:
        handler = DegradingFileHandler(str(path), "w")
    except OSError as error:
        raise ProjectError(f"the log cannot be written: {error.strerror}", where=str(path)) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-8s %(message)s"))
    log = logging.Logger("fission.log", level)
    log.addHandler(handler)
    try:
        yield log
    finally:
        handler.close()


@contextlib.contextmanager
def record_file(folder: Path) -> Iterator[RecordFile]:
    """The records of one simulation or run, in `folder`; those of earlier ones become older files."""
    records = RecordFile(folder / LOG_NAME, by_run=True)
    try:
        yield records
    finally:
        records.close()
