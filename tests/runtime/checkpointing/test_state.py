"""The state of a job is one value at one moment: it comes back whole, and nothing that happens later is in it."""

import random
import threading
from collections import deque

import numpy as np
import pytest

from fission.core import base
from fission.core.jobs import CSVSinkJob, LoggingJob, PythonJob
from fission.core.pipes import PicklePipe
from fission.errors import RunError
from fission.runtime.checkpointing.state import SavedState


@pytest.fixture(autouse=True)
def fresh():
    base.reset()
    yield
    base.reset()


class Job(PythonJob):
    def __init__(self, **attributes):
        base.reset()
        super().__init__([PicklePipe(1)], [PicklePipe(2)])
        self.__dict__.update(attributes)


class Telling(Job):
    def snapshot(self):
        return {"n": self.n}

    def restore(self, state):
        self.n = state["n"]


def quiet(level, text):
    raise AssertionError(text)


def after(job, change, **attributes):
    """The job, and another one that got the state which the first had before the change."""
    data = SavedState(job, quiet).capture()
    change(job)
    other = type(job)(**attributes)
    SavedState(other, quiet).restore(data)
    return other


def test_a_later_change_is_not_in_it():
    job = Job(numbers=[1, 2], table={"a": np.arange(3)})

    def change(job):
        job.numbers.append(3)
        job.table["a"][:] = 9

    other = after(job, change, numbers=[], made_by_setup=7)
    assert other.numbers == [1, 2]
    assert other.table["a"].tolist() == [0, 1, 2]
    assert other.made_by_setup == 7
    other.table["a"][0] = 5  # what comes back can be written to


def test_what_is_shared_stays_shared():
    queue: deque[int] = deque([1], maxlen=3)
    job = Job(queue=queue, views=[queue, queue])
    other = after(job, lambda job: None)
    other.views[0].append(2)
    assert other.queue == deque([1, 2])
    assert other.queue.maxlen == 3


def test_random_generators_go_on_where_they_were():
    job = Job(one=random.Random(1), two=np.random.default_rng(1))
    job.one.random()
    drawn = []
    other = after(job, lambda job: drawn.append((job.one.random(), job.two.random())))
    assert (other.one.random(), other.two.random()) == drawn[0]


def test_the_job_and_its_pipes_are_not_copied():
    job = Job()
    job.me, job.first, job.call = job, job.inputs[0], job.finish
    other = after(job, lambda job: None)
    assert other.me is other
    assert other.first is other.inputs[0]
    assert other.call.__self__ is other


def test_a_job_that_tells_its_state_is_believed():
    other = after(Telling(n=4, lock=threading.Lock()), lambda job: setattr(job, "n", 5))
    assert other.n == 4
    assert not hasattr(other, "lock")


def test_what_cannot_be_pickled_is_left_out_and_named_once():
    said = []
    job = Job(lock=threading.Lock(), number=1, loop=[iter([])])
    state = SavedState(job, lambda level, text: said.append(text))
    first = state.capture()
    job.number = 2
    state.capture()
    assert len(said) == 1
    assert "lock (lock" in said[0]
    other = Job(lock="that of setup()")
    SavedState(other, quiet).restore(first)
    assert (other.lock, other.number) == ("that of setup()", 1)
    after = Job(lock=threading.Lock(), loop=[iter([])])
    state_of_after = SavedState(after, quiet)
    state_of_after.restore(first)
    assert state_of_after.capture() is not None  # and does not name them again
    job.lock = None  # can be pickled from now on
    SavedState(other, quiet).restore(state.capture())
    assert other.lock is None


def test_a_moment_at_which_nothing_can_be_pickled_passes():
    class Moody:
        asked = 0

        def __reduce__(self):
            Moody.asked += 1
            if Moody.asked in (1, 3):  # as part of everything; alone it can
                raise RuntimeError("dictionary changed size during iteration")
            return (list, ())

    said = []
    job = Job(moody=Moody())
    state = SavedState(job, lambda level, text: said.append(text))
    assert state.capture() is None
    assert state.capture() is not None
    assert len(said) == 1
    assert "RuntimeError" in said[0]


