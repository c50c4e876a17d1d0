"""The tables of a result, as text cells. Pure."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.report.result import Result, Spread
from benchmarks.report.targets import TARGETS
from benchmarks.subjects import BASELINE, SUBJECTS
from benchmarks.workloads import WORKLOADS

COUNTS = ("lost", "doubled", "spoiled")
NOISY = 0.10
"""Share of the machine that others may use during a run before the page says so."""


class Table(NamedTuple):
    """A title, what stands under it, column heads and rows."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def all_tables(result: Result) -> list[Table]:
    """Return every table that has rows."""
    made = (machine, throughput, latency, memory, start, growth, targets, problems)
    return [table for table in (make(result) for make in made) if table.rows]


def described(machine: dict[str, str]) -> Table:
    """Describe what the figures belong to."""
    return Table("Machine", "", ("what", "value"), list(machine.items()))


def machine(result: Result) -> Table:
    """The same, with what is known of the runs."""
    rows = list(result.machine.items())
    shares = Spread.of([one.figures.get("foreign", math.nan) for one in result.measures])
    rows.append(("runs, seconds each", f"{result.settings['runs']:.0f}, {result.settings['seconds']:g}"))
    rows.append(("used by others during the runs", spread(shares, "{:.0%}")))
    rows += [(f"RSS of a bare {name}", f"{size / 1e6:.1f} MB") for name, size in result.bare_memory.items()]
    return Table("Machine", "", ("what", "value"), rows)


def throughput(result: Result) -> Table:
    """Rates at full speed, with what was lost on the way."""
    rows = []
    for workload, subject in _cells(result, "throughput"):
        at = ("throughput", workload, subject)
        rate = result.spread(*at, "rate")
        counts = [f"{result.total(*at, name):,.0f}" for name in ("lost", "duplicates", "corrupt")]
        size = rate.median * WORKLOADS[workload].nbytes / 1e6
        rows.append(
            (
                WORKLOADS[workload].title,
                SUBJECTS[subject].title,
                spread(rate, "{:,.0f}"),
                f"{size:,.0f}" if WORKLOADS[workload].elements and rate.known else "",
                spread(result.ratio(*at, "rate", BASELINE), "{:.2f}"),
                one(result.spread(*at, "cpu_per_block").median * 1e6, "{:,.1f}"),
                *counts,
            )
        )
    head = ("block", "carried by", "blocks/s", "MB/s", "x bare loop", "CPU us/block", *COUNTS)
    note = "Median of the runs (least to greatest); lost, doubled and spoiled blocks of all runs together."
    return Table("Throughput", note, head, rows)


def latency(result: Result) -> Table:
    """Source to sink at a fixed rate."""
    rows = []
    for workload, subject in _cells(result, "latency"):
        at = ("latency", workload, subject)
        rows.append(
            (
                f"{WORKLOADS[workload].title} at {WORKLOADS[workload].rate:g}/s",
                SUBJECTS[subject].title,
                spread(result.spread(*at, "p50"), "{:,.0f}"),
                spread(result.spread(*at, "p99"), "{:,.0f}"),
                spread(result.ratio(*at, "p50", BASELINE), "{:.2f}"),
                one(result.spread(*at, "samples").median, "{:,.0f}"),
                f"{result.total(*at, 'late'):,.0f}",
                *(f"{result.total(*at, name):,.0f}" for name in ("lost", "duplicates", "corrupt")),
            )
        )
    note = "Microseconds, median of the runs (least to greatest). Late: the source could not send in time."
    head = ("block", "carried by", "p50", "p99", "p50 x bare loop", "blocks/run", "late", *COUNTS)
    return Table("Latency", note, head, rows)


def memory(result: Result) -> Table:
    """What each process held at the end of a latency run."""
    rows = []
    for workload, subject in _cells(result, "latency"):
        at = ("latency", workload, subject)
        sizes = [
            one(result.spread(*at, f"{role}_{name}").median / 1e6, "{:.1f}")
            for name in ("rss", "pss")
            for role in ("source", "forward", "sink")
        ]
        rows.append((WORKLOADS[workload].title, SUBJECTS[subject].title, *sizes))
    note = "MB at the end of a latency run: resident (RSS) and proportional (PSS, shared pages divided)."
    roles = ("source", "forward", "sink")
    head = ("block", "carried by", *(f"RSS {role}" for role in roles), *(f"PSS {role}" for role in roles))
    return Table("Memory per process", note, head, rows)


