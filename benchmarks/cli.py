"""The command line of the harness: choose, run, show, store."""

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.command import PAGE, parser, positive, positive_int, store
from benchmarks.harness.machine import bare_memory, describe
from benchmarks.harness.measure import Measure, measure
from benchmarks.harness.processes import become_reaper
from benchmarks.harness.schedule import Selection, runs
from benchmarks.report.page import publish
from benchmarks.report.result import Result
from benchmarks.report.show import show
from benchmarks.report.summary import sentences
from benchmarks.report.tables import all_tables
from benchmarks.subjects import SUBJECTS
from benchmarks.workloads import KINDS, WORKLOADS

EPILOG = """examples:
  python -m benchmarks                          everything, 5 rounds (about 25 minutes)
  python -m benchmarks --quick                  everything once, one second each
  python -m benchmarks --only int --kind latency --subject fission --subject bare
  python -m benchmarks --publish                the same as the first, and RESULTS.md is written anew
  python -m benchmarks --from benchmarks/results/latest.json    show a stored result again
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the selected measurements; the exit code is 1 when FISSION failed or a block was wrong."""
    options = _parser().parse_args(arguments)
    if options.stored:
        result = Result.from_dict(json.loads(Path(options.stored).read_text(encoding="utf-8")))
    else:
        result = _run(options)
        path = store(result.as_dict(), options.results)
        shutil.copy(path, path.with_name("latest.json"))
    show(all_tables(result), sentences(result))
    if options.publish:
        publish(result, PAGE)
        print(f"written: {PAGE}", file=sys.stderr)
    return 0 if result.sound("fission") and not result.interrupted else 1


def _run(options: argparse.Namespace) -> Result:
    quick = options.quick
    selection = Selection(
        kinds=options.kind or KINDS,
        workloads=options.only or tuple(WORKLOADS),
        subjects=options.subject or tuple(SUBJECTS),
        runs=options.runs or (1 if quick else 5),
        seconds=options.seconds or (1.0 if quick else 3.0),
        growth_seconds=options.growth_seconds or (5.0 if quick else 60.0),
    )
    become_reaper()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl+C: nothing is left behind
    result = Result(describe(), bare_memory(), {"runs": selection.runs, "seconds": selection.seconds})
    schedule = list(runs(selection))
    try:
        for done, (number, subject, plan) in enumerate(schedule, 1):
            one = measure(subject, plan, number)
            result.measures.append(one)
            print(f"[{done}/{len(schedule)}] {_line(one)}", file=sys.stderr)
    except KeyboardInterrupt:
        result.interrupted = True
        print("interrupted; every process that was started has ended", file=sys.stderr)
    return result


def _line(one: Measure) -> str:
    """Print the result of a run in one line."""
    name = f"{one.kind} {one.workload} {one.subject}"
    if one.problem:
        return f"{name}: {one.problem}: {one.output}"
    shown = {"throughput": "rate", "latency": "p50", "start": "first_block", "growth": "growth"}[one.kind]
    unit = {"throughput": "blocks/s", "latency": "us", "start": "s", "growth": "B/s"}[one.kind]
    return f"{name}: {one.figures.get(shown, float('nan')):,.4g} {unit}"


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "benchmarks",
        "Measure FISSION and its peers: the chain source -> forward -> sink in three processes.",
        EPILOG,
    )
    add = made.add_argument
    add("--quick", action="store_true", help="one short run of each: is all alive? (no figures to quote)")
    for option, names in (("--only", WORKLOADS), ("--kind", KINDS), ("--subject", SUBJECTS)):
        add(option, action="append", choices=names, metavar="NAME", help=f"{', '.join(names)}; repeatable")
    add("--runs", type=positive_int, metavar="N", help="rounds, each with every run once (default 5)")
    add("--seconds", type=positive, metavar="S", help="seconds that count of each run (default 3)")
    add("--growth-seconds", type=positive, metavar="S", help="the same for growth (default 60)")
    add("--from", dest="stored", metavar="FILE", help="show (or publish) a stored result; measure nothing")
    return made
