"""The command line: solve, show and store."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.command import PAGE, parser, positive, positive_int, say, store
from benchmarks.harness.machine import describe
from benchmarks.planning.report import goals, tables
from benchmarks.planning.trials import Trial, generated, marvelo
from benchmarks.report.page import PLANNING
from benchmarks.report.show import show

_INSTANCES = Path(__file__).with_name("marvelo-embedding.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Solve all instances; the exit code is 1 when a goal is not reached."""
    options = _parser().parse_args(arguments)
    machine = describe()
    trials: list[Trial] = []
    if options.only != "generated":
        trials += marvelo(options.instances)
    if options.only != "marvelo":
        trials += generated(
            options.count, options.seed, options.seconds, options.proof, options.exact_nodes, say
        )
    made = tables(trials, machine)
    show(made, [])
    store({"machine": machine, "trials": [one.as_dict() for one in trials]}, options.results, "planning")
    if options.publish:
        PLANNING.publish(made, PAGE)
    return 0 if all(reached for *_, reached in goals(trials)) else 1


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "benchmarks.planning", "Compare plans with published optima, a semi-greedy baseline and proofs."
    )
    add = made.add_argument
    add("--only", choices=("marvelo", "generated"), help="one of the two parts")
    add("--instances", type=Path, default=_INSTANCES, metavar="FILE", help="instances of the same form")
    add("--count", type=positive_int, default=500, metavar="N", help="generated instances (default 500)")
    add("--seed", type=int, default=1, metavar="N", help="of the generated instances (default 1)")
    add("--seconds", type=positive, default=0.045, metavar="S", help="for the search (default 0.045)")
    add("--proof", type=positive, default=10.0, metavar="S", help="for the exact method (default 10)")
    add(
        "--exact-nodes",
        type=int,
        default=10,
        metavar="N",
        help="nodes up to which the exact method runs (default 10)",
    )
    return made
