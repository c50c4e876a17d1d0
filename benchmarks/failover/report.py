"""Tables of trials and costs. Pure."""

import math

from benchmarks.failover.costs import Cost
from benchmarks.failover.trials import FAULTS, Trials
from benchmarks.report.result import Spread
from benchmarks.report.tables import Table, described, spread


def tables(trials: list[Trials], costs: list[Cost], machine: dict[str, str]) -> list[Table]:
    """Return the tables that have rows."""
    made = [described(machine), _gaps(trials), _costs(costs)]
    return [table for table in made if table.rows]


def _gaps(trials: list[Trials]) -> Table:
    rows = []
    for one in trials:
        fault = FAULTS[one.fault]
        gaps = Spread.of(one.gaps)
        rows.append(
            (
                fault.title,
                str(len(one.gaps)),
                spread(Spread.of(one.seen), "{:.3f}"),
                spread(gaps, "{:.3f}"),
                f"<= {fault.goal:g}" if fault.goal else "",
                _reached(gaps.median, fault.goal) if fault.goal else "",
                one.wrong.splitlines()[0] if one.wrong else "nothing lost, doubled or mixed up",
            )
        )
    note = (
        "Seconds, median (least to greatest): from the fault until the client's log says so, and until the first block at"
        " the sink that a restarted job has computed. 100 blocks/s, PULSE_INTERVAL 0.1, four hosts (network namespaces), TLS."
    )
    head = ("fault", "trials", "seen (s)", "gap (s)", "goal (median)", "", "blocks at the sink")
    return Table("Failover", note, head, rows)


def _costs(costs: list[Cost]) -> Table:
    rows = [
        (
            cost.what,
            spread(Spread.of(cost.values), cost.form),
            f"<= {cost.goal:g}",
            _reached(Spread.of(cost.values).median, cost.goal),
            cost.problem,
        )
        for cost in costs
    ]
    return Table("Costs", "Median (least to greatest).", ("what", "measured", "goal", "", "problem"), rows)


def _reached(value: float, goal: float) -> str:
    return "" if math.isnan(value) else "reached" if value <= goal else "not reached"