def start(result: Result) -> Table:
    """From the command to the first block."""
    rows = []
    for workload, subject in _cells(result, "start"):
        at = ("start", workload, subject)
        ages = [result.spread(*at, f"{role}_age").median * 1e3 for role in ("source", "forward", "sink")]
        first = spread(result.spread(*at, "first_block"), "{:.2f}")
        rows.append((SUBJECTS[subject].title, first, *(one(age, "{:,.0f}") for age in ages)))
    note = "From the command to the first block at the sink; from the making of a process to its user's code."
    head = ("carried by", "first block (s)", "source (ms)", "forward (ms)", "sink (ms)")
    return Table("Start", note, head, rows)


def growth(result: Result) -> Table:
    """Memory while a fast source meets a slow sink."""
    rows = []
    for workload, subject in _cells(result, "growth"):
        at = ("growth", workload, subject)
        figures = [result.spread(*at, f"size_{name}").median / 1e6 for name in ("first", "last", "max")]
        sizes = [one(figure, "{:,.1f}") for figure in figures]
        speed = one(result.spread(*at, "growth").median / 1e6, "{:+.3f}")
        counts = [f"{result.total(*at, name):,.0f}" for name in ("lost", "duplicates", "corrupt")]
        rows.append((WORKLOADS[workload].title, SUBJECTS[subject].title, *sizes, speed, *counts))
    note = "RSS of all processes (MB): after warm-up, at the end, most; growth (MB/s) over the second half."
    head = ("block", "carried by", "first", "last", "most", "growth", *COUNTS)
    return Table("Fast source, slow sink", note, head, rows)


def targets(result: Result) -> Table:
    """FISSION's figures beside the goals."""
    rows = []
    for target in TARGETS:
        measured = target.measured(result)
        if measured.known:
            reached = "reached" if target.reached(measured) else "not reached"
            goal = f"{'>=' if target.kind == 'throughput' else '<='} {target.goal:,g}"
            when = "now" if target.now else "later"
            rows.append(
                (
                    target.what,
                    when,
                    goal,
                    spread(measured, "{:,.0f}" if measured.median >= 100 else "{:,.3g}"),
                    reached,
                )
            )
    note = "Now: the goal of the first issue; later: that of the design, for another issue to reach."
    return Table("Goals", note, ("what", "when", "goal", "measured", ""), rows)


def problems(result: Result) -> Table:
    """Runs that failed, left processes behind, or had to share the machine."""
    rows = []
    noisy = [item.figures["foreign"] for item in result.measures if item.figures.get("foreign", 0.0) > NOISY]
    if noisy:
        what = f"others used more than {NOISY:.0%} of the machine: {spread(Spread.of(noisy), '{:.0%}')}"
        rows.append((f"{len(noisy)} of {len(result.measures)}", "", what))
    for item in result.measures:
        name = (f"{item.kind} {item.workload}, round {item.round + 1}", SUBJECTS[item.subject].title)
        if item.problem:
            rows.append((*name, f"{item.problem}: {item.output}".rstrip(": ")))
        if item.figures.get("left"):
            rows.append((*name, f"{item.figures['left']:.0f} processes had to be ended by the harness"))
    return Table("Problems", "", ("run", "carried by", "what"), rows)


def spread(values: Spread, form: str) -> str:
    """Write `median (least to greatest)`; the median alone for a single run; a dash for none."""
    if not values.known:
        return "-"
    if values.known == 1:
        return form.format(values.median)
    return f"{form.format(values.median)} ({form.format(values.least)} to {form.format(values.greatest)})"


def one(value: float, form: str) -> str:
    """Write one number; a dash when there is none."""
    return "-" if math.isnan(value) else form.format(value)


def _cells(result: Result, kind: str) -> Iterator[tuple[str, str]]:
    """Yield (workload, subject) of everything that was tried, in the order of the tables."""
    for workload in WORKLOADS:
        for subject in SUBJECTS:
            if result.of(kind, workload, subject):
                yield workload, subject
