"""The command line: choose faults, run trials, show and store."""

import argparse
from collections.abc import Sequence

from benchmarks.failover.costs import Cost, alarms, memory, start_seconds
from benchmarks.failover.report import tables
from benchmarks.failover.trials import FAULTS, Trials, run_trials
from benchmarks.harness.command import PAGE, parser, positive, positive_int, say, store
from benchmarks.harness.machine import describe
from benchmarks.harness.processes import become_reaper
from benchmarks.kits import no_lab
from benchmarks.report.page import FAILURES
from benchmarks.report.show import show

EPILOG = """examples:
  python -m benchmarks.failover                      every fault 10 times, costs, 60 s of full load
  python -m benchmarks.failover --fault power --trials 20
  python -m benchmarks.failover --no-costs --publish
needs root, iproute2 and nftables: hosts are network namespaces of this machine
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials; the exit code is 1 when a block was lost, duplicated or reordered, or a trial failed."""
    options = _parser().parse_args(arguments)
    if no_lab():
        return 2
    become_reaper()
    machine = describe()
    trials: list[Trials] = []
    costs: list[Cost] = []
    broken = ""
    try:
        chosen = options.fault or ([] if options.only_costs else FAULTS)
        trials += (run_trials(FAULTS[name], options.trials, say=say) for name in chosen)
        if not options.no_costs:
            costs.append(start_seconds(options.trials))
            costs += memory()
            costs.append(alarms(options.load_seconds, say=say))
    except KeyboardInterrupt:
        broken = "interrupted"
    except Exception as error:  # noqa: BLE001 - what was measured before is shown and stored
        broken = f"{type(error).__name__}: {error}"
    if broken:
        say(f"{broken}; this is what there is")
    made = tables(trials, costs, machine)
    show(made, [])
    result = {
        "machine": machine,
        "trials": [one.as_dict() for one in trials],
        "costs": [cost.as_dict() for cost in costs],
    }
    store(result, options.results, "failover")
    if options.publish:
        FAILURES.publish(made, PAGE)
    wrong = any(one.wrong for one in trials) or any(cost.problem for cost in costs)
    return 1 if wrong or broken else 0


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "benchmarks.failover",
        "Measure what failures cost: until they are seen, and until blocks arrive at the sink again.",
        EPILOG,
    )
    add = made.add_argument
    add("--fault", action="append", choices=FAULTS, metavar="NAME", help=f"{', '.join(FAULTS)}; repeatable")
    add("--trials", type=positive_int, default=10, metavar="N", help="of each fault (default 10)")
    add("--load-seconds", type=positive, default=60.0, metavar="S", help="of full load (default 60)")
    add("--no-costs", action="store_true", help="only faults: no start, memory and full load")
    add("--only-costs", action="store_true", help="no faults")
    return made
