"""Detects growth of figures over a run. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.endurance.census import unit_of
from benchmarks.harness.growth import slope

SLACK = {"MB": 6.0}
"""What the slope over the second half of a run may add up to, by unit: caches fill, and a moment is not like another."""
COUNTED = 4.0
"""The same for whatever is counted in pieces."""


@dataclass
class Growth:
    """One figure over a run: (how far, figure), in the order of time."""

    what: str
    points: list[tuple[float, float]] = field(default_factory=list)

    @property
    def late(self) -> list[tuple[float, float]]:
        """The second half: what fills up to a bound is full by then."""
        middle = (self.points[0][0] + self.points[-1][0]) / 2 if self.points else 0.0
        return [point for point in self.points if point[0] >= middle]

    @property
    def speed(self) -> float:
        """Growth for each step of the way, over the second half."""
        return slope(self.late)

    @property
    def grown(self) -> float:
        """What that adds up to over the second half."""
        late = self.late
        return self.speed * (late[-1][0] - late[0][0]) if late else 0.0

    @property
    def allowed(self) -> float:
        """What it may add up to."""
        return SLACK.get(unit_of(self.what), COUNTED)

    @property
    def grows(self) -> bool:
        """Whether it is more than that."""
        return self.grown > self.allowed

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"what": self.what, "points": self.points, "grown": self.grown, "grows": self.grows}


class Growths:
    """Call `add` with each census; then every figure has its growth."""

    def __init__(self) -> None:
        self._all: dict[str, Growth] = {}

    def add(self, way: float, figures: Mapping[str, float]) -> None:
        """A census, after so many failovers or minutes."""
        for what, figure in figures.items():
            self._all.setdefault(what, Growth(what)).points.append((way, figure))

    @property
    def all(self) -> Sequence[Growth]:
        """Every figure."""
        return list(self._all.values())

    @property
    def growing(self) -> list[str]:
        """What grows."""
        return [one.what for one in self._all.values() if one.grows]
