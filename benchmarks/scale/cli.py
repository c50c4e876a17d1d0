"""The command line: run, show and store."""

import argparse
from collections.abc import Sequence

from benchmarks.failover.costs import Cost
from benchmarks.failover.report import tables
from benchmarks.harness.command import PAGE, parser, positive, positive_int, say, store
from benchmarks.harness.machine import describe
from benchmarks.harness.processes import become_reaper
from benchmarks.kits import no_lab
from benchmarks.report.page import SCALE
from benchmarks.report.show import show
from benchmarks.scale.trial import placement, run_chains


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials; the exit code is 1 when one failed or a block was lost, duplicated or reordered."""
    options = _parser().parse_args(arguments)
    if not options.only_placement and no_lab():
        return 2
    become_reaper()
    machine = describe()
    costs: list[Cost] = [placement(500, 100, 5)]
    if not options.only_placement:
        costs += run_chains(options.nodes, options.chains, options.idle_seconds, say=say)
    made = tables([], costs, machine)
    show(made, [])
    store({"machine": machine, "costs": [cost.as_dict() for cost in costs]}, options.results, "scale")
    if options.publish:
        SCALE.publish(made, PAGE)
    return 1 if any(cost.problem for cost in costs) else 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "benchmarks.scale",
        "Measure many jobs on many nodes. Needs root, iproute2 and nftables, and some 5 GB of memory.",
    )
    add = made.add_argument
    add("--nodes", type=positive_int, default=20, metavar="N", help="each on a host of its own (default 20)")
    add("--chains", type=positive_int, default=20, metavar="N", help="of ten jobs and a sink (default 20)")
    add("--idle-seconds", type=positive, default=10.0, metavar="S", help="how long to listen (default 10)")
    add("--only-placement", action="store_true", help="start nothing")
    return made
