"""RESULTS.md: the figures between two marks are written anew, what a person wrote around them stays."""

from pathlib import Path

from benchmarks.report.result import Result
from benchmarks.report.show import markdown
from benchmarks.report.summary import sentences
from benchmarks.report.tables import all_tables

BEGIN = "<!-- figures: from here to the end mark written by `python -m benchmarks --publish` -->"
END = "<!-- end of the figures -->"
EMPTY = f"# Results\n\n{BEGIN}\n{END}\n"


def publish(result: Result, page: Path) -> None:
    """Write the figures of a result into the page; ValueError when the page has lost its marks."""
    text = page.read_text(encoding="utf-8") if page.exists() else EMPTY
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page}: expected the marks {BEGIN!r} and {END!r}")
    short = "\n".join(f"- {sentence}" for sentence in sentences(result))
    figures = "\n\n".join(filter(None, [short, *map(markdown, all_tables(result))]))
    page.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", encoding="utf-8")
