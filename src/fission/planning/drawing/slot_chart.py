"""A chart of the frame: a row for each node, a column for each slot, in each cell what the node does."""

from collections.abc import Iterator

from fission.planning.drawing.svg import color, document, label
from fission.planning.model import Embedding, Problem

__all__ = ["slot_chart"]

_LEFT, _TOP = 120.0, 46.0
_WIDTH, _HEIGHT = 128.0, 26.0


def slot_chart(problem: Problem, plan: Embedding) -> str:
    """Return the chart as SVG. A filled cell sends, an outlined one receives; cells of one block have one color."""
    rows = {node.name: number for number, node in enumerate(problem.nodes)}
    colors = {block.name: color(number) for number, block in enumerate(problem.blocks)}
    width = _LEFT + _WIDTH * max(plan.slots, 1) + 20.0
    height = _TOP + _HEIGHT * len(rows) + 40.0
    parts = [*_grid(problem, plan, width), *_cells(plan, rows, colors)]
    verdict = "optimal" if plan.optimal else f"bound {plan.bound}"
    parts.append(label(20.0, height - 14.0, "filled: sends, outlined: receives", kind="faint"))
    title = f"{problem.name or 'Plan'}: {plan.slots} slots, {verdict}"
    parts.append(label(20.0, 20.0, title, limit=60))
    return document(max(width, 300.0), height, title, parts)


def _grid(problem: Problem, plan: Embedding, width: float) -> Iterator[str]:
    for number in range(plan.slots):
        yield label(
            _LEFT + _WIDTH * (number + 0.5), _TOP - 6, f"slot {number + 1}", kind="faint", anchor="middle"
        )
    for number, node in enumerate(problem.nodes):
        y = _TOP + _HEIGHT * number
        yield f'<path class="grid" d="M20,{y:.1f} H{width - 20.0:.1f}"/>'
        yield label(20.0, y + 17.0, node.name, limit=15)


def _cells(plan: Embedding, rows: dict[str, int], colors: dict[str, str]) -> Iterator[str]:
    for number, slot in enumerate(plan.schedule):
        for sent in slot:
            paint = colors[sent.block]
            yield from _cell(number, rows[sent.sender], sent.block, f'fill="{paint}" fill-opacity="0.45"')
            for receiver in sent.receivers:
                text = f"{sent.block} from {sent.sender}"
                yield from _cell(
                    number, rows[receiver], text, f'fill="none" stroke="{paint}" stroke-width="1.5"'
                )


def _cell(slot: int, row: int, text: str, style: str) -> Iterator[str]:
    x, y = _LEFT + _WIDTH * slot + 4.0, _TOP + _HEIGHT * row + 3.0
    yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{_WIDTH - 8:.0f}" height="{_HEIGHT - 6:.0f}" rx="4" {style}/>'
    yield label(x + (_WIDTH - 8) / 2, y + 14.5, text, anchor="middle", limit=18)
