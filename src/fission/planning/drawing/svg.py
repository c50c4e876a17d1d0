"""What both drawings share: the frame of the document, its colors in light and dark, escaped text."""

from collections.abc import Iterable
from html import escape

__all__ = ["color", "document", "label"]

_HUES = (205, 25, 140, 280, 50, 330, 175, 90)
"""Of the slots, one after the other; text and lines of one hue have enough contrast on both backgrounds."""

_STYLE = """
  svg { color-scheme: light dark; }
  .paper { fill: #ffffff; } .ink { fill: #1b1f24; } .faint { fill: #57606a; }
  .line { stroke: #57606a; } .grid { stroke: #d0d7de; } .node { fill: #f3f5f7; stroke: #57606a; }
  .halo { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
  text { font-family: system-ui, sans-serif; font-size: 12px; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; } .ink { fill: #e6edf3; } .faint { fill: #9aa4af; }
    .line { stroke: #9aa4af; } .grid { stroke: #30363d; } .node { fill: #1c2129; stroke: #9aa4af; }
    .halo { stroke: #0d1117; }
  }
"""


def color(number: int) -> str:
    """Return the color of the number-th slot or block, counted from 0."""
    turn, index = divmod(number, len(_HUES))
    return f"hsl({(_HUES[index] + 11 * turn) % 360}, 70%, {48 if turn % 2 == 0 else 58}%)"


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return a whole SVG document, with `title` for screen readers."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def label(x: float, y: float, text: str, *, kind: str = "ink", anchor: str = "start", limit: int = 40) -> str:
    """Return a line of text; a longer one is cut, and whole in its tooltip."""
    short = text if len(text) <= limit else f"{text[: limit - 1]}…"
    tip = f"<title>{escape(text)}</title>" if short != text else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{tip}{escape(short)}</text>'
