"""The embedding problem and its solution as values; `docs/explanation/embedding.md` has the mathematics.

Positions are in m, powers and noise in W, rates in bit/s (1 with the bandwidth 1), capacities and demands in one unit of the
user's choice.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fission.errors import UserError

__all__ = [
    "DEFAULT_RATE",
    "Block",
    "Embedding",
    "EmbeddingError",
    "Node",
    "Problem",
    "Radio",
    "Transmission",
    "Violation",
]

DEFAULT_RATE = math.log2(21.0)
"""Rate of MARVELO's instances: with the bandwidth 1 it needs an SINR of 20."""


_NEAREST = 1e-6
_FARTHEST = 1e9
_STEEPEST = 10.0
"""Limits within which no gain overflows: distances in m, exponent of the path loss."""


class EmbeddingError(UserError):
    """A problem or plan that is malformed or has no solution; `where` names the file and the field."""


@dataclass(frozen=True, slots=True)
class Radio:
    """What all nodes share: noise in W, bandwidth in Hz, exponent of the path loss."""

    noise: float = 1e-6
    bandwidth: float = 1.0
    exponent: float = 2.0


@dataclass(frozen=True, slots=True)
class Node:
    """A device: position in m, transmit power in W, capacity in the unit of the demands."""

    name: str
    x: float
    y: float
    capacity: float
    power: float = 1.0


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the computation. Its data need `rate` at every hop; `node` is where it has to run, None if free."""

    name: str
    demand: float = 0.0
    rate: float = DEFAULT_RATE
    node: str | None = None


@dataclass(frozen=True)
class Problem:
    """An instance. The blocks form a directed graph, with cycles and any number of sources; order has no meaning.

    The constructor raises EmbeddingError for duplicate or unknown names, values out of range and nodes at the same place.
    """

    nodes: tuple[Node, ...]
    blocks: tuple[Block, ...]
    links: tuple[tuple[str, str], ...] = ()
    radio: Radio = field(default_factory=Radio)
    name: str = ""

    def __post_init__(self) -> None:
        _check_radio(self.radio)
        _check_nodes(self.nodes)
        _check_blocks(self.blocks, {node.name for node in self.nodes})
        _check_links(self.links, {block.name for block in self.blocks})


@dataclass(frozen=True, slots=True)
class Transmission:
    """In one slot `sender` sends the data of `block` once, and all `receivers` decode them."""

    sender: str
    block: str
    receivers: tuple[str, ...]


@dataclass(frozen=True)
class Embedding:
    """A solution: a node for each block, the transmissions of each slot, a path of nodes for each link between two nodes.

    `bound` is a proven lower bound of the number of slots.
    """

    placement: Mapping[str, str]
    schedule: tuple[tuple[Transmission, ...], ...]
    routes: Mapping[tuple[str, str], tuple[str, ...]]
    bound: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "placement", MappingProxyType(dict(self.placement)))
        object.__setattr__(self, "routes", MappingProxyType(dict(self.routes)))

    @property
    def slots(self) -> int:
        """Slots of the frame."""
        return len(self.schedule)

    @property
    def optimal(self) -> bool:
        """Whether no embedding needs fewer slots, by the bound."""
        return self.slots == self.bound


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that an embedding breaks: `rule` is one word, `where` the block, node, link or slot."""

    rule: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text} [{self.rule}]"


def _check_radio(radio: Radio) -> None:
    for name in ("noise", "bandwidth", "exponent"):
        most = _STEEPEST if name == "exponent" else 1e30
        _check_number(f"radio, {name}", getattr(radio, name), least=0.0, most=most, open_=True)


def _check_nodes(nodes: tuple[Node, ...]) -> None:
    if not nodes:
        raise EmbeddingError("there are no nodes", where="nodes", expected="at least one")
    _check_unique("nodes", [node.name for node in nodes])
    for node in nodes:
        where = f"node {node.name}"
        for name in ("x", "y"):
            _check_number(f"{where}, {name}", getattr(node, name), least=-_FARTHEST, most=_FARTHEST)
        _check_number(f"{where}, capacity", node.capacity, least=0.0)
        _check_number(f"{where}, power", node.power, least=0.0, open_=True)
    for one, other in itertools.combinations(nodes, 2):
        if math.hypot(one.x - other.x, one.y - other.y) < _NEAREST:
            raise EmbeddingError(
                f"it has the position of node {one.name}",
                where=f"node {other.name}",
                expected=f"a distance of at least {_NEAREST:g} m, because the gain grows without limit",
            )


def _check_blocks(blocks: tuple[Block, ...], nodes: set[str]) -> None:
    if not blocks:
        raise EmbeddingError("there are no blocks", where="blocks", expected="at least one")
    _check_unique("blocks", [block.name for block in blocks])
    for block in blocks:
        where = f"block {block.name}"
        _check_number(f"{where}, demand", block.demand, least=0.0)
        _check_number(f"{where}, rate", block.rate, least=0.0, open_=True)
        if block.node is not None and block.node not in nodes:
            raise EmbeddingError(
                "there is no such node", where=f"{where}, node", found=repr(block.node), expected=_some(nodes)
            )


def _check_links(links: tuple[tuple[str, str], ...], blocks: set[str]) -> None:
    for source, target in links:
        where = f"link {source} -> {target}"
        for end in (source, target):
            if end not in blocks:
                raise EmbeddingError(
                    "there is no such block", where=where, found=repr(end), expected=_some(blocks)
                )
        if source == target:
            raise EmbeddingError("it joins a block with itself", where=where, expected="two blocks")
    _check_unique("links", [f"{source} -> {target}" for source, target in links])


def _check_unique(where: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if not name:
            raise EmbeddingError("a name is empty", where=where, expected="a text")
        if count > 1:
            raise EmbeddingError("the name occurs twice", where=where, found=repr(name))


def _check_number(where: str, value: float, *, least: float, most: float = 1e30, open_: bool = False) -> None:
    if not least <= value <= most or (open_ and value == least):
        limit = f" {'above' if open_ else 'of at least'} {least:g} and at most {most:g}"
        raise EmbeddingError("it is out of range", where=where, expected=f"a number{limit}", found=f"{value}")


def _some(names: set[str]) -> str:
    listed = sorted(names)
    return f"one of {', '.join(listed[:8])}{', ...' * (len(listed) > 8)}"
