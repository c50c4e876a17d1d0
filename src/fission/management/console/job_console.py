"""Console output of a running network: lines of the jobs, a status line, a summary at the end.

On a terminal `rich` draws it, with a color per job and a live status line at the bottom. Elsewhere the lines are plain
and there is no status line.
"""

import sys
from collections import deque
from collections.abc import Mapping
from typing import Self

from rich.live import Live
from rich.text import Text

from fission.core.network import Network
from fission.core.pipes import BasePipe
from fission.engine.protocol.job_report import JobReport
from fission.management.console.tables import new_console, show, table
from fission.runtime.launch.supervisor import OutputLine

_COLORS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")


class JobConsole:
    """Prints the events of a simulation (a `Watcher`). A context manager: the terminal is restored at the end."""

    def __init__(self, network: Network, *, quiet: bool) -> None:
        self._network = network
        self._quiet = quiet
        self._console = new_console(soft_wrap=True)
        self._errors = new_console(soft_wrap=True, stderr=True)
        width = max((len(job.name) for job in network.jobs), default=0)
        self._labels = {job.id: job.name.ljust(width) for job in network.jobs}
        self._colors = {job.id: _COLORS[i % len(_COLORS)] for i, job in enumerate(network.jobs)}
        self._live: Live | None = None
        self._rates = _Rates(network)

    def __enter__(self) -> Self:
        self._begin_live()
        return self

    def _begin_live(self) -> None:
        """Show the status line, on a terminal."""
        if self._console.is_terminal and not self._quiet:
            self._live = Live(Text("starting ...", style="dim"), console=self._console, auto_refresh=False)
            self._live.start()

    def __exit__(self, *_exc: object) -> None:
        self._end_live()

    def _end_live(self) -> None:
        """Remove the status line."""
        if self._live is not None:
            self._live.update(Text(""), refresh=True)
            self._live.stop()
            self._live = None

    def line(self, job: int, line: OutputLine) -> None:
        """Print a line of a job, prefixed with the job's name."""
        if self._quiet:
            return
        if self._console.is_terminal:
            text = Text(self._labels[job], style=self._colors[job])
            text.append(" | ", style="dim")
            text.append(Text.from_ansi(line.text))
            if line.stream == "stderr":
                text.stylize("red", len(self._labels[job]))
            self._console.print(text)
        else:
            stream = sys.stderr if line.stream == "stderr" else sys.stdout
            print(f"{self._labels[job]} | {line.text}", file=stream, flush=True)

    def log(self, job: int | None, level: int, text: str) -> None:
        """Print warnings and errors. The error that ends a run is printed at its end."""
        if level >= 30 and (not self._quiet or level >= 40):
            name = "" if job is None else f"{self._labels[job].strip()}: "
            kind, style = ("error", "red") if level >= 40 else ("warning", "yellow")
            # a status line on the same terminal makes room only for output of its own console
            same = self._live is not None and self._errors.is_terminal
            console = self._console if same else self._errors
            console.print(Text(f"{kind}: {name}{text}", style=style))

    def status(self, reports: Mapping[int, JobReport], seconds: float) -> None:
        """Refresh the status line."""
        text = self._rates.describe(reports, seconds)
        if self._live is not None:
            self._live.update(Text(text, style="reverse", overflow="ellipsis", no_wrap=True), refresh=True)

    def summary(self, reports: Mapping[int, JobReport], seconds: float) -> None:
        """Replace the status line by a table of all jobs with their counters."""
        self._end_live()
        if self._quiet:
            return
        rows = []
        for job in self._network.jobs:
            report = reports[job.id]
            inputs = _inputs(self._network, job.id, report)
            cells = (report.name, report.state, f"{report.rounds:,}", f"{report.rate(seconds):,.1f}")
            queued, dummies = (
                f"{sum(pipe.get(what, 0) for _, pipe in inputs):,.0f}" for what in ("queued", "dummies")
            )
            lag = _duration(_lag(inputs, report.rate(seconds)))
            rows.append((*cells, queued, dummies, lag) if inputs else (*cells, "", "", ""))
        numbers = ("rounds", "rounds/s", "queued", "dummies", "lag")
        show(self._console, table(("job", "state", *numbers), rows, numbers=numbers))

    def say(self, text: str) -> None:
        """Print a line that belongs to no job."""
        if not self._quiet:
            self._console.print(Text(text))

    def error(self, text: str) -> None:
        """Print an error, also with `quiet`."""
        self._errors.print(Text(text, style="red" if self._errors.is_terminal else ""))


