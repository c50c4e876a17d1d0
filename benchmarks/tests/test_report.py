"""Figures in tables equal those of the runs: medians, ratios within a round, no figure without a run."""

from pathlib import Path

import pytest

from benchmarks.harness.command import PAGE
from benchmarks.harness.growth import slope
from benchmarks.harness.measure import Measure
from benchmarks.report.page import FIGURES, PARTS, Part, publish
from benchmarks.report.result import Result
from benchmarks.report.tables import all_tables


@pytest.fixture
def result() -> Result:
    """Three rounds in which the machine got faster, for both alike."""
    measures = []
    for number, speed in enumerate((1.0, 2.0, 4.0)):
        for subject, rate in (("fission", 100.0), ("bare", 200.0)):
            figures = {
                "rate": rate * speed,
                "lost": 0.0,
                "duplicates": 0.0,
                "corrupt": 0.0,
                "cpu_per_block": 1e-6,
            }
            measures.append(Measure(subject, "throughput", "int", number, figures))
    return Result({"date": "then"}, {"python": 11e6}, {"runs": 3, "seconds": 3}, measures)


def test_median_and_spread(result: Result) -> None:
    assert result.spread("throughput", "int", "fission", "rate") == (200, 100, 400, 3)


def test_ratio_is_taken_within_a_round(result: Result) -> None:
    assert result.ratio("throughput", "int", "fission", "rate", "bare") == (0.5, 0.5, 0.5, 3)


def test_lost_block_makes_a_result_unsound(result: Result) -> None:
    assert result.sound("fission")
    result.measures[0].figures["lost"] = 1.0
    assert not result.sound("fission")


def test_failed_run_is_shown_and_not_counted(result: Result) -> None:
    result.measures.append(Measure("fission", "throughput", "int", 3, problem="did not end in time"))
    assert result.spread("throughput", "int", "fission", "rate").known == 3
    problems = next(table for table in all_tables(result) if table.title == "Problems")
    assert "did not end in time" in problems.rows[0][2]


def test_result_survives_json(result: Result) -> None:
    assert Result.from_dict(result.as_dict()) == result


def test_page_keeps_what_a_person_wrote(result: Result, tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text(f"# Results\n\nabove\n\n{FIGURES.begin}\nold\n{FIGURES.end}\n\nbelow\n", encoding="utf-8")
    publish(result, page)
    publish(result, page)
    text = page.read_text(encoding="utf-8")
    assert "above" in text
    assert "below" in text
    assert "old" not in text
    assert text.count("### Throughput") == 1


def test_page_without_marks_is_not_touched(result: Result, tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="marks"):
        publish(result, page)
    assert page.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_our_page_has_the_marks_of_every_part(part: Part) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(part.begin) == 1
    assert text.count(part.end) == 1
    assert text.index(part.begin) < text.index(part.end)


def test_slope() -> None:
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(2.0)
    assert slope([(0.0, 1.0)]) == 0.0
