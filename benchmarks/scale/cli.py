"""The command line: run, show and store."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.failover.costs import Cost
from benchmarks.failover.report import tables
from benchmarks.harness.machine import describe
from benchmarks.harness.processes import become_reaper
from benchmarks.report.show import show
from benchmarks.scale.trial import placement, run_chains
from lab import unavailable

HERE = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; exit code 1 when something failed or a block was lost, doubled or mixed up."""
    options = _parser().parse_args(arguments)
    reason = "" if options.only_placement else unavailable()
    if reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    become_reaper()
    machine = describe()
    costs: list[Cost] = [placement(500, 100, 5)]
    if not options.only_placement:
        costs += run_chains(options.nodes, options.chains, options.idle_seconds, say=_say)
    show(tables([], costs, machine), [])
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / time.strftime("scale-%Y%m%d-%H%M%S.json", time.gmtime())
    result = {"machine": machine, "costs": [cost.as_dict() for cost in costs]}
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    _say(f"stored in {path}")
    return 1 if any(cost.problem for cost in costs) else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.scale",
        description="Measure many jobs on many nodes. Needs root, iproute2 and nftables, and some 5 GB of memory.",
    )
    add = parser.add_argument
    add(
        "--nodes",
        type=int,
        default=20,
        metavar="N",
        help="node services, each on a host of its own (default 20)",
    )
    add(
        "--chains",
        type=int,
        default=20,
        metavar="N",
        help="of ten jobs on nodes and a sink each (default 20)",
    )
    add("--idle-seconds", type=float, default=10.0, metavar="S", help="how long to listen (default 10)")
    add("--only-placement", action="store_true", help="start nothing")
    add("--results", type=Path, default=HERE / "results", metavar="DIR", help="store here")
    return parser
