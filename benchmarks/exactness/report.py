"""Tables of exactness. Pure."""

import math
from dataclasses import replace

from benchmarks.exactness.project import WINDOW, Case
from benchmarks.exactness.runs import Outcome
from benchmarks.report.result import Spread
from benchmarks.report.summary import ROUNDS_TO_QUOTE
from benchmarks.report.tables import NOISY, Table, described, one, spread


class Outcomes:
    """What all runs gave, and questions to it."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.all = outcomes
        self.cases = list(dict.fromkeys(outcome.case for outcome in outcomes))

    def spread(self, case: Case, figure: str) -> Spread:
        """Summarize a figure over the rounds; runs with a problem do not count."""
        return Spread.of(list(self._values(case, figure).values()))

    def ratio(self, case: Case, base: Case, figure: str) -> Spread:
        """Summarize the ratios to another case, each within a round."""
        bases = self._values(base, figure)
        own = self._values(case, figure)
        return Spread.of([value / bases[number] for number, value in own.items() if bases.get(number)])

    def share(self, case: Case, part: str, whole: str) -> Spread:
        """Summarize what one figure is of another one in the same run."""
        parts, wholes = self._values(case, part), self._values(case, whole)
        return Spread.of([value / wholes[number] for number, value in parts.items() if wholes.get(number)])

    def _values(self, case: Case, figure: str) -> dict[int, float]:
        return {
            outcome.round: outcome.figures.get(figure, math.nan)
            for outcome in self.all
            if outcome.case == case and not outcome.problem
        }


def tables(outcomes: list[Outcome], pickles: dict[int, float], machine: dict[str, str]) -> list[Table]:
    """Return the tables that have rows; `pickles` has the seconds of a bare pickle by size of state."""
    asked = Outcomes(outcomes)
    made = (described(machine), _delivery(asked), _states(asked, pickles), _problems(asked))
    return [table for table in made if table.rows]


def sentences(outcomes: list[Outcome], *, interrupted: bool) -> list[str]:
    """Describe in short how the runs went, and what speaks against quoting their figures."""
    problems = sum(bool(outcome.problem) for outcome in outcomes)
    said = [f"{len(outcomes)} runs, {problems} with problems{', interrupted' * interrupted}."]
    rounds = max((outcome.round + 1 for outcome in outcomes), default=0)
    if rounds < ROUNDS_TO_QUOTE:
        said.append(f"**Not for quoting:** fewer than {ROUNDS_TO_QUOTE} rounds.")
    noisy = sum(outcome.figures.get("foreign", 0.0) > NOISY for outcome in outcomes)
    if noisy:
        said.append(
            f"**Not for quoting:** in {noisy} of {len(outcomes)} runs others used more than {NOISY:.0%} of the machine."
        )
    return said


def _delivery(asked: Outcomes) -> Table:
    rows = []
    for case in asked.cases:
        live = replace(case, delivery="live")
        if case.window and case != live and live in asked.cases:
            dropped = asked.share(live, "others", "sent")
            rows.append(
                (
                    case.block,
                    spread(asked.spread(case, "rate"), "{:,.0f}"),
                    spread(asked.spread(live, "rate"), "{:,.0f}"),
                    spread(asked.ratio(case, live, "rate"), "{:.2f}"),
                    spread(dropped, "{:.1%}"),
                )
            )
    note = (
        "Blocks per second that reach the sink whole, median of the rounds (least to greatest); the ratio is taken within a"
        " round. Source and connector on two embedded nodes, the sink at the client, TLS. The source is no more than"
        f" {WINDOW} blocks ahead of the sink, so that live pipes have no reason to drop any; the last column says what they did."
    )
    return Table("Exact and live", note, ("block", "exact", "live", "exact / live", "live: dropped"), rows)


def _states(asked: Outcomes, pickles: dict[int, float]) -> Table:
    rows = []
    for case in asked.cases:
        if case.window:
            continue
        base = Case(case.elements, rate=case.rate)
        bare = pickles.get(case.size, math.nan)
        rows.append(
            (
                case.block,
                case.state,
                spread(asked.spread(case, "rate"), "{:,.0f}"),
                spread(asked.ratio(case, base, "rate"), "{:.2f}") if case.size else "",
                spread(_milliseconds(asked.spread(case, "longest")), "{:,.0f}"),
                one(bare * 1e3, "{:,.1f}"),
                one(asked.spread(case, "checkpoints").median, "{:.0f}"),
                one(asked.spread(case, "copies").median, "{:.0f}") if case.size else "",
            )
        )
    note = (
        "A connector whose state changes in every round, CHECKPOINT_INTERVAL 1 s; each state goes to the client and to another"
        " node. Stall: the longest time between two blocks at the sink. A bare pickle of the state is the least that the"
        " stream has to wait for it."
    )
    head = ("block", "state", "blocks/s", "x no state", "stall (ms)", "bare pickle (ms)", "kept", "copies")
    return Table("Checkpoints", note, head, rows)


def _milliseconds(seconds: Spread) -> Spread:
    return Spread(seconds.median * 1e3, seconds.least * 1e3, seconds.greatest * 1e3, seconds.known)


def _problems(asked: Outcomes) -> Table:
    rows = [
        (str(outcome.case), str(outcome.round + 1), outcome.problem.replace("\n", " / "))
        for outcome in asked.all
        if outcome.problem
    ]
    return Table("Problems", "", ("run", "round", "what"), rows)
