"""The verdicts of long runs can fail: growth and losses are detected."""

import os
from pathlib import Path

import pytest

from benchmarks.endurance.census import census
from benchmarks.endurance.growth import Growths
from benchmarks.endurance.kills import Kills, judged, run_kills
from benchmarks.endurance.report import kills_verdict, slow_verdict, tables
from benchmarks.endurance.slow import CASE, Slow, run_slow
from benchmarks.exactness.runs import Outcome


def growths(what: str, figures: list[float]) -> Growths:
    made = Growths()
    for way, figure in enumerate(figures):
        made.add(way * 10, {what: figure})
    return made


@pytest.mark.parametrize(
    ("what", "figures", "grows"),
    [
        ("client: rss", [50 + number / 2 for number in range(100)], True),
        (
            "client: rss",
            [min(80, 50 + number) for number in range(100)],
            False,
        ),  # full before the second half
        ("nodes: descriptors", [20 + number // 10 for number in range(100)], True),
        ("nodes: descriptors", [20 + number % 7 for number in range(100)], False),
        ("processes", [12 + number // 8 for number in range(100)], True),
        ("files", [100.0], False),
    ],
)
def test_what_grows_is_found(what: str, figures: list[float], grows: bool) -> None:
    assert growths(what, figures).growing == [what] * grows


def test_rows_are_judged() -> None:
    assert judged('pipe_2\n"1 1"\n"2 3"\n', 2) == (2, "")
    assert judged('pipe_2\n"1 1"\n"2 3"\n', 3) == (2, "2 rows of 3 blocks")
    assert judged('pipe_2\n"1 1"\n"3 4"\n', 2) == (2, "row 2: expected 2 3, found 3 4")
    assert judged("pipe_2\n", 0) == (0, "0 rows of 0 blocks")


def test_a_verdict_is_not_good_when_anything_is_wrong() -> None:
    assert Kills(5, done=5).sound
    assert not Kills(5, done=4).sound
    assert not Kills(5, done=5, problem="row 2: ...").sound
    leak = Kills(5, done=5, growths=growths("client: threads", [float(number) for number in range(50)]))
    assert not leak.sound
    assert "GROWING: client: threads" in kills_verdict(leak)
    assert "FAILED after 4 of 5" in kills_verdict(Kills(5, done=4, problem="waited"))
    slow = Slow(60, Outcome(CASE, 0, problem="lost"), growths("processes", [1, 1]))
    assert not slow.sound
    assert slow_verdict(slow) == "FAILED: lost"
    assert not Slow(60, Outcome(CASE, 0)).sound, "nothing was counted"
    assert [table.title for table in tables(leak, slow, {})][1:] == [
        "5 failovers in a row",
        "A slow sink for 1 minutes",
    ]


def test_a_census_counts_this_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    counted = census(os.getpid(), tmp_path)
    assert counted["client: rss"] > 5
    assert counted["client: descriptors"] > 2
    assert counted["files"] == 1
    assert counted["processes"] >= 1


def test_a_few_failovers_of_a_real_network() -> None:
    kills = run_kills(6, 1, print)
    assert not kills.problem
    assert kills.done == 6
    assert kills.rows >= kills.done


def test_a_slow_sink_of_a_real_network() -> None:
    slow = run_slow(6, print)
    assert not slow.problem
    assert slow.growths.all
