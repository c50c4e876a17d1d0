"""Turns what a network reports into events, printed lines and log records."""

import logging
import sys
from collections.abc import Mapping, Sequence

from fission.api.events import EventLog
from fission.cluster.state import NodeRecord
from fission.core.network import Network
from fission.engine.client.views import JobPlace
from fission.engine.protocol.interfaces import JobSaid
from fission.engine.protocol.job_report import JobReport
from fission.placement import Placement
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log

__all__ = ["HandleObserver"]

_log = logging.getLogger("fission")


class HandleObserver:
    """The observer of a simulation and of a run.

    Lines that jobs print are printed here as well, unless `quiet`; warnings go to the logger "fission".
    """

    def __init__(self, network: Network, events: EventLog, *, quiet: bool) -> None:
        self._names = {job.id: job.name for job in network.jobs}
        self._events = events
        self._quiet = quiet

    def begin(self, run: str) -> None:
        """Note the run."""

    def line(self, job: int, line: OutputLine) -> None:
        """Print a line of a job."""
        level = logging.ERROR if line.stream == "stderr" else logging.INFO
        event = self._events.add("output", level, self._names[job], line.text)
        if self._quiet:
            return
        try:
            print(event, file=sys.stderr if line.stream == "stderr" else sys.stdout, flush=True)
        except (OSError, ValueError):  # the terminal is gone, or the stream was closed
            self._quiet = True

    def log(self, job: int | None, level: int, text: str) -> None:
        """Record a line, and pass warnings on."""
        event = self._events.add("log", level, self._names.get(job or 0, ""), text)
        if level >= logging.WARNING and not self._quiet:
            _log.log(level, "%s", event)

    def said(self, said: JobSaid) -> None:
        """Take a line of a job of a run."""
        match said.what:
            case OutputLine() as line:
                self.line(said.job, line)
            case Log(level, text):
                self.log(said.job, level, text)

    def news(self, job: int | None, text: str) -> None:
        """Record an expected change."""
        self.log(job, logging.INFO, text)

    def status(self, states: Mapping[int, JobReport], seconds: float) -> None:
        """Nothing: who wants the state asks for it."""

    def nodes(self, nodes: Sequence[NodeRecord], missing: Mapping[str, str]) -> None:  # noqa: ARG002
        """Record the nodes that are missing at the start."""
        for address, reason in missing.items():
            self.log(
                None, logging.WARNING, f"node {address} has not answered" + (f": {reason}" if reason else "")
            )

    def information(self, places: Sequence[JobPlace]) -> None:
        """Nothing: the events of the jobs say it."""

    def placed(self, placement: Placement) -> None:
        """Nothing: the status has the nodes of the jobs."""

    def progress(self, node: str, done: int, total: int) -> None:
        """Record that a node has all its files."""
        if done == total:
            self.log(None, logging.DEBUG, f"node {node} has received {total} bytes of files")
