"""Everything that one call of the harness measured, and questions to it. Pure."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.harness.measure import Measure


class Spread(NamedTuple):
    """Median, least and greatest of some runs; all NaN when there are none."""

    median: float
    least: float
    greatest: float
    known: int
    """Runs that gave the figure."""

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Summarize; NaN values are left out."""
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return cls(math.nan, math.nan, math.nan, 0)
        return cls(statistics.median(known), min(known), max(known), len(known))


@dataclass
class Result:
    """One call of the harness."""

    machine: dict[str, str]
    bare_memory: dict[str, float]
    settings: dict[str, float]
    measures: list[Measure] = field(default_factory=list)
    interrupted: bool = False

    def of(self, kind: str, workload: str, subject: str) -> list[Measure]:
        """Return the runs of one cell of a table, failed ones too."""
        wanted = (kind, workload, subject)
        return [one for one in self.measures if (one.kind, one.workload, one.subject) == wanted]

    def spread(self, kind: str, workload: str, subject: str, figure: str) -> Spread:
        """Summarize one figure over the rounds."""
        return Spread.of([one.figures.get(figure, math.nan) for one in self.of(kind, workload, subject)])

    def total(self, kind: str, workload: str, subject: str, figure: str) -> float:
        """Sum one figure over the rounds."""
        return sum(one.figures.get(figure, 0.0) for one in self.of(kind, workload, subject))

    def ratio(self, kind: str, workload: str, subject: str, figure: str, base: str) -> Spread:
        """Summarize the ratios to `base`, each within the same round (so that a slow minute slows both)."""
        bases = {one.round: one.figures.get(figure, math.nan) for one in self.of(kind, workload, base)}
        ratios = [
            one.figures.get(figure, math.nan) / bases[one.round]
            for one in self.of(kind, workload, subject)
            if bases.get(one.round)
        ]
        return Spread.of(ratios)

    def sound(self, subject: str) -> bool:
        """Whether a subject's runs all ended well, and nothing was lost, doubled, spoiled or left running."""
        bad = ("lost", "duplicates", "corrupt", "left")
        own = [one for one in self.measures if one.subject == subject]
        return not any(one.problem or any(one.figures.get(name) for name in bad) for one in own)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return vars(self) | {"measures": [one.as_dict() for one in self.measures]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Result":
        """Read what `as_dict` gave; TypeError or KeyError when it is something else."""
        return cls(**dict(data) | {"measures": [Measure(**one) for one in data["measures"]]})
