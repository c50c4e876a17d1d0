"""The command line: choose faults, run trials, show and store."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.failover.costs import Cost, alarms, memory, start_seconds
from benchmarks.failover.page import publish
from benchmarks.failover.report import tables
from benchmarks.failover.trials import FAULTS, Trials, run_trials
from benchmarks.harness.machine import describe
from benchmarks.harness.processes import become_reaper
from benchmarks.report.show import show
from lab import unavailable

HERE = Path(__file__).resolve().parent.parent

EPILOG = """examples:
  python -m benchmarks.failover                      every fault 10 times, costs, 60 s of full load
  python -m benchmarks.failover --fault power --trials 20
  python -m benchmarks.failover --no-costs --publish
needs root, iproute2 and nftables: hosts are network namespaces of this machine
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; exit code 1 when a block was lost, doubled or mixed up, or something failed."""
    options = _parser().parse_args(arguments)
    reason = unavailable()
    if reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    become_reaper()
    machine = describe()
    trials: list[Trials] = []
    costs: list[Cost] = []
    try:
        chosen = options.fault or ([] if options.only_costs else FAULTS)
        trials += (run_trials(FAULTS[name], options.trials, say=_say) for name in chosen)
        if not options.no_costs:
            costs.append(start_seconds(options.trials))
            costs += memory()
            costs.append(alarms(options.load_seconds, say=_say))
    except KeyboardInterrupt:
        _say("interrupted; this is what there is")
    made = tables(trials, costs, machine)
    show(made, [])
    _store(trials, costs, machine, options.results)
    if options.publish:
        publish(made, HERE / "RESULTS.md")
    return 1 if any(one.wrong for one in trials) or any(cost.problem for cost in costs) else 0


def _store(trials: list[Trials], costs: list[Cost], machine: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / time.strftime("failover-%Y%m%d-%H%M%S.json", time.gmtime())
    result = {
        "machine": machine,
        "trials": [one.as_dict() for one in trials],
        "costs": [cost.as_dict() for cost in costs],
    }
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    _say(f"stored in {path}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.failover",
        description="Measure what failures cost: until they are seen, and until blocks arrive at the sink again.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--fault", action="append", choices=FAULTS, metavar="NAME", help=f"{', '.join(FAULTS)}; repeatable")
    add("--trials", type=int, default=10, metavar="N", help="of each fault (default 10)")
    add("--load-seconds", type=float, default=60.0, metavar="S", help="seconds of full load (default 60)")
    add("--no-costs", action="store_true", help="only faults: no start, memory and full load")
    add("--only-costs", action="store_true", help="no faults")
    add("--publish", action="store_true", help="write the tables into RESULTS.md")
    add("--results", type=Path, default=HERE / "results", metavar="DIR", help="store here")
    return parser