class _Rates:
    """Rates over the last few seconds, so that a network with one block per second also shows a rate."""

    def __init__(self, network: Network) -> None:
        self._sources = [job.id for job in network.jobs if job.is_source()]
        self._sinks = [job.id for job in network.jobs if job.is_sink()]
        self._network = network
        self._history: deque[tuple[float, dict[int, int]]] = deque([(0.0, {})], maxlen=8)

    def describe(self, reports: Mapping[int, JobReport], seconds: float) -> str:
        """Format the status line."""
        then, before = self._history[0]
        span = max(seconds - then, 1e-9)
        rate = {job: (one.rounds - before.get(job, 0)) / span for job, one in reports.items()}
        self._history.append((seconds, {job: one.rounds for job, one in reports.items()}))
        running = sum(one.state == "running" for one in reports.values())
        finished = sum(one.state == "finished" for one in reports.values())
        inputs = {job: _inputs(self._network, job, one) for job, one in reports.items()}
        pipes = [pipe for some in inputs.values() for _, pipe in some]
        parts = [
            f"{seconds:6.1f} s",
            f"{running} running"
            + (f", {finished} finished" if finished else "")
            + f" of {len(reports)} jobs",
            f"in {_count(sum(rate[job] for job in self._sources))}/s",
            f"out {_count(sum(rate[job] for job in self._sinks))}/s",
            f"lag {_duration(max((_lag(inputs[job], rate[job]) for job in reports), default=0.0))}",
            f"queued {_count(sum(pipe.get('queued', 0) for pipe in pipes))}",
        ]
        dropped = sum(pipe.get("dropped", 0) for one in reports.values() for pipe in one.pipes.values())
        dummies = sum(pipe.get("dummies", 0) for pipe in pipes)
        if dropped:
            parts.append(f"dropped {_count(dropped)}")
        if dummies:
            parts.append(f"dummies {_count(dummies)}")
        return " " + "  ".join(parts) + "  Ctrl+C stops "


_Inputs = list[tuple[BasePipe, Mapping[str, float]]]


def _inputs(network: Network, job: int, report: JobReport) -> _Inputs:
    """Return the inputs of a job with their counters."""
    return [(edge.pipe, report.pipes.get(edge.pipe.id, {})) for edge in network.inputs_of(job)]


def _lag(inputs: _Inputs, rate: float) -> float:
    """Delay of a job in seconds: the transit time of a block, plus the time that its waiting rounds take at its rate.

    Blocks that wait for their partners at another input are no complete rounds: the job is not behind with them.
    """
    transit = max((counts.get("lag", 0.0) for _, counts in inputs), default=0.0)
    waited = [(pipe, counts) for pipe, counts in inputs if not pipe.ASYNC]
    if waited:
        rounds = min(counts.get("queued", 0.0) // pipe.BLOCK_COUNT for pipe, counts in waited)
    else:  # every block is a round
        rounds = sum(counts.get("queued", 0.0) for _, counts in inputs)
    return transit + (rounds / rate if rate > 0 else 0.0)


def _count(value: float) -> str:
    if value < 100:
        return f"{value:.1f}".removesuffix(".0")
    if value < 10_000:
        return f"{value:.0f}"
    return f"{value / 1000:.0f}k" if value < 1e6 else f"{value / 1e6:.1f}M"


def _duration(seconds: float) -> str:
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
