"""Presents a run to its observer, and to other terminals on request."""

import contextlib
import itertools
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from fission.cluster import Coordinator, Notice, Phase, RequestAccepted, RequestRefused
from fission.cluster.state import NodeRecord
from fission.cluster.transitions import JobState
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.client.start_progress import StartProgress, start_waits_for
from fission.engine.client.views import STATES, JobPlace, information, view_of
from fission.engine.protocol.clock_offset import NodeClocks
from fission.engine.protocol.interfaces import JobSaid
from fission.engine.protocol.job_report import JobReport, ProgressObserver
from fission.monitor import NetworkView
from fission.monitor.lags import with_lags
from fission.placement import Placement
from fission.placement.model import natural
from fission.project.suggest import counted
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log, Status


class RunObserver(ProgressObserver, Protocol):
    """Receives everything that a person may want to see of a run."""

    def begin(self, run: str) -> None:
        """The run starts; called first."""

    def nodes(self, nodes: Sequence[NodeRecord], missing: Mapping[str, str]) -> None:
        """The nodes that have answered, and the addresses of the others with the reason; called once, before the start."""

    def said(self, said: JobSaid) -> None:
        """A job wrote or logged a line."""

    def news(self, job: int | None, text: str) -> None:
        """A job or a node has changed in an expected way."""

    def information(self, places: Sequence[JobPlace]) -> None:
        """The places of all jobs; called at the start and after every change."""

    def placed(self, placement: Placement) -> None:
        """The placement of the jobs, with reasons."""

    def progress(self, node: str, done: int, total: int) -> None:
        """A node has received `done` of `total` bytes of files."""