def test_a_job_without_attributes_of_its_own_is_empty():
    job = Job()
    state = SavedState(job, quiet)
    assert state.empty
    job.finish()
    job.in_heads = []
    assert state.empty
    job.count = 0
    assert not state.empty
    assert not SavedState(Telling(n=1), quiet).empty
    base.reset()
    assert not SavedState(CSVSinkJob("x.csv", [PicklePipe(1)]), quiet).empty


def test_a_job_that_has_finished_stays_so():
    job = Job(n=1)
    job.finish()
    other = Job()
    SavedState(other, quiet).restore(SavedState(job, quiet).capture())
    assert other._finishing


def test_what_a_logging_job_measures_is_no_state():
    job = LoggingJob(outputs=[PicklePipe(3)])
    job.setup()
    base.reset()
    other = LoggingJob(outputs=[PicklePipe(3)])
    SavedState(other, quiet).restore(SavedState(job, quiet).capture())
    assert other._process is None


def test_a_state_of_another_kind_is_refused():
    data = SavedState(Job(n=1), quiet).capture()
    with pytest.raises(RunError, match="another kind"):
        SavedState(Telling(n=1), quiet).restore(data)


def test_a_csv_file_is_cut_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = CSVSinkJob("x.csv", [PicklePipe(1)])
    job.setup()
    job.run(1)
    data = SavedState(job, quiet).capture()
    job.run(2)
    base.reset()
    other = CSVSinkJob("x.csv", [PicklePipe(1)])
    other.resumed = True
    other.setup()
    SavedState(other, quiet).restore(data)
    other.run(3)
    assert (tmp_path / "x.csv").read_bytes() == b"pipe_1\r\n1\r\n3\r\n"
    (tmp_path / "x.csv").write_bytes(b"pipe_1\r\n")
    with pytest.raises(RunError, match="shorter than it was"):
        SavedState(other, quiet).restore(data)


def test_a_csv_file_without_a_checkpoint_goes_on_with_a_whole_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_bytes(b"pipe_1\r\n1\r\nhalf a r")
    job = CSVSinkJob("x.csv", [PicklePipe(1)])
    job.resumed = True
    job.setup()
    job.run(2)
    job.teardown()
    assert (tmp_path / "x.csv").read_bytes() == b"pipe_1\r\n1\r\n2\r\n"


def test_what_could_not_be_pickled_once_is_kept_later():
    said = []
    job = Job(work=[lambda: None])
    state = SavedState(job, lambda level, text: said.append(level))
    state.capture()
    assert (state.left_out, said) == (("work",), [30])
    job.work = [1]
    other = Job(work=[])
    SavedState(other, quiet).restore(state.capture())
    assert (other.work, state.left_out) == ([1], ())


def test_what_changes_all_the_time_is_tried_again():
    class Busy:
        left = 5

        def __reduce__(self):
            Busy.left -= 1
            if Busy.left >= 0:
                raise RuntimeError("dictionary changed size during iteration")
            return (list, ())

    job = Job(busy=Busy(), lock=threading.Lock())
    state = SavedState(job, lambda level, text: None)
    data = [state.capture() for _ in range(6)]
    assert data[:5] == [None] * 5
    assert state.left_out == ("lock",)
    other = Job()
    SavedState(other, quiet).restore(data[5])
    assert other.busy == []


def test_what_run_has_deleted_stays_deleted():
    job = Job(first=True)
    state = SavedState(job, quiet)
    del job.first
    assert not state.empty
    for _ in range(2):  # also after a second restart
        successor = Job(first=True, only_when_resumed=1)
        restored = SavedState(successor, quiet)
        restored.restore(state.capture())
        assert not hasattr(successor, "first")
        assert successor.only_when_resumed == 1
        state = restored


def test_the_schedule_of_a_paced_job_is_kept_beside_its_snapshot(monkeypatch):
    slept = []
    monkeypatch.setattr("fission.core.jobs.pacing.sleep", slept.append)
    job = Telling(n=1)
    job.pace(interval=50)
    data = SavedState(job, quiet).capture()
    copy = Telling(n=0)
    SavedState(copy, quiet).restore(data)
    copy.pace(interval=50)
    assert 40 < slept[0] <= 50
