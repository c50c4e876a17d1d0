"""The baseline makes valid plans, and the report says what is not reached."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from benchmarks.planning.baseline import semi_greedy
from benchmarks.planning.cli import main
from benchmarks.planning.report import goals
from benchmarks.planning.trials import Trial, instance
from fission.plan import check
from fission.planning.search.tables import Tables

GOOD = Trial("x", "25 m", 4, 4, 3, 3, 0.01, 0.01, 0, baseline=4, optimum=3, exact_seconds=0.1)


@pytest.mark.parametrize("number", range(40))
def test_plans_of_the_baseline_are_valid(number: int) -> None:
    problem = instance(3, number)
    plan = semi_greedy(Tables(problem), Random(1))
    assert plan is None or check(problem, plan) == []


def test_goals() -> None:
    assert all(reached for *_, reached in goals([GOOD]))
    for broken in (
        replace(GOOD, violations=1),
        replace(GOOD, slots=5),
        replace(GOOD, baseline=3),
        replace(GOOD, cpu=0.06),
        replace(GOOD, optimum=2),
        replace(GOOD, optimum=-1),
        replace(GOOD, listed=2),
    ):
        assert not all(reached for *_, reached in goals([broken])), broken


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--count", "4", "--exact-nodes", "0", "--results", str(tmp_path)])
    assert "MARVELO: optimal with proof (all) | 480 of 480 | reached" in capsys.readouterr().out
    (stored,) = tmp_path.glob("planning-*.json")
    assert len(json.loads(stored.read_text(encoding="utf-8"))["trials"]) == 484
