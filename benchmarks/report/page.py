"""RESULTS.md: what stands between two marks is written anew, what a person wrote around them stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report.result import Result
from benchmarks.report.show import markdown
from benchmarks.report.summary import sentences
from benchmarks.report.tables import Table, all_tables


@dataclass(frozen=True)
class Part:
    """A part of the page, which one command writes."""

    name: str
    command: str

    @property
    def begin(self) -> str:
        """The mark before it."""
        return f"<!-- {self.name}: from here to the end mark written by `{self.command} --publish` -->"

    @property
    def end(self) -> str:
        """The mark behind it."""
        return f"<!-- end of the {self.name} -->"

    def publish(self, tables: Sequence[Table], page: Path, sentences: Sequence[str] = ()) -> None:
        """Write sentences and tables between the marks; ValueError when the page has lost them."""
        text = page.read_text(encoding="utf-8")
        before, begin, rest = text.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not (begin and end):
            raise ValueError(f"{page}: expected the marks {self.begin!r} and {self.end!r}")
        short = "\n".join(f"- {sentence}" for sentence in sentences)
        figures = "\n\n".join(filter(None, [short, *map(markdown, tables)]))
        page.write_text(f"{before}{begin}\n\n{figures}\n\n{end}{after}", encoding="utf-8")


FIGURES = Part("figures", "python -m benchmarks")
FAILURES = Part("failures", "python -m benchmarks.failover")
EXACTNESS = Part("cost of exactness", "python -m benchmarks.exactness")
ENDURANCE = Part("long runs", "python -m benchmarks.endurance")
CHAOS = Part("chaos", "python -m benchmarks.chaos")
SCALE = Part("scale", "python -m benchmarks.scale")
PROGRAMS = Part("programs", "python -m benchmarks.programs")
PLANNING = Part("planning", "python -m benchmarks.planning")
PARTS = (FIGURES, FAILURES, EXACTNESS, ENDURANCE, CHAOS, SCALE, PROGRAMS, PLANNING)


def publish(result: Result, page: Path) -> None:
    """Write the figures of the chain and its peers into the page; ValueError when it has lost its marks."""
    FIGURES.publish(all_tables(result), page, sentences(result))
