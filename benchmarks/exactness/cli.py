"""The command line: choose cases, run rounds of them, show and store."""

import argparse
import signal
from collections.abc import Sequence

from benchmarks.exactness.project import PACE, WINDOW, Case
from benchmarks.exactness.report import sentences, tables
from benchmarks.exactness.runs import Outcome, bare_pickle, run_case
from benchmarks.harness.command import PAGE, parser, positive, positive_int, say, store
from benchmarks.harness.machine import describe
from benchmarks.harness.processes import become_reaper
from benchmarks.report.page import EXACTNESS
from benchmarks.report.show import show

ELEMENTS = (0, 500)
SIZES = (1_000, 1_000_000, 100_000_000)
EPILOG = """examples:
  python -m benchmarks.exactness                         3 rounds of everything, about 15 minutes
  python -m benchmarks.exactness --runs 1 --seconds 3    is all alive?
  python -m benchmarks.exactness --only states --size 100000000
  python -m benchmarks.exactness --publish
needs no root: nodes are processes of this machine, joined by TLS on its loopback
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases; the exit code is 1 when a block was wrong, a state was not kept or a run failed."""
    options = _parser().parse_args(arguments)
    become_reaper()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    machine = describe()
    sizes = options.size or SIZES
    pickles = {size: bare_pickle(size) for size in sizes}
    wanted = cases(options.only, sizes)
    outcomes: list[Outcome] = []
    interrupted = False
    try:
        for number in range(options.runs):
            for case in wanted:
                outcomes.append(run_case(case, number, options.seconds))
                say(f"[{len(outcomes)}/{options.runs * len(wanted)}] {_line(outcomes[-1])}")
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted; this is what there is")
    made = tables(outcomes, pickles, machine)
    said = sentences(outcomes, interrupted=interrupted)
    show(made, said)
    result = {"machine": machine, "pickle": {str(size): pickles[size] for size in sizes}}
    store(result | {"runs": [outcome.as_dict() for outcome in outcomes]}, options.results, "exactness")
    if options.publish:
        EXACTNESS.publish(made, PAGE, said)
    return 1 if interrupted or any(outcome.problem for outcome in outcomes) else 0


def cases(only: Sequence[str] | None, sizes: Sequence[int]) -> list[Case]:
    """Return the runs of one round; what is compared stands side by side."""
    parts = only or ("delivery", "states")
    wanted: list[Case] = []
    for elements in ELEMENTS:
        if "delivery" in parts:
            wanted += (Case(elements, way, window=WINDOW) for way in ("exact", "live"))
        if "states" in parts:
            wanted += (Case(elements, size=size) for size in (0, *sizes))
    if "states" in parts:
        wanted += (Case(size=size, rate=PACE) for size in (0, *sizes))
    return list(dict.fromkeys(wanted))


def _line(outcome: Outcome) -> str:
    if outcome.problem:
        return f"{outcome.case}: {outcome.problem}"
    figures = outcome.figures
    return (
        f"{outcome.case}: {figures['rate']:,.0f} blocks/s, longest stall {figures['longest'] * 1e3:,.0f} ms,"
        f" {figures['checkpoints']:.0f} states kept"
    )


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "benchmarks.exactness",
        "Measure what exactness costs: exact beside live delivery, and checkpoints of states of all sizes.",
        EPILOG,
    )
    add = made.add_argument
    add("--only", action="append", choices=("delivery", "states"), metavar="PART", help="delivery or states")
    add("--size", action="append", type=positive_int, metavar="BYTES", help="of states; repeatable")
    add(
        "--runs",
        type=positive_int,
        default=3,
        metavar="N",
        help="rounds, each with every run once (default 3)",
    )
    add("--seconds", type=positive, default=10.0, metavar="S", help="that count of each run (default 10)")
    return made
