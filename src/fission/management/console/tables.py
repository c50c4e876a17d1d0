"""Tables of the commands: without borders, numbers aligned right, empty columns left out."""

import sys
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_WHOLE = 200
"""Width of output that is no terminal, so that programs read whole table rows."""

Row = tuple[str | Text, ...]


def table(titles: Iterable[str], rows: Iterable[Row], *, numbers: Iterable[str] = ()) -> Table:
    """Make a table; the columns with the titles in `numbers` are aligned right.

    In a narrow terminal, columns with several words wrap, except for the first column. Nothing is truncated.
    """
    made = Table(box=None, pad_edge=False, header_style="bold")
    columns = zip(titles, zip(*rows, strict=True), strict=True)
    filled = [(title, cells) for title, cells in columns if any(map(str, cells))]
    for index, (title, cells) in enumerate(filled):
        number = title in numbers
        whole = number or index == 0 or not any(" " in str(cell) for cell in cells)
        least = (
            max(len(line) for cell in (title, *cells) for line in str(cell).split("\n")) if whole else None
        )
        made.add_column(title, justify="right" if number else "left", overflow="fold", min_width=least)
    for row in zip(*(cells for _, cells in filled), strict=True):
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def printable(text: str) -> str:
    """Return the text with control characters, such as those of a terminal, as escapes."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


LOAD = ("free\ncpu", "free\nmemory")
"""Column titles for the cells of `load_cells`."""


def load_cells(cpu: float, memory: float) -> tuple[str, str]:
    """Format free CPU and free memory of a node."""
    return f"{cpu:.0f} %", f"{memory / 2**30:.1f} GB"


def show(console: Console, part: RenderableType) -> None:
    """Print one or several tables. The terminal wraps a table whose minimum width exceeds its own."""
    width = Measurement.get(console, console.options, part).minimum
    console.print(part, width=max(console.width, width), crop=False, soft_wrap=False)


def styled(row: Row, style: str) -> Row:
    """Return the same row in another style."""
    return tuple(Text(str(cell), style=style) for cell in row)


def new_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Make a console with the width of its terminal, or a large one. With `soft_wrap` the terminal wraps long lines."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(highlight=False, stderr=stderr, soft_wrap=soft_wrap, width=None if terminal else _WHOLE)
