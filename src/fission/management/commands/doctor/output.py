"""Shows a report: a part for each machine, problems first."""

from collections.abc import Mapping

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fission.diagnosis.facts import CLIENT
from fission.diagnosis.findings import Level, Lines, Report
from fission.management.console.tables import show
from fission.project.suggest import counted

_STYLES = {Level.ERROR: "red", Level.WARNING: "yellow", Level.OK: "green"}
_MOST_SOURCES = 4
_INDENT = (0, 0, 0, 2)


def show_report(report: Report, names: Mapping[str, str], console: Console, *, details: bool) -> None:
    """Print the findings by machine, and their number. `names` has the nodes by address.

    What is well is shown with `details`, else only named.
    """
    for node in report.nodes():
        lines = report.lines(node)
        console.print(Text(_title(node) + (f" ({names[node]})" if names.get(node) else ""), style="bold"))
        shown = [one for one in lines if details or one.finding.level is not Level.OK]
        named = [one for one in lines if one not in shown]
        for part in ([_table(shown)] if shown else []) + ([_named(named)] if named else []):
            show(console, Padding(part, _INDENT, expand=False))
        console.print()
    console.print(Text(_summary(report)))


def _title(node: str) -> str:
    return {"": "the network", CLIENT: "this machine"}.get(node, node)


def _table(lines: list[Lines]) -> Table:
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(min_width=len(Level.WARNING))
    made.add_column(min_width=max(len(one.finding.id) for one in lines))
    made.add_column(overflow="fold")
    for one in lines:
        finding = one.finding
        cell = [Text(f"{_from(one.sources)}{finding.text}")]
        if finding.hint:
            cell.append(Text(f"hint: {finding.hint}", style="dim"))
        made.add_row(Text(finding.level, style=_STYLES[finding.level]), finding.id, Group(*cell))
    return made


def _named(lines: list[Lines]) -> Table:
    """Return one row with all that is well."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(min_width=len(Level.WARNING))
    made.add_column(overflow="fold")
    ids = dict.fromkeys(one.finding.id for one in lines)
    made.add_row(Text(Level.OK, style=_STYLES[Level.OK]), Text(", ".join(ids), style="dim"))
    return made


def _from(sources: tuple[str, ...]) -> str:
    if not sources:
        return ""
    names = [_title(one) for one in sources[:_MOST_SOURCES]]
    more = len(sources) - len(names)
    return f"from {', '.join(names)}{f' and {more} more' if more else ''}: "


def _summary(report: Report) -> str:
    numbers = [(report.count(level), str(level)) for level in (Level.ERROR, Level.WARNING)]
    problems = ", ".join(counted(number, noun) for number, noun in numbers if number)
    return f"{counted(len(report.findings), 'finding')}: {problems or 'all is well'}"
