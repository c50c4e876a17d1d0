"""Figures of exactness equal those of the runs, and faults of a run are reported."""

from pathlib import Path

import pytest

from benchmarks.exactness.cli import cases
from benchmarks.exactness.project import CONNECTOR, NAME, WINDOW, Case
from benchmarks.exactness.report import sentences, tables
from benchmarks.exactness.runs import Outcome, StateWatch, judged, run_case

GOOD = {"sent": 9.0, "rounds": 9.0, "others": 0.0, "rate": 3.0, "longest": 0.1, "kept": 0.0, "copies": 0.0}


@pytest.mark.parametrize(
    ("case", "change", "said"),
    [
        (Case(), {}, ""),
        (Case(), {"others": 1.0}, "1 blocks at the sink were not those of their rounds"),
        (Case(), {"rounds": 8.0}, "9 blocks were sent, 8 came"),
        (Case(), {"rate": 0.0}, "nothing came in the time that counts"),
        (Case(delivery="live"), {"others": 4.0}, ""),
        (Case(size=100), {"kept": 120.0, "copies": 2.0}, ""),
        (Case(size=100), {"kept": 120.0, "copies": 1.0}, "found 120 bytes at 1"),
        (Case(size=100), {"kept": 20.0, "copies": 2.0}, "found 20 bytes at 2"),
    ],
)
def test_what_is_wrong_about_a_run_is_said(case: Case, change: dict[str, float], said: str) -> None:
    found = judged(case, GOOD | change)
    assert said in found
    assert bool(said) == bool(found)


def test_a_figure_that_is_missing_is_a_problem() -> None:
    assert judged(Case(), {"sent": 3.0}) == "no figure for longest, others, rate, rounds"


def test_states_are_counted_where_they_are_whole(tmp_path: Path) -> None:
    for place, data in (("client", b"123"), ("node", b"123"), ("other", b"1")):
        folder = tmp_path / place / NAME / "run" / str(CONNECTOR)
        folder.mkdir(parents=True)
        (folder / "abcd").write_bytes(data)
        (folder / "1-5-abcd-3-1-00ff").touch()
        (folder / "from-1").touch()
    watch = StateWatch(tmp_path)
    watch.look(0)
    assert (watch.checkpoints, watch.copies, watch.largest) == (1, 2, 3)


def test_tables_compare_within_a_round() -> None:
    exact, live = Case(window=WINDOW), Case(delivery="live", window=WINDOW)
    outcomes = [
        Outcome(case, number, GOOD | {"rate": rate * speed})
        for number, speed in enumerate((1.0, 2.0, 4.0))
        for case, rate in ((exact, 80.0), (live, 100.0))
    ]
    outcomes += [Outcome(Case(), 0, GOOD), Outcome(Case(size=10**6), 0, GOOD | {"rate": 1.5})]
    outcomes.append(Outcome(Case(size=10**6), 1, GOOD, "lost"))
    _, delivery, states, problems = tables(outcomes, {10**6: 0.002}, {"date": "then"})
    assert delivery.rows[0][1:4] == ("160 (80 to 320)", "200 (100 to 400)", "0.80 (0.80 to 0.80)")
    assert states.rows[1][1:6] == ("1 MB", "2", "0.50", "100", "2.0")
    assert problems.rows == [("int, exact, state 1 MB", "2", "lost")]


def test_figures_that_nobody_should_quote_say_so() -> None:
    calm = [Outcome(Case(), number, GOOD) for number in range(3)]
    assert sentences(calm, interrupted=False) == ["3 runs, 0 with problems."]
    busy = Outcome(Case(), 0, GOOD | {"foreign": 0.5}, "lost")
    said = " ".join(sentences([busy], interrupted=True))
    assert "1 runs, 1 with problems, interrupted" in said
    assert "fewer than 3 rounds" in said
    assert "in 1 of 1 runs others used more than 10%" in said


def test_every_state_has_a_run_without_one_to_compare_with() -> None:
    wanted = cases(["states"], [1000])
    assert {Case(one.elements, rate=one.rate) for one in wanted} <= set(wanted)


def test_a_real_run_keeps_states_at_two_places() -> None:
    outcome = run_case(Case(size=1000, rate=100), 0, 2)
    assert not outcome.problem
    assert outcome.figures["checkpoints"] >= 1
