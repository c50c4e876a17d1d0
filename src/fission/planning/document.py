"""Problems and plans as plain data (what JSON holds), with errors that name the field. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from fission.planning.model import (
    Block,
    Embedding,
    EmbeddingError,
    Node,
    Problem,
    Radio,
    Transmission,
)

__all__ = ["embedding_from", "embedding_to", "problem_from", "problem_to"]


def problem_from(document: object) -> Problem:
    """Build a problem from plain data; `docs/how-to/plan.md` has the fields. Raises EmbeddingError."""
    top = _Fields(document, "")
    radio = _Fields(top.get("radio", {}), "radio")
    defaults = Radio()
    pins = _pins(top)
    try:
        return Problem(
            nodes=tuple(_node(one) for one in top.items("nodes")),
            blocks=tuple(_block(one, pins) for one in top.items("blocks")),
            links=tuple(_link(one, f"links[{n}]") for n, one in enumerate(top.list("links", []))),
            radio=Radio(
                **{
                    name: radio.number(name, getattr(defaults, name))
                    for name in ("noise", "bandwidth", "exponent")
                }
            ),
            name=str(top.get("name", top.get("id", ""))),
        )
    except RecursionError as error:
        raise EmbeddingError("it is nested too deeply", expected=_SHAPE) from error


def problem_to(problem: Problem) -> dict[str, Any]:
    """Return the plain data of a problem."""
    radio = problem.radio
    return {
        "name": problem.name,
        "radio": {"noise": radio.noise, "bandwidth": radio.bandwidth, "exponent": radio.exponent},
        "nodes": [
            {"name": node.name, "x": node.x, "y": node.y, "capacity": node.capacity, "power": node.power}
            for node in problem.nodes
        ],
        "blocks": [
            {"name": block.name, "demand": block.demand, "rate": block.rate}
            | ({} if block.node is None else {"node": block.node})
            for block in problem.blocks
        ],
        "links": [list(link) for link in problem.links],
    }


def embedding_from(document: object) -> Embedding:
    """Build an embedding from the plain data of a plan. Raises EmbeddingError."""
    top = _Fields(document, "")
    placement = _Fields(top.get("placement"), "placement")
    schedule = []
    for number, slot in enumerate(top.list("schedule"), 1):
        where = f"schedule[{number - 1}]"
        if not isinstance(slot, list):
            raise _wrong(where, "a list of transmissions", slot)
        fields = [_Fields(one, f"{where}[{index}]") for index, one in enumerate(slot)]
        schedule.append(
            tuple(
                Transmission(one.text("sender"), one.text("block"), one.texts("receivers")) for one in fields
            )
        )
    routes = {}
    for one in top.items("routes", []):
        routes[one.text("source"), one.text("target")] = one.texts("nodes")
    bound = top.get("bound", 0)
    if not isinstance(bound, int) or isinstance(bound, bool) or bound < 0:
        raise _wrong("bound", "a whole number of at least 0", bound)
    return Embedding(
        {name: placement.text(name) for name in placement.names()}, tuple(schedule), routes, bound
    )


def embedding_to(plan: Embedding) -> dict[str, Any]:
    """Return the plain data of an embedding."""
    return {
        "slots": plan.slots,
        "bound": plan.bound,
        "optimal": plan.optimal,
        "placement": dict(plan.placement),
        "schedule": [
            [{"sender": sent.sender, "block": sent.block, "receivers": list(sent.receivers)} for sent in slot]
            for slot in plan.schedule
        ],
        "routes": [
            {"source": source, "target": target, "nodes": list(path)}
            for (source, target), path in plan.routes.items()
        ],
    }


_SHAPE = "an object with nodes, blocks and links"
_MISSING: Any = object()


class _Fields:
    """An object of the document; errors name its place."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise _wrong(where, "an object" if where else _SHAPE, value)
        self._value = value
        self._where = where

    def names(self) -> list[str]:
        return [str(name) for name in self._value]

    def get(self, name: str, default: Any = _MISSING) -> Any:
        value = self._value.get(name, default)
        if value is _MISSING:
            raise EmbeddingError("it is missing", where=self._place(name))
        return value

    def number(self, name: str, default: Any = _MISSING) -> float:
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(self._place(name), "a number", value)
        return float(value)

    def text(self, name: str) -> str:
        return _text(self.get(name), self._place(name))

    def optional(self, name: str) -> str | None:
        value = self.get(name, None)
        return None if value is None else _text(value, self._place(name))

    def list(self, name: str, default: Any = _MISSING) -> Sequence[Any]:
        value = self.get(name, default)
        if not isinstance(value, list):
            raise _wrong(self._place(name), "a list", value)
        return value

    def items(self, name: str, default: Any = _MISSING) -> Sequence["_Fields"]:
        place = self._place(name)
        return [_Fields(one, f"{place}[{n}]") for n, one in enumerate(self.list(name, default))]

    def texts(self, name: str) -> tuple[str, ...]:
        place = self._place(name)
        return tuple(_text(one, f"{place}[{n}]") for n, one in enumerate(self.list(name)))

    def _place(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name


def _pins(top: _Fields) -> dict[str, str]:
    """Read `source_block`, `source_node`, `sink_block` and `sink_node`, as in the published instances."""
    pins = {}
    for end in ("source", "sink"):
        block = top.optional(f"{end}_block")
        if block is not None:
            pins[block] = top.text(f"{end}_node")
    return pins


def _node(one: _Fields) -> Node:
    return Node(
        one.text("name"), one.number("x"), one.number("y"), one.number("capacity"), one.number("power", 1.0)
    )


def _block(one: _Fields, pins: Mapping[str, str]) -> Block:
    name = one.text("name")
    own = one.optional("node")
    rate = one.number("rate", Block(name).rate)
    return Block(name, one.number("demand", 0.0), rate, pins.get(name) if own is None else own)


def _link(one: object, where: str) -> tuple[str, str]:
    if not isinstance(one, list) or len(one) != 2:
        raise _wrong(where, "a list of two names of blocks", one)
    return _text(one[0], where), _text(one[1], where)


def _text(value: object, where: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value or len(value) > 200 or not value.isprintable():
        raise _wrong(where, "a printable name of 1 to 200 characters", value)
    return value


def _wrong(where: str, expected: str, found: object) -> EmbeddingError:
    shown = "nothing" if found is None else repr(found)
    if len(shown) > 80:
        shown = f"{shown[:77]}..."
    return EmbeddingError("it is wrong", where=where, expected=expected, found=shown)
