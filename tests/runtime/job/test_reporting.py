"""Counters are told when they have changed, and now and then anyhow."""

from types import SimpleNamespace

import pytest

from fission.runtime import messages
from fission.runtime.job import reporting
from fission.runtime.job.reporting import Reporter


class Exchange:
    """As much of one as a report needs."""

    def __init__(self) -> None:
        self.progress = (1, 5)
        self.sent = 5.0
        port = SimpleNamespace(pipe="pipe 8", sender=SimpleNamespace(counters=SimpleNamespace(dropped=2)))
        joined = SimpleNamespace(pipe="pipe 7", index=0)
        self.incoming = SimpleNamespace(join=SimpleNamespace(leftover=lambda _index: 3), joined=[joined])
        self.outputs = [port]

        self.quiet = {}

    def counters(self):
        return {8: {"sent": self.sent}}

    def silent(self):
        return self.quiet


@pytest.fixture
def told():
    return []


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(reporting, "monotonic", lambda: clock.now)
    return clock


def test_what_has_not_changed_is_not_told_again_at_once(told, clock):
    exchange, reporter = Exchange(), Reporter(told.append, lambda: 1000.0)
    for _ in range(5):
        reporter.report(exchange)
        clock.now += 0.5
    assert len(told) == 1
    assert (told[0].rounds, told[0].epoch, told[0].pipes) == (5, 1, {8: {"sent": 5.0}})
    assert told[0].cpu_seconds > 1000.0
    exchange.sent = 6.0
    reporter.report(exchange)
    exchange.progress = (2, 5)
    reporter.report(exchange)
    assert len(told) == 3


def test_a_pipe_that_falls_silent_is_told_at_once(told, clock):
    exchange, reporter = Exchange(), Reporter(told.append, lambda: 0.0)
    for exchange.quiet in ({}, {8: 1.0}, {8: 1.5}, {}):
        reporter.report(exchange)
        clock.now += 0.5
    assert [status.silent for status in told] == [{}, {8: 1.0}, {}]


def test_a_process_that_is_watched_reports_several_times_within_its_timeout(told, clock):
    exchange, reporter = Exchange(), Reporter(told.append, lambda: 0.0, timeout=4.0)
    for second in range(8):
        clock.now = 1000.0 + second / 2
        reporter.report(exchange, computing=False)
    assert len(told) == 4
    reporter.report(exchange, computing=True)
    reporter.report(exchange)
    assert [status.computing for status in told[-3:]] == [False, True, None]


def test_it_is_told_again_after_a_while(told, clock):
    exchange, reporter = Exchange(), Reporter(told.append, lambda: 0.0)
    reporter.report(exchange)
    clock.now += reporting._ANYWAY
    reporter.report(exchange)
    assert len(told) == 2


def test_losses_are_named(told):
    Reporter(told.append, lambda: 0.0).report_losses(Exchange())
    assert told == [
        messages.Log(20, "3 blocks of pipe 7 came after the last round that could be computed"),
        messages.Log(30, "2 blocks of pipe 8 were dropped"),
    ]
