import csv
import math
import os
import pickle
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from fission.core.jobs import (
    ClockJob,
    CSVSinkJob,
    DistributingJob,
    ForwardingJob,
    LocalJob,
    LoggingJob,
    LoggingSinkJob,
    SourceJob,
    pacing,
)
from fission.core.jobs.base import is_replayable
from fission.core.pipes import PicklePipe
from fission.errors import JobDefinitionError, RunError


class ReducePipe(PicklePipe):
    BLOCK_COUNT = 2


class FakeTime:
    """Time that passes only in `sleep`; the wall clock is a year ahead."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.ahead = 3e7
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + self.ahead

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(pacing, "monotonic", fake.monotonic)
    monkeypatch.setattr(pacing, "time", fake.time)
    monkeypatch.setattr(pacing, "sleep", fake.sleep)
    return fake


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


# -- sources ----------------------------------------------------------------------------------------------


def test_a_source_counts(clock: FakeTime) -> None:
    job = SourceJob(outputs=[PicklePipe(1)])
    assert (job.start, job.step, job.delay) == (1, 1, 1)
    assert list(islice(job.run(), 4)) == [1, 2, 3, 4]
    assert clock.slept == [1, 1, 1]


def test_a_source_counts_as_it_is_told(clock: FakeTime) -> None:
    job = SourceJob(10, -2.5, 0, outputs=[PicklePipe(1)])
    assert list(islice(job.run(), 3)) == [10, 7.5, 5]
    assert clock.slept == []


def test_a_fresh_generator_goes_on(clock: FakeTime) -> None:
    job = SourceJob(start=5, step=5)
    assert list(islice(job.run(), 2)) == [5, 10]
    assert next(pickle.loads(pickle.dumps(job)).run()) == 15


def test_a_subclass_may_wrap_it(clock: FakeTime) -> None:
    class Printed(SourceJob):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, delay=0.5, **kwargs)

        def run(self) -> Iterator[str]:
            for value in super().run():
                yield f"{self.id} -> {value}"

    assert list(islice(Printed(3, outputs=[PicklePipe(1)]).run(), 2)) == ["1 -> 3", "1 -> 4"]
    assert clock.slept == [0.5]


@pytest.mark.parametrize("delay", [-1, "1", None, math.nan])
def test_a_delay_is_seconds(delay: Any) -> None:
    with pytest.raises(
        JobDefinitionError, match=r"job SourceJob \d: wrong delay; expected a finite number of seconds"
    ):
        SourceJob(delay=delay)
    with pytest.raises(JobDefinitionError, match="wrong clock_interval"):
        ClockJob(delay)


def test_a_clock_ticks_without_drift(clock: FakeTime) -> None:
    job = ClockJob(0.5, outputs=[PicklePipe(1)])
    job.setup()
    begun = clock.now
    ticks = []
    for work in (0.1, 0.4, 0.0, 0.2):
        assert job.run() == len(ticks) + 1
        ticks.append(round(clock.now - begun, 6))
        clock.now += work
    assert ticks == [0.0, 0.5, 1.0, 1.5]


def test_ticks_that_were_missed_are_left_out(clock: FakeTime) -> None:
    job = ClockJob(0.5)
    job.setup()
    job.run()
    begun = clock.now
    clock.now += 5.2
    job.run()
    assert clock.now == begun + 5.2
    job.run()
    assert clock.now == pytest.approx(begun + 5.5)


def test_a_source_makes_up_for_a_delay(clock: FakeTime) -> None:
    values = SourceJob(delay=1, outputs=[PicklePipe(1)]).run()
    begun = clock.now
    next(values)
    clock.now += 2.5
    assert [next(values) for _ in range(3)] == [2, 3, 4]
    assert clock.now == begun + 3
    assert clock.slept == [0.5]


def test_a_source_does_not_wait_for_values_that_have_arrived(clock: FakeTime) -> None:
    job = SourceJob(delay=1, outputs=[PicklePipe(1)])
    job.repeating = True
    values = job.run()
    assert [next(values) for _ in range(3)] == [1, 2, 3]
    job.repeating = False
    assert next(values) == 4
    assert clock.slept == []
    next(values)
    assert clock.slept == [1]


def test_a_pace_that_changes_starts_a_new_schedule(clock: FakeTime) -> None:
    job = ClockJob(0.5)
    job.run()
    job.clock_interval = 2.0
    job.run()
    job.run()
    assert clock.slept == [2.0]


def test_an_interval_of_zero_does_not_wait(clock: FakeTime) -> None:
    job = ClockJob(0)
    assert [job.run() for _ in range(3)] == [1, 2, 3]
    assert clock.slept == []


def test_a_clock_on_another_machine_keeps_the_schedule(clock: FakeTime) -> None:
    job = ClockJob(0.5)
    job.run()
    wall = clock.time()
    moved = pickle.loads(pickle.dumps(job))
    clock.now, clock.ahead = 3.0, wall + 0.2 - 3.0
    moved.run()
    assert clock.slept == [pytest.approx(0.3)]


def test_a_clock_sets_the_pace_of_what_it_forwards(clock: FakeTime) -> None:
    job = ClockJob(inputs=[PicklePipe(1), PicklePipe(2)], outputs=[PicklePipe(3), PicklePipe(4)])
    job.setup()
    assert job.clock_interval == 0.04
    assert [job.run("a", 1), job.run("b", 2)] == [("a", 1), ("b", 2)]
    assert clock.slept == [pytest.approx(0.04)]


# -- connectors -------------------------------------------------------------------------------------------


def test_forwarding_is_one_to_one() -> None:
    assert ForwardingJob().run(1, "b", [3]) == (1, "b", [3])
    assert ForwardingJob().run((1, 2)) == ((1, 2),)


def test_distributing_is_one_to_all() -> None:
    job = DistributingJob([PicklePipe(1)], [PicklePipe(2), PicklePipe(3)])
    assert job.run((1, 2)) == ((1, 2), (1, 2))


# -- CSV --------------------------------------------------------------------------------------------------


def test_a_csv_sink_writes_a_column_per_input(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    job = CSVSinkJob(path, [PicklePipe(201), ReducePipe(202)])
    assert isinstance(job, LocalJob)
    job = pickle.loads(pickle.dumps(job))
    job.setup()
    assert rows(path) == [["pipe_201", "pipe_202"]]
    assert job.run("a, b", [1, 2]) is None
    assert rows(path)[1:] == [["a, b", "[1, 2]"]]  # flushed
    job.run("ä\nö", None)
    job.teardown()
    assert rows(path)[2:] == [["ä\nö", ""]]
    job.teardown()


def test_a_csv_sink_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old\n" * 10)
    job = CSVSinkJob(
        str(path), inputs=[PicklePipe(1)], col_pattern="{pipe.id}/{pipe.BLOCK_COUNT}", name="sink"
    )
    job.setup()
    job.teardown()
    assert rows(path) == [["1/1"]]
    assert job.name == "sink"


@pytest.mark.parametrize("pattern", ["{nobody}", "{pipe.nothing}", "{", "{}"])
def test_a_column_pattern_is_tried_at_once(pattern: str) -> None:
    with pytest.raises(JobDefinitionError, match="wrong col_pattern"):
        CSVSinkJob("out.csv", [PicklePipe(1)], pattern)


@pytest.mark.parametrize("kind", [CSVSinkJob, LoggingSinkJob])
def test_a_folder_that_is_not_there(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "out.csv"
    job = kind(path, [PicklePipe(1)])
    with pytest.raises(RunError, match=r"job .*Sink.* \d: cannot write .*No such file"):
        job.setup()
    job.run([1])  # the runtime does not, but a user's setup may have gone on
    job.teardown()


# -- logging ----------------------------------------------------------------------------------------------


class Product(LoggingJob):
    def init_job(self, factor: int, *, offset: int = 0) -> None:
        self.factor, self.offset = factor, offset

    def setup_job(self, *args: Any, **kwargs: Any) -> None:
        self.arguments = (args, kwargs)

    def run_job(self, value: int) -> Any:
        return self.factor * value + self.offset


def check_row(row: Any, name: str, counter: int) -> None:
    assert row[:3] == [name, os.getpid(), counter]
    cpu, memory, time_in, time_out = row[3:]
    assert cpu >= 0
    assert 0 < memory < 100
    assert time.time() - 60 < time_in <= time_out <= time.time()


def test_a_logging_job_adds_a_row() -> None:
    job = Product(
        3,
        offset=1,
        inputs=[PicklePipe(1)],
        outputs=[PicklePipe(2)],
        logging_output=PicklePipe(9),
        name="product",
    )
    assert job.outputs == [PicklePipe(2), PicklePipe(9)]
    job = pickle.loads(pickle.dumps(job))
    job.setup("a", b=1)
    assert job.arguments == (("a",), {"b": 1})
    for counter in (1, 2):
        value, row = job.run(5)
        assert value == 16
        check_row(row, "product", counter)


def test_values_for_several_outputs() -> None:
    class Several(LoggingJob):
        def run_job(self, value: Any) -> Any:
            return value

    job = Several(
        inputs=[PicklePipe(1)], outputs=[PicklePipe(2), PicklePipe(3)], logging_output=PicklePipe(9)
    )
    job.setup()
    assert job.run(7)[:2] == (7, 7)
    assert job.run((7, 8))[:2] == (7, 8)
    assert job.run(None) is None
    assert len(job.run((7, 8, 9))) == 4  # the runtime refuses it: three values and a row for three outputs


def test_a_logging_sink_has_only_rows() -> None:
    class Sink(LoggingJob):
        def run_job(self, value: Any) -> None:
            pass

    job = Sink(inputs=[PicklePipe(1)], logging_output=PicklePipe(9))
    job.setup()
    (row,) = job.run(7)
    check_row(row, "Sink 1", 1)


def test_a_logging_source_may_be_a_generator() -> None:
    class Source(LoggingJob):
        def run_job(self) -> Iterator[int]:
            yield 1
            yield 2

    job = Source(outputs=[PicklePipe(1)], logging_output=PicklePipe(9))
    job.setup()
    assert [job.run()[0], job.run()[0]] == [1, 2]
    assert job.run() is None
    assert job._finishing


def test_without_a_logging_output_it_is_a_job_like_others() -> None:
    job = Product(2, inputs=[PicklePipe(1)], outputs=[PicklePipe(2)])
    job.setup()
    assert job.run(4) == 8


def test_without_run_job_it_says_so() -> None:
    job = LoggingJob(1, 2, three=3, outputs=[PicklePipe(1)], logging_output=PicklePipe(2))
    job.setup()
    with pytest.raises(JobDefinitionError, match="there is no run_job"):
        job.run()


def test_the_logging_sink_writes_what_logging_jobs_say(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    sink = LoggingSinkJob(path, [PicklePipe(1), ReducePipe(2), PicklePipe(3)])
    assert isinstance(sink, LocalJob)
    sink.setup()
    sink.run(["a", 1], [["b", 1], ["b", 2]], None)
    sink.teardown()
    header, *written = rows(path)
    assert header == ["name", "pid", "counter", "cpu_percent", "memory_percent", "time_in", "time_out"]
    assert written == [["a", "1"], ["b", "1"], ["b", "2"]]


def test_a_counting_source_counts_on_after_a_restart():
    job = SourceJob(5, 2, 0, outputs=[PicklePipe(1)])
    values = job.run()
    assert [next(values), next(values)] == [5, 7]
    other = SourceJob(5, 2, 0, outputs=[PicklePipe(2)])
    other.restore(job.snapshot())
    assert next(other.run()) == 9
    assert is_replayable(other)


def test_a_counting_source_with_another_run_is_live():
    class Other(SourceJob):
        def run(self):
            return 1

    class Telling(Other):
        def snapshot(self):
            return None

        def restore(self, state):
            pass

    assert not is_replayable(Other(outputs=[PicklePipe(1)]))
    assert is_replayable(Telling(outputs=[PicklePipe(2)]))