@dataclass(slots=True)
class Answer:
    """The answer to a terminal's request: what is done, and what is refused."""

    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, text: str, *, refused: bool) -> None:
        """Add a line."""
        (self.errors if refused else self.lines).append(text)

    def plain(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {"lines": self.lines, "errors": self.errors}


class RunPresenter:
    """Passes events to the observer, and maintains the `reports` on the jobs.

    In a run that is taken over, `catch_up` presents the output from the time without a client, once the
    nodes were shown.
    """

    def __init__(
        self,
        network: Network,
        coordinator: Coordinator,
        watcher: RunObserver,
        *,
        clocks: Callable[[], Mapping[str, NodeClocks]],
        taken_over: bool,
        origin: str = "NODES",
    ) -> None:
        seen = None if taken_over else 0
        self.reports = {job.id: JobReport(job.name, seen=seen) for job in network.jobs}
        self._network = network
        self._coordinator = coordinator
        self._watcher = watcher
        self._clocks = clocks
        self._origin = origin
        self._early: list[JobSaid] | None = [] if taken_over else None
        self._answers: dict[int, Answer] = {}
        self._numbers = itertools.count(1)
        self._places: tuple[JobPlace, ...] = ()
        self._waits = ""  # what was said last of nodes that are waited for
        self._invited: Collection[str] = ()
        self._progress: StartProgress | None = StartProgress()

    def begin(self) -> None:
        """Report that a run is taken over, if that is so."""
        if self._early is not None:
            self._watcher.news(None, "an earlier client has left the network running: it is taken over")

    def notice(self, notice: Notice) -> None:
        """Present a notice of the coordinator."""
        text = _with_node(notice)
        if notice.level == logging.INFO:
            self._watcher.news(notice.job, text)
        else:
            self._watcher.log(notice.job, notice.level, text)

    def answered(self, answer: RequestAccepted | RequestRefused) -> None:
        """Present the coordinator's answer to an operator request, here and on the terminal that sent it."""
        refused, text = isinstance(answer, RequestRefused), _with_node(answer)
        waiting = self._answers.get(answer.request)
        if waiting is not None:
            name = "" if answer.job is None else f"{self.reports[answer.job].name}: "
            waiting.add(f"{name}{text}", refused=refused)
        if refused:
            self._watcher.log(answer.job, logging.WARNING, text)
        else:
            self._watcher.news(answer.job, text)

    def connect(self, invited: Collection[str]) -> None:
        """Report at once what the start waits for."""
        self._invited = invited
        if invited and self._early is None:
            self._watcher.news(
                None, f"connects to {counted(len(invited), 'node')} and sends the files that they lack"
            )

    def wait_for_nodes(
        self, problem: str, missing: Collection[str], away: Mapping[str, str], seconds: float | None
    ) -> None:
        """Report once, and again when it changes, for which nodes the start waits."""
        because = [f"{one} ({away[one]})" if away.get(one) else one for one in sorted(missing, key=natural)]
        text = f"{problem}. Waits for {', '.join(because)}"
        if text != self._waits:
            self._waits = text
            how_long = "until Ctrl+C" if seconds is None else f"up to {seconds:.0f} s from the start"
            self._watcher.log(None, logging.WARNING, f"{text}, {how_long} (see --wait)")

    def wait_for_a_node(self) -> None:
        """Report why the run waits."""
        text = "waits for the first node, to hear at which address nodes reach the client (CLIENT_IP says it, too)"
        self._watcher.news(None, text)

    def warn(self, text: str) -> None:
        """Report something that the client cannot do now."""
        self._watcher.log(None, logging.WARNING, text)

    def placed(self, placement: Placement) -> None:
        """Present a placement."""
        self._watcher.placed(placement)

    def said(self, said: JobSaid) -> None:
        """Pass on the output of a job."""
        job = self._coordinator.jobs.get(said.job)
        if self._coordinator.phase is Phase.GATHERING:
            return  # from an earlier run, whose jobs are stopped now
        if job is not None and said.incarnation < job.incarnation:
            return  # late output of an incarnation that has been replaced
        match said.what:
            case OutputLine() | Log() if self._early is not None:
                self._early.append(said)
            case OutputLine() | Log():
                self._watcher.said(said)
            case Status() as status if job is not None and job.incarnation == said.incarnation:
                self.reports[said.job].hear(replace(status, pipes=self._with_lags(said, status)))

    def _with_lags(self, said: JobSaid, status: Status) -> dict[int, dict[str, float]]:
        """The counters of a report, with lags between machines by one clock."""
        senders = {}
        for edge in self._network.inputs_of(said.job):
            source = self._coordinator.jobs[edge.source]
            senders[edge.pipe.id] = source.incarnation, source.node or ""
        offsets = {node: clocks.monotonic.offset for node, clocks in self._clocks().items()}
        before = self.reports[said.job].pipes
        offsets[LOCAL] = 0.0
        return with_lags(status.pipes, node=said.node, senders=senders, offsets=offsets, before=before)

    def catch_up(self) -> None:
        """Present the output from before the nodes were shown."""
        early, self._early = self._early, None
        if early:
            self._watcher.news(None, "said since the earlier client has gone:")
            for said in early:
                self._watcher.said(said)

    def nodes(self, invited: Iterable[str], away: Mapping[str, str]) -> None:
        """Present the nodes that have answered, and the others with the reasons in `away`."""
        nodes = [
            node
            for address, node in self._coordinator.nodes.items()
            if address != LOCAL and (node.service or node.reason)
        ]
        there = {node.address for node in nodes}
        missing = {address: away.get(address, "") for address in invited if address not in there}
        self._watcher.nodes(
            sorted(nodes, key=lambda node: natural(node.address)),
            missing,
        )

    def status(self, seconds: float) -> None:
        """Present the progress, and the places of the jobs if they have changed."""
        self.update()
        self._watcher.status(self.reports, seconds)
        self._tell_start(seconds)
        places = information(self._coordinator)
        if places is not None and self._coordinator.phase is Phase.RUNNING:
            places = tuple(
                next((old for old in self._places if old.id == new.id and not new.port), new)
                for new in places
            )
            if places != self._places:
                self._places = places
                self._watcher.information(places)

    def _tell_start(self, seconds: float) -> None:
        """Report from time to time what a start that takes long waits for, until all jobs have started once."""
        if self._progress is None:
            return
        names = {id: report.name for id, report in self.reports.items()}
        text = start_waits_for(self._coordinator, names, self._invited)
        if not text and self._coordinator.phase is not Phase.GATHERING:
            self._progress = None
        elif text and self._progress.due(seconds):
            self._watcher.news(None, f"{text} ({seconds:.0f} s so far)")

    def update(self) -> None:
        """Update the reports from the coordinator."""
        for id, job in self._coordinator.jobs.items():
            report = self.reports[id]
            report.state = STATES[job.state]
            report.node = "client" if job.node == LOCAL else job.node or report.node
            report.incarnation = job.incarnation
            if job.state is JobState.FINISHED and not report.round:  # before this client
                report.complete(job.round)

    def view(self, run: str, seconds: float) -> NetworkView:
        """Return a view of the network."""
        self.update()
        return view_of(
            self._network, self._coordinator, self.reports, run, seconds, self._clocks(), self._origin
        )

    @contextlib.contextmanager
    def answering(self) -> Iterator[tuple[int, Answer]]:
        """Collect the answers to one request; yield its number and the answer."""
        number, answer = next(self._numbers), Answer()
        self._answers[number] = answer
        try:
            yield number, answer
        finally:
            del self._answers[number]

    def fail(self, text: str) -> None:
        """Report to the terminals that wait for an answer that the run ends by an error."""
        for answer in self._answers.values():
            answer.add(text, refused=True)


def _with_node(line: Notice | RequestAccepted | RequestRefused) -> str:
    """Return the text of a notice, with its node if it has no job."""
    if line.job is None and line.node not in (None, LOCAL):
        return f"node {line.node}: {line.text}"
    return line.text
