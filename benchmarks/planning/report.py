"""Tables of planning. Pure."""

import statistics
from collections.abc import Sequence

from benchmarks.planning.trials import Trial
from benchmarks.report.tables import Table, described


def tables(trials: Sequence[Trial], machine: dict[str, str]) -> list[Table]:
    """Return the tables that have rows."""
    known = [one for one in trials if one.listed >= 0]
    made = [one for one in trials if one.listed < 0]
    all_made = [described(machine), _instances(known, made), _bars(known, made)]
    return [table for table in all_made if table.rows]


def goals(trials: Sequence[Trial]) -> list[tuple[str, str, str, bool]]:
    """Return each goal with what was measured and whether it is reached."""
    known = [one for one in trials if one.listed >= 0]
    made = [one for one in trials if one.listed < 0]
    return [*_goals_of_known(known), *_goals_of_made(made)]


def _instances(known: Sequence[Trial], made: Sequence[Trial]) -> Table:
    groups = [("MARVELO", known)]
    groups += [(kind, [one for one in made if one.kind == kind]) for kind in ("25 m", "600 m")]
    rows = []
    for name, trials in groups:
        if not trials:
            continue
        compared = [one for one in trials if one.baseline >= 0]
        proven = [one for one in trials if one.optimum >= 0 or one.slots == one.bound]
        rows.append(
            (
                name,
                f"{len(trials)}",
                f"{statistics.fmean(one.slots for one in trials):.2f}",
                f"{statistics.fmean(one.baseline for one in compared):.2f}" if compared else "",
                f"{len(trials) - len(compared)}" if compared else "",
                f"{sum(one.slots == one.bound for one in trials)}",
                f"{len(proven)}",
                f"{statistics.median(one.seconds for one in trials) * 1e3:.2f}",
                f"{max(one.seconds for one in trials) * 1e3:.1f}",
                f"{max(one.cpu for one in trials) * 1e3:.1f}",
            )
        )
    head = (
        "instances",
        "number",
        "slots",
        "baseline",
        "without baseline",
        "met by the bound",
        "optimum known",
        "median ms",
        "max ms",
        "max CPU ms",
    )
    note = (
        "Mean slots of the search and of the semi-greedy baseline (where it finds a plan), instances whose lower bound meets"
        " the plan, and time of the search in one process. Other work on the machine lengthens it, but not its processor time."
    )
    return Table("Planning", note, head, rows)


def _bars(known: Sequence[Trial], made: Sequence[Trial]) -> Table:
    rows = [
        (what, measured, "reached" if reached else "not reached")
        for what, measured, reached in (
            (f"{what} ({goal})", measured, reached)
            for what, goal, measured, reached in [*_goals_of_known(known), *_goals_of_made(made)]
        )
    ]
    return Table("Goals of planning", "", ("goal", "measured", ""), rows)


def _goals_of_known(known: Sequence[Trial]) -> list[tuple[str, str, str, bool]]:
    if not known:
        return []
    optimal = sum(one.slots == one.listed == one.bound and not one.violations for one in known)
    median = statistics.median(one.seconds for one in known) * 1e3
    longest = max(one.seconds for one in known) * 1e3
    return [
        ("MARVELO: optimal with proof", "all", f"{optimal} of {len(known)}", optimal == len(known)),
        ("MARVELO: median time", "<= 5 ms", f"{median:.2f} ms", median <= 5.0),
        ("MARVELO: longest time", "<= 50 ms", f"{longest:.1f} ms", longest <= 50.0),
    ]


def _goals_of_made(made: Sequence[Trial]) -> list[tuple[str, str, str, bool]]:
    if not made:
        return []
    violations = sum(one.violations for one in made)
    compared = [one for one in made if one.baseline >= 0]
    worse = sum(one.slots > one.baseline for one in compared)
    fewer = 1.0 - sum(one.slots for one in compared) / max(1, sum(one.baseline for one in compared))
    longest = max(one.cpu for one in made) * 1e3
    proven = [one for one in made if one.optimum >= 0]
    equal = sum(one.slots == one.optimum for one in proven) / max(1, len(proven))
    found = [
        ("generated: violations", "none", f"{violations}", violations == 0),
        ("generated: worse than the baseline", "none", f"{worse} of {len(compared)}", worse == 0),
        ("generated: fewer slots than the baseline", ">= 20 %", f"{fewer:.1%}", fewer >= 0.2),
        ("generated: longest processor time", "<= 50 ms", f"{longest:.1f} ms", longest <= 50.0),
        (
            "generated: equal to the optimum where it is proven",
            ">= 95 %",
            f"{equal:.1%} of {len(proven)}",
            equal >= 0.95,
        ),
    ]
    exact = [one for one in made if one.exact_seconds >= 0.0]
    if exact:
        share = sum(one.optimum >= 0 for one in exact) / len(exact)
        size = max(one.nodes for one in exact)
        text = f"{share:.1%} of {len(exact)}"
        found.append((f"exact: proven up to {size} nodes in its time", ">= 90 %", text, share >= 0.9))
    return found
