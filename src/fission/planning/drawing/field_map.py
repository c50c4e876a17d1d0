"""A map of the field: nodes with their blocks, and the hops in the color of their slot."""

import math
from collections import defaultdict
from collections.abc import Iterator
from html import escape

from fission.planning.drawing.svg import color, document, label
from fission.planning.model import Embedding, Problem

__all__ = ["field_map"]

_SIDE = 640.0
_MARGIN = 90.0
_RADIUS = 9.0
_COLUMNS = 6

Place = tuple[float, float]


def field_map(problem: Problem, plan: Embedding) -> str:
    """Return the map as SVG. An arrow is a reception; arrows of one slot have one color; the legend names the slots."""
    places, meters = _places(problem)
    height = max(y for _, y in places.values()) + _MARGIN
    rows = -(-plan.slots // _COLUMNS)
    parts = [
        *_markers(plan),
        *_arrows(plan, places),
        *_nodes(problem, plan, places),
        *_scale(height, meters),
        *_legend(plan, height),
    ]
    title = f"{problem.name or 'Plan'}: {plan.slots} slots"
    return document(_SIDE + 2 * _MARGIN + 80.0, height + 30.0 + 20.0 * rows, title, parts)


def _places(problem: Problem) -> tuple[dict[str, Place], float]:
    """Return where nodes are in the drawing, y upwards as on a map, and the meters of a pixel."""
    left, right = min(n.x for n in problem.nodes), max(n.x for n in problem.nodes)
    low, high = min(n.y for n in problem.nodes), max(n.y for n in problem.nodes)
    meters = max(right - left, high - low, 1e-9) / _SIDE
    return {
        n.name: (_MARGIN + (n.x - left) / meters, _MARGIN + (high - n.y) / meters) for n in problem.nodes
    }, meters


def _markers(plan: Embedding) -> Iterator[str]:
    yield "<defs>"
    for number in range(plan.slots):
        shape = f'<path d="M0,0 L8,4 L0,8 z" fill="{color(number)}"/>'
        yield (
            f'<marker id="tip{number}" markerWidth="8" markerHeight="8" refX="8" refY="4" orient="auto"'
            f' markerUnits="userSpaceOnUse">{shape}</marker>'
        )
    yield "</defs>"


def _arrows(plan: Embedding, places: dict[str, Place]) -> Iterator[str]:
    drawn: dict[tuple[str, str], int] = defaultdict(int)
    for number, slot in enumerate(plan.schedule):
        for sent in slot:
            for receiver in sent.receivers:
                bend = 14.0 + 12.0 * drawn[sent.sender, receiver]
                drawn[sent.sender, receiver] += 1
                path = _curve(places[sent.sender], places[receiver], bend)
                words = escape(f"slot {number + 1}: {sent.sender} sends {sent.block} to {receiver}")
                yield (
                    f'<path d="{path}" fill="none" stroke="{color(number)}" stroke-width="2"'
                    f' marker-end="url(#tip{number})"><title>{words}</title></path>'
                )


def _curve(start: Place, end: Place, bend: float) -> str:
    """Return a curve from the rim of one node to that of the other, bent to the side so that both directions show."""
    (x, y), (u, v) = start, end
    length = max(math.hypot(u - x, v - y), 1e-9)
    right, down = (u - x) / length, (v - y) / length
    middle = ((x + u) / 2 - down * bend, (y + v) / 2 + right * bend)
    rim = min(_RADIUS + 2.0, length / 3)
    return (
        f"M{x + right * rim:.1f},{y + down * rim:.1f} Q{middle[0]:.1f},{middle[1]:.1f}"
        f" {u - right * rim:.1f},{v - down * rim:.1f}"
    )


def _nodes(problem: Problem, plan: Embedding, places: dict[str, Place]) -> Iterator[str]:
    for node in problem.nodes:
        x, y = places[node.name]
        blocks = [block for block, host in plan.placement.items() if host == node.name]
        yield f'<circle class="node" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS:.0f}" stroke-width="1.5"/>'
        yield label(x + _RADIUS + 4, y + 4, node.name, kind="ink halo", limit=16)
        if blocks:
            yield label(x + _RADIUS + 4, y + 18, ", ".join(blocks), kind="faint halo", limit=24)


def _scale(height: float, meters: float) -> Iterator[str]:
    """Yield a bar of 1, 2 or 5 times a power of ten meters."""
    wanted = 120.0 * meters
    power = 10.0 ** math.floor(math.log10(wanted))
    length = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= wanted)
    pixels = length / meters
    y = height - 10.0
    yield f'<path class="line" d="M20,{y - 4:.1f} v4 h{pixels:.1f} v-4" fill="none"/>'
    yield label(26.0 + pixels, y, f"{length:g} m", kind="faint")


def _legend(plan: Embedding, height: float) -> Iterator[str]:
    for number in range(plan.slots):
        row, column = divmod(number, _COLUMNS)
        x, y = 20.0 + column * 130.0, height + 20.0 + 20.0 * row
        yield f'<path d="M{x:.1f},{y - 4:.1f} h22" stroke="{color(number)}" stroke-width="3"/>'
        yield label(x + 28.0, y, f"slot {number + 1}", kind="faint")
