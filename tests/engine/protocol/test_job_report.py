"""Rounds are counted over the whole run: over resets, restarts and another client."""

from fission.engine.protocol.job_report import JobReport
from fission.runtime.messages import Status


def heard(report: JobReport, *positions: tuple[int, int]) -> list[int]:
    rounds = []
    for epoch, round in positions:
        report.hear(Status(round, 0.1, {}, epoch))
        rounds.append(report.rounds)
    return rounds


def test_rounds_of_all_epochs_count() -> None:
    report = JobReport("Live 1")
    assert heard(report, (1, 10), (1, 25), (2, 5), (4, 3), (4, 7)) == [10, 25, 30, 33, 37]
    assert (report.epoch, report.round) == (4, 7)


def test_a_round_that_is_repeated_counts_once() -> None:
    report = JobReport("Work 2")
    assert heard(report, (1, 100), (1, 90), (1, 101)) == [100, 100, 101]


def test_an_epoch_that_is_repeated_completes_nothing_new() -> None:
    report = JobReport("Work 2")
    assert heard(report, (1, 500), (2, 5), (1, 460), (1, 470), (2, 3), (2, 8)) == [
        500,
        505,
        505,
        505,
        505,
        508,
    ]
    assert (report.epoch, report.round) == (2, 8)


def test_the_rate_is_that_since_we_came() -> None:
    ours, taken_over = JobReport("Work 2"), JobReport("Work 2", seen=None)
    for report in (ours, taken_over):
        heard(report, (1, 1000), (1, 1100))
        assert report.rounds == 1100
    assert ours.rate(10.0) == 110.0
    assert taken_over.rate(10.0) == 10.0
