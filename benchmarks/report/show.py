"""Tables on the terminal (rich where it is installed) and as Markdown."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from benchmarks.report.tables import Table


def show(tables: Sequence[Table], sentences: Sequence[str]) -> None:
    """Print the tables, then the sentences."""
    if sys.stdout.isatty() and find_spec("rich"):
        _show_rich(tables)
    else:
        print("\n\n".join(map(markdown, tables)))
    print()
    for sentence in sentences:
        print(sentence.replace("**", ""))


def _show_rich(tables: Sequence[Table]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    for table in tables:
        rich = RichTable(title=table.title, caption=table.note or None, box=SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(table.head):
            rich.add_column(name, justify="left" if index < 2 else "right", overflow="fold")
        for row in table.rows:
            rich.add_row(*map(Text, row))
        console.print(rich)


def markdown(table: Table) -> str:
    """Return a table as Markdown, with its title as a heading."""
    lines = [table.head, tuple("---" for _ in table.head), *table.rows]
    body = "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)
    return "\n\n".join(filter(None, (f"### {table.title}", table.note, body)))
