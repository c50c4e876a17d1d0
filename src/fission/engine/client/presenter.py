"""What people are told of a run: whoever watches it, and other terminals, which ask."""

import contextlib
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fission.cluster import Coordinator, Notice, Phase, RequestAccepted, RequestRefused
from fission.cluster.state import NodeRecord
from fission.cluster.transitions import JobState
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.client.views import STATES, JobPlace, information, view_of
from fission.engine.protocol.clock_offset import ClockEstimate
from fission.engine.protocol.interfaces import JobSaid
from fission.engine.protocol.job_report import JobReport, ProgressObserver
from fission.monitor import NetworkView
from fission.placement import Placement
from fission.placement.model import natural
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log, Status


class RunObserver(ProgressObserver, Protocol):
    """Who is told what happens in a run."""

    def begin(self, run: str) -> None:
        """First of all: which run it is."""

    def nodes(self, nodes: Sequence[NodeRecord], missing: Mapping[str, str]) -> None:
        """Once, before the start: the nodes that have answered, and the addresses of those that have not, with why."""

    def said(self, said: JobSaid) -> None:
        """A job wrote or logged a line."""

    def news(self, job: int | None, text: str) -> None:
        """Something happened to a job or a node that is no reason to worry."""

    def information(self, places: Sequence[JobPlace]) -> None:
        """All jobs work: where. At the start, and after every change."""

    def placed(self, placement: Placement) -> None:
        """Where the jobs go, and why."""

    def progress(self, node: str, done: int, total: int) -> None:
        """So many bytes of the files that a node needs have arrived."""


@dataclass(slots=True)
class Answer:
    """What a terminal hears that wanted something: what is done, and what is not."""

    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, text: str, *, refused: bool) -> None:
        """Say something more."""
        (self.errors if refused else self.lines).append(text)

    def plain(self) -> dict[str, Any]:
        """The answer as it travels."""
        return {"lines": self.lines, "errors": self.errors}


class RunPresenter:
    """Tells a watcher what happens, and keeps the `reports` on the jobs.

    In a run that is taken over, jobs may have said much while no client was there: that is told by `catch_up`, once the
    nodes were shown.
    """

    def __init__(
        self, network: Network, coordinator: Coordinator, watcher: RunObserver, *, taken_over: bool
    ) -> None:
        seen = None if taken_over else 0
        self.reports = {job.id: JobReport(job.name, seen=seen) for job in network.jobs}
        self._network = network
        self._coordinator = coordinator
        self._watcher = watcher
        self._early: list[JobSaid] | None = [] if taken_over else None
        self._answers: dict[int, Answer] = {}
        self._numbers = itertools.count(1)
        self._places: tuple[JobPlace, ...] = ()

    def begin(self) -> None:
        """Say that there is something to be taken over, if there is."""
        if self._early is not None:
            self._watcher.news(None, "an earlier client has left the network running: it is taken over")

    def notice(self, notice: Notice) -> None:
        """Show a line of the coordinator."""
        text = _with_node(notice)
        if notice.level == logging.INFO:
            self._watcher.news(notice.job, text)
        else:
            self._watcher.log(notice.job, notice.level, text)

    def answered(self, answer: RequestAccepted | RequestRefused) -> None:
        """Show how the coordinator answers an operator request, here and on the terminal that sent it."""
        refused, text = isinstance(answer, RequestRefused), _with_node(answer)
        waiting = self._answers.get(answer.request)
        if waiting is not None:
            name = "" if answer.job is None else f"{self.reports[answer.job].name}: "
            waiting.add(f"{name}{text}", refused=refused)
        if refused:
            self._watcher.log(answer.job, logging.WARNING, text)
        else:
            self._watcher.news(answer.job, text)

    def wait_for_a_node(self) -> None:
        """Say why nothing happens."""
        text = "waits for the first node, to hear at which address nodes reach the client (CLIENT_IP says it, too)"
        self._watcher.news(None, text)

    def warn(self, text: str) -> None:
        """Tell of something that the client itself cannot do now."""
        self._watcher.log(None, logging.WARNING, text)

    def placed(self, placement: Placement) -> None:
        """Tell where the jobs go."""
        self._watcher.placed(placement)

    def said(self, said: JobSaid) -> None:
        """Pass on what a job says."""
        job = self._coordinator.jobs.get(said.job)
        if self._coordinator.phase is Phase.GATHERING:
            return  # in an earlier run, whose jobs are ended now
        if job is not None and said.incarnation < job.incarnation:
            return  # from behind a link that was cut: its successor has said so already
        match said.what:
            case OutputLine() | Log() if self._early is not None:
                self._early.append(said)
            case OutputLine() | Log():
                self._watcher.said(said)
            case Status() if job is not None and job.incarnation == said.incarnation:
                self.reports[said.job].hear(said.what)

    def catch_up(self) -> None:
        """Tell what jobs have said while there was no client, or before the nodes were shown."""
        early, self._early = self._early, None
        if early:
            self._watcher.news(None, "said since the earlier client has gone:")
            for said in early:
                self._watcher.said(said)

    def nodes(self, invited: Iterable[str], away: Mapping[str, str]) -> None:
        """Show the nodes that have answered, and say which of the invited ones have not; `away` says why."""
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
        """Tell how far all is, and where the jobs are if that has changed."""
        self.update()
        self._watcher.status(self.reports, seconds)
        places = information(self._coordinator)
        if places is not None and self._coordinator.phase is Phase.RUNNING:
            places = tuple(
                next((old for old in self._places if old.id == new.id and not new.port), new)
                for new in places
            )
            if places != self._places:
                self._places = places
                self._watcher.information(places)

    def update(self) -> None:
        """Bring the reports up to date."""
        for id, job in self._coordinator.jobs.items():
            report = self.reports[id]
            report.state = STATES[job.state]
            report.node = "client" if job.node == LOCAL else job.node or report.node
            report.incarnation = job.incarnation
            if job.state is JobState.FINISHED and not report.round:  # before we came
                report.complete(job.round)

    def view(self, run: str, seconds: float, clocks: Mapping[str, ClockEstimate]) -> NetworkView:
        """Look at the network now."""
        self.update()
        return view_of(self._network, self._coordinator, self.reports, run, seconds, clocks)

    @contextlib.contextmanager
    def answering(self) -> Iterator[tuple[int, Answer]]:
        """Collect the answers to one request; yield its number and what is collected."""
        number, answer = next(self._numbers), Answer()
        self._answers[number] = answer
        try:
            yield number, answer
        finally:
            del self._answers[number]

    def fail(self, text: str) -> None:
        """Show the terminals that wait for an answer that the run ends by an error."""
        for answer in self._answers.values():
            answer.add(text, refused=True)


def _with_node(line: Notice | RequestAccepted | RequestRefused) -> str:
    """The text of a line, with the node that it is about where it is about no job."""
    if line.job is None and line.node not in (None, LOCAL):
        return f"node {line.node}: {line.text}"
    return line.text
