"""The logs of a simulation or a run (one for people, one for programs), and who tells both them and the console."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fission.cluster.state import NodeRecord
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.client.records import LOG_NAME, Record, RecordFile
from fission.engine.client.views import JobPlace
from fission.engine.protocol.interfaces import JobSaid
from fission.engine.protocol.job_report import JobReport
from fission.errors import ProjectError
from fission.management.console.job_console import RunConsole
from fission.management.console.run_console import ClusterConsole
from fission.placement import Placement
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log

_CLIENT = ("client", 0)
"""Where a record comes from, and which incarnation of its job, if nothing else is known."""


class SimulationLog:
    """A `Watcher` that tells the console, the log file and the records; `who` is what speaks where no job does."""

    def __init__(
        self,
        network: Network,
        console: RunConsole,
        log: logging.Logger,
        records: RecordFile,
        *,
        run: str,
        who: str = "simulate",
    ) -> None:
        self._names = {job.id: job.name for job in network.jobs}
        self._console = console
        self._log = log
        self._records = records
        self._run = run
        self._who = who

    def information(self, places: Sequence[JobPlace]) -> None:
        """Where the jobs work, in the logs and so in the debug window."""
        for line in information_lines(places):
            self._note(None, logging.INFO, line)

    def line(self, job: int, line: OutputLine) -> None:
        """A job wrote a line."""
        self._line(job, line, _CLIENT)

    def log(self, job: int | None, level: int, text: str) -> None:
        """Something worth a line in the log happened."""
        self._note(job, level, text, _CLIENT)
        self._console.log(job, level, text)

    def _line(self, job: int, line: OutputLine, place: tuple[str, int]) -> None:
        self._note(job, logging.INFO, line.text, place, line.stream)
        self._console.line(job, line)

    def _note(
        self, job: int | None, level: int, text: str, place: tuple[str, int] = _CLIENT, stream: str = "log"
    ) -> None:
        """Write into both logs; what jobs print is among the records whatever LOG_LEVEL says."""
        if not self._log.isEnabledFor(level) and stream == "log":
            return
        name = self._who if job is None else self._names[job]
        self._log.log(level, "[%s] %s", name, text)
        node, incarnation = place
        self._records.put(Record(level, text, node, job or 0, name, incarnation, stream, self._run))

    def status(self, reports: dict[int, JobReport], seconds: float) -> None:
        """How far every job is."""
        self._console.status(reports, seconds)


class RunLog(SimulationLog):
    """A `RunObserver` that tells the console, the log file and the records; `begin` first."""

    def __init__(
        self, network: Network, console: ClusterConsole, log: logging.Logger, records: RecordFile
    ) -> None:
        super().__init__(network, console, log, records, run="", who="run")
        self._cluster_console = console

    def begin(self, run: str) -> None:
        """Say which run it is."""
        self._run = run

    def said(self, said: JobSaid) -> None:
        """A job wrote or logged a line."""
        place = ("client" if said.node == LOCAL else said.node, said.incarnation)
        match said.what:
            case OutputLine() as line:
                self._line(said.job, line, place)
            case Log(level, text):
                self._note(said.job, level, text, place)
                self._cluster_console.log(said.job, level, text)

    def nodes(self, nodes: Sequence[NodeRecord], missing: Mapping[str, str]) -> None:
        """The nodes that have answered, and the addresses of those that have not, and why."""
        there = ", ".join(node.address for node in nodes)
        away = ", ".join(f"{node} ({reason})" if reason else node for node, reason in missing.items())
        self._note(None, logging.INFO, f"nodes: {there}; missing: {away}")
        self._cluster_console.nodes(nodes, missing)

    def news(self, job: int | None, text: str) -> None:
        """Something happened to a job or a node that is no reason to worry."""
        self._note(job, logging.INFO, text)
        self._cluster_console.news(job, text)

    def placed(self, placement: Placement) -> None:
        """Where the jobs go, and why."""
        for one in placement:
            self._note(one.job, logging.INFO, f"goes to {one.node}: {one.rule}")
        self._cluster_console.placed(placement)

    def progress(self, node: str, done: int, total: int) -> None:
        """So many bytes of the files that a node needs have arrived."""
        self._cluster_console.progress(node, done, total)


def information_lines(places: Sequence[JobPlace]) -> list[str]:
    """The list 'Network Information' as people read it."""
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


@contextlib.contextmanager
def record_file(folder: Path) -> Iterator[RecordFile]:
    """The records of one simulation or run, in `folder`; those of earlier ones become older files."""
    records = RecordFile(folder / LOG_NAME, by_run=True)
    try:
        yield records
    finally:
        records.close()
