"""How a report looks on a terminal of 80 columns."""

import io

import pytest
from rich.console import Console

from fission.diagnosis.facts import CLIENT
from fission.diagnosis.findings import Finding, Level, Report
from fission.management.commands.doctor.output import show_report

HINT = "In the firewall of the machine, accept TCP ports 32768-60999 from all nodes and the client"


def shown(*findings: Finding, details: bool = False) -> str:
    file = io.StringIO()
    show_report(Report(findings), {"a": "roof"}, Console(file=file, width=80), details=details)
    return file.getvalue()


def unreached(source: str) -> Finding:
    return Finding(Level.ERROR, "port.data", "a", "a port that is open does not answer", HINT, source)


def test_problems_come_first_and_what_is_well_is_only_named() -> None:
    text = shown(
        Finding(Level.OK, "disk.free", CLIENT, "3 GB free"),
        Finding(Level.OK, "disk.free", "a", "3 GB free"),
        Finding(Level.OK, "memory.free", "a", "3 GB free"),
        unreached("b"),
        Finding(Level.OK, "groups.jobs", "", "each job has a node"),
    )
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= 80
    assert lines[0] == "a (roof)"
    assert lines[1].startswith("  error    port.data  from b: a port that is open does not answer")
    assert "  ok       disk.free, memory.free" in lines
    assert lines.index("this machine") < lines.index("the network")
    assert "3 GB" not in text
    assert lines[-1] == "5 findings: 1 error"
    assert " ".join(HINT.split()) in " ".join(text.split())


def test_details() -> None:
    text = shown(Finding(Level.OK, "disk.free", CLIENT, "3 GB free"), details=True)
    assert "  ok       disk.free  3 GB free" in text
    assert text.endswith("1 finding: all is well\n")


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["b"], "from b: "),
        ([CLIENT, "b"], "from this machine, b: "),
        (["b", "c", "d", "e"], "from b, c, d, e: "),
        (["b", "c", "d", "e", "f", "g"], "from b, c, d, e and 2 more: "),
    ],
)
def test_the_same_problem_from_several_machines_is_one_line(sources: list[str], words: str) -> None:
    text = shown(*map(unreached, sources))
    assert text.count("port.data") == 1
    assert words in " ".join(text.split())
