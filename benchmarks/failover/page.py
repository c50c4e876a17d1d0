"""RESULTS.md has a part of its own for failures."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.report.show import markdown
from benchmarks.report.tables import Table

BEGIN = "<!-- failures: from here to the end mark written by `python -m benchmarks.failover --publish` -->"
END = "<!-- end of the failures -->"


def publish(tables: Sequence[Table], page: Path) -> None:
    """Write the tables between the marks; ValueError when the page has lost them."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page}: expected the marks {BEGIN!r} and {END!r}")
    figures = "\n\n".join(map(markdown, tables))
    page.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", encoding="utf-8")
