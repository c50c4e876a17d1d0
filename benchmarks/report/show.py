"""Tables on the terminal (rich where it is installed) and as Markdown."""

from collections.abc import Sequence

from benchmarks.report.tables import Table


def show(tables: Sequence[Table]) -> None:
    """Print the tables."""
    try:
        from rich.console import Console
    except ImportError:
        print("\n\n".join(map(markdown, tables)))
        return
    console = Console()
    if not console.is_terminal:
        print("\n\n".join(map(markdown, tables)))
        return
    _show_rich(console, tables)


def _show_rich(console: object, tables: Sequence[Table]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    if not isinstance(console, Console):
        raise TypeError(f"not a console: {console!r}")
    for table in tables:
        rich = RichTable(title=table.title, caption=table.note or None)
        for index, name in enumerate(table.head):
            rich.add_column(name, justify="left" if index < 2 else "right")
        for row in table.rows:
            rich.add_row(*map(Text, row))
        console.print(rich)


def markdown(table: Table) -> str:
    """Give a table as Markdown, with its title as a heading."""
    lines = [table.head, tuple("---" for _ in table.head), *table.rows]
    body = "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)
    return "\n\n".join(filter(None, (f"### {table.title}", table.note, body)))
