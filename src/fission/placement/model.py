"""The input of placement: a snapshot of the nodes, and the quality of the links between them.

The client is `LOCAL` here: it has no slots and no place among the nodes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fission.core.groups import LOCAL
from fission.core.nodes import NodeInfo

BEST_TQ = 255.0
"""The quality of a perfect link, of a node to itself, and of an unknown link."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node that may get jobs.

    `address` names it in every result. `groups` are those it is in; "ALL" need not stand there. `slots` is
    how many jobs it can run, `occupied` how many slots are taken by jobs of *other* networks: jobs of the
    network that is placed are counted by `place` itself. `active` is False for a node that is down or has
    not answered.
    """

    address: str
    info: NodeInfo
    name: str = ""
    groups: frozenset[str] = frozenset()
    slots: int = 1
    occupied: int = 0
    active: bool = True

    def __post_init__(self) -> None:
        if self.address in ("", LOCAL):
            raise ValueError(f"{self.address!r} is no address of a node")
        if self.slots < 0 or self.occupied < 0:
            raise ValueError(f"{self.address}: {self.slots} slots, {self.occupied} occupied")

    def is_called(self, wanted: str) -> bool:
        """Whether this node is meant by a DEFAULT_NODE: by its address or by its name."""
        return wanted == self.address or (wanted != "" and wanted == self.name)


@dataclass(frozen=True, slots=True)
class Links:
    """Transmit quality (TQ, 0 to 255) by (from address, to address), as the first of the two sees it.

    `client` is the client's address among these; without it the links of the client are unknown.
    """

    tq: Mapping[tuple[str, str], float] = field(default_factory=dict)
    client: str = LOCAL

    def quality(self, here: str, there: str) -> float:
        """Tell the TQ of a link: 255 to itself and where unknown; one known direction stands for both."""
        here = self.client if here == LOCAL else here
        there = self.client if there == LOCAL else there
        if here == there:
            return BEST_TQ
        known = self.tq.get((here, there))
        if known is None:
            known = self.tq.get((there, here), BEST_TQ)
        return between(known, 0.0, BEST_TQ)

    def mean_quality(self, here: str, others: Iterable[str]) -> float:
        """Tell the mean TQ from one node to others; 255 if there are none."""
        found = [self.quality(here, other) for other in others]
        return sum(found) / len(found) if found else BEST_TQ


def between(value: float, low: float, high: float) -> float:
    """Bring a measured value into its range; what is no number at all counts as `low`."""
    if value > high:
        return high
    return value if value >= low else low


def natural(address: str) -> list[tuple[int, str]]:
    """Sort key that puts 10.0.0.2 before 10.0.0.10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", address)]


def by_address(node: NodeState) -> list[tuple[int, str]]:
    """Sort key of nodes, so that results do not depend on the order of answers."""
    return natural(node.address)
