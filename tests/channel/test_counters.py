"""Counters are plain numbers with names."""

import pytest

from fission.channel.counters import PipeCounters


def test_all_begin_at_zero():
    assert set(PipeCounters().as_dict().values()) == {0}


def test_a_report_has_every_counter():
    counters = PipeCounters()
    counters.sent += 3
    counters.lag = 0.5
    report = counters.as_dict()
    assert report["sent"] == 3
    assert report["lag"] == 0.5
    assert set(report) == {
        *("sent", "delivered", "replayed", "duplicates", "dropped"),
        *("late", "dummies", "bytes", "queued", "lag"),
    }
    counters.sent += 1
    assert report["sent"] == 3


def test_a_counter_that_does_not_exist_cannot_be_counted():
    with pytest.raises(AttributeError):
        PipeCounters().sentt = 1
