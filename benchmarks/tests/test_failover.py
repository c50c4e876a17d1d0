"""Figures of failures follow from the rows and lines of a run."""

import math
import time
from pathlib import Path

import pytest

from benchmarks.failover.costs import Cost
from benchmarks.failover.figures import first_line_after, gap
from benchmarks.failover.report import tables
from benchmarks.failover.trials import FAULTS, Trials
from benchmarks.report.page import FAILURES


def test_gap_ends_with_the_first_block_of_another_process() -> None:
    arrivals = [(1.0, 7), (1.1, 7), (1.21, 7), (1.7, 8), (1.71, 8)]
    assert gap(arrivals, 1.2) == pytest.approx(0.5)


def test_no_block_of_another_process_is_no_gap() -> None:
    assert math.isnan(gap([(1.0, 7), (1.1, 7)], 1.05))
    assert math.isnan(gap([(1.1, 7), (1.2, 7)], 1.0))


def test_first_line_is_one_after_the_fault() -> None:
    struck = time.mktime((2026, 11, 27, 10, 0, 0, 0, 0, -1)) + 0.250
    log = "2026-11-27 10:00:00,100 WARNING lost: a\nno time\n2026-11-27 10:00:00,750 WARNING lost: b\n"
    assert first_line_after(log, "lost", struck) == pytest.approx(0.5)
    assert math.isnan(first_line_after(log, "found", struck))


def test_tables_name_goals_and_mistakes() -> None:
    trials = [
        Trials("power", [0.5, 0.9, 0.6], [0.1, 0.1, 0.1]),
        Trials("job", [0.3], [0.1], "row 3: wrong\nmore"),
    ]
    failover, costs = tables(trials, [Cost("start (s)", 3, values=[4.0])], {})
    assert failover.rows[0][3:] == (
        "0.600 (0.500 to 0.900)",
        "<= 0.7",
        "reached",
        "nothing lost, doubled or mixed up",
    )
    assert failover.rows[1][5:] == ("not reached", "row 3: wrong")
    assert costs.rows[0][1:4] == ("4.00", "<= 3", "not reached")


def test_page_keeps_what_stands_around(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text(f"before\n{FAILURES.begin}\nold\n{FAILURES.end}\nafter\n")
    FAILURES.publish(tables([Trials("link", [1.0], [0.5])], [], {}), page)
    text = page.read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert FAULTS["link"].title in text
    assert "old" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="marks"):
        FAILURES.publish([], page)
