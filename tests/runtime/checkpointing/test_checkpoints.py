"""When a state is captured, what is written, and what is removed again."""

import queue
from pathlib import Path

import pytest

from fission.channel.ledger import Ledger
from fission.errors import RunError
from fission.runtime.checkpointing import checkpoints
from fission.runtime.checkpointing.checkpoints import Checkpoints, load

DEADLINE = 20.0


class State:
    """Stands for a job's state: a text that the test changes."""

    settled = True

    def __init__(self) -> None:
        self.text, self.empty, self.captures = "a", False, 0

    def capture(self) -> bytes:
        self.captures += 1
        return self.text.encode()


class Bench:
    """Checkpoints with a clock, a ledger without outputs, and what is told."""

    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self.state, self.folder = State(), folder
        self.told: queue.Queue[checkpoints.Checkpoint] = queue.Queue()
        self.said: queue.Queue[str] = queue.Queue()
        self.ledger = Ledger([8], {}, stateful=True)
        self.one = Checkpoints(
            self.state,  # type: ignore[arg-type]
            str(folder),
            3,
            interval=1.0,
            tell=self.told.put,
            log=lambda level, text: self.said.put(text),
            clock=lambda: self.now,
        )

    def next(self) -> checkpoints.Checkpoint:
        return self.told.get(timeout=DEADLINE)

    def look(self, round: int, *, checkpoint_requested: bool = False) -> float | None:
        self.ledger.computed(1, round)
        return self.one.look((1, round), self.ledger, checkpoint_requested=checkpoint_requested)

    def stored(self, round: int) -> None:
        self.ledger.stored(1, round)
        self.one.stored((1, round), self.ledger.restart)

    def files(self) -> list[str]:
        """What lies in the folder once everything that was asked for is done; names without digest and suffix."""
        done: queue.Queue[None] = queue.Queue()
        self.one._writer.submit(lambda: done.put(None))
        done.get(timeout=DEADLINE)
        return sorted(path.name.rpartition("-")[0] for path in self.folder.iterdir())


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """For a state of which no drafts are made."""
    monkeypatch.setattr(checkpoints, "_CHEAP", -1)
    return Bench(tmp_path)


@pytest.fixture
def cheap(tmp_path):
    """For a state that is cheap; the one after round 5 is stored and released."""
    bench = Bench(tmp_path)
    bench.one.begin((1, 0), stored=True)
    bench.look(5)
    assert bench.next().round == 5
    bench.ledger.output_released(8, 1, 5)
    bench.stored(5)
    return bench


def test_the_first_state_is_told_before_any_other(bench):
    bench.one.begin((1, 0), stored=False)
    first = bench.next()
    assert (first.epoch, first.round, first.needed_from) == (1, 0, (1, 0))
    assert load([first], (1, 0), where="") == b"a"
    assert load([first], (1, 1), where="") is None


def test_a_state_is_captured_when_it_is_time_and_when_somebody_presses(bench):
    bench.one.begin((1, 0), stored=True)
    assert bench.look(0) is None
    bench.look(5)
    assert bench.next().round == 5
    bench.stored(5)
    assert bench.look(7) == bench.now + 1.0
    bench.look(8, checkpoint_requested=True)
    assert bench.next().round == 8
    bench.stored(8)
    bench.now += 1.0
    bench.look(9)
    assert bench.next().round == 9


def test_one_at_a_time_is_on_its_way_and_one_that_is_lost_is_taken_again(bench):
    bench.one.begin((1, 0), stored=True)
    again = bench.look(5)
    assert again is not None
    assert bench.look(6, checkpoint_requested=True) == again
    bench.now = again
    bench.look(6)
    assert [bench.next().round, bench.next().round] == [5, 6]


def test_a_state_that_has_not_changed_is_not_written_again(bench):
    bench.one.begin((1, 0), stored=False)
    bench.stored(0)
    bench.look(1)
    one, two = bench.next(), bench.next()
    assert two.path == ""
    assert two.digest == one.digest
    assert load([one, two], (1, 1), where="") == b"a"
    assert bench.files() == ["3-1-0"]


def test_files_go_when_nobody_needs_them(bench, tmp_path):
    (tmp_path / "2-1-0-00.state").write_bytes(b"of a predecessor")
    (tmp_path / "2-1-9.state.new").write_bytes(b"of a predecessor that was killed")
    bench.one.begin((1, 0), stored=True)
    for number in range(1, 4):
        bench.state.text = str(number)
        bench.now += 1
        bench.look(number)
        bench.next()
        bench.stored(number)
    assert bench.files() == ["2-1-0", "3-1-1", "3-1-2", "3-1-3"]
    bench.ledger.output_released(8, 1, 2)
    bench.one.stored((1, 3), bench.ledger.restart)
    assert bench.files() == ["3-1-2", "3-1-3"]


def test_states_that_nobody_downstream_has_reached_do_not_pile_up(bench):
    bench.one.begin((1, 0), stored=True)
    for number in range(1, 9):
        bench.state.text = str(number)
        bench.now += 1
        bench.look(number, checkpoint_requested=True)
        if number <= 4:
            bench.next()
            bench.stored(number)
    assert bench.look(9) is None
    bench.ledger.output_released(8, 1, 4)
    bench.look(9)
    assert bench.next().round == 9


def test_a_disk_that_refuses_is_named_once_and_tried_again(bench, tmp_path):
    folder = tmp_path / "later"
    bench.one._folder = folder
    bench.one.begin((1, 0), stored=True)
    for number in (1, 2):
        bench.look(number)
        bench.now += 10
    text = bench.said.get(timeout=DEADLINE)
    assert "cannot be written" in text
    folder.mkdir()
    bench.now += 10
    bench.look(2)
    assert bench.next().round == 2
    assert bench.said.empty()


def test_a_job_that_gets_a_state_later_had_none_before(bench):
    bench.state.empty = True
    bench.one.begin((1, 0), stored=False)
    assert not bench.one.keeping
    assert bench.look(4) is None
    bench.ledger = Ledger([8], {}, stateful=False, start=(1, 4))
    assert not bench.one.appeared(bench.ledger)
    bench.state.empty = False
    assert bench.one.appeared(bench.ledger)
    assert bench.one.keeping
    assert load([bench.next()], (1, 4), where="") == b""


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_a_damaged_state_is_refused(bench, damage):
    bench.one.begin((1, 0), stored=False)
    first = bench.next()
    damage(Path(first.path))
    with pytest.raises(RunError, match="cannot be read"):
        load([first], (1, 0), where="job x")


def test_of_a_cheap_state_the_latest_that_is_released_is_stored(cheap):
    for number in range(6, 10):
        cheap.now += 0.01
        cheap.state.text = str(number)
        cheap.look(number)
    cheap.ledger.output_released(8, 1, 8)
    assert cheap.look(9) == pytest.approx(100.1)
    assert cheap.told.empty()
    cheap.now = 100.11
    cheap.look(9)
    told = cheap.next()
    assert (told.round, load([told], (1, 8), where="")) == (8, b"8")
    cheap.stored(8)
    assert cheap.ledger.restart == (1, 8)


def test_a_cheap_state_that_nobody_releases_is_stored_once_per_interval(cheap):
    for number in range(6, 120):
        cheap.now += 0.01
        cheap.look(number)
        if cheap.one._on_its_way:
            told = cheap.next()
            cheap.stored(told.round)
    assert told.round == 105
    assert cheap.ledger.waiting == 1


def test_the_cheap_state_of_a_sink_is_the_newest_one(cheap):
    cheap.ledger = Ledger([], {}, stateful=True, start=(1, 5))
    cheap.now += 0.05
    assert cheap.look(9) == pytest.approx(100.1)
    cheap.now += 0.06
    captures = cheap.state.captures
    cheap.look(10)
    assert cheap.next().round == 10
    assert cheap.state.captures == captures + 1


def test_what_takes_long_to_be_stored_is_stored_less_often(cheap):
    cheap.one._trip, cheap.one._best = 0.02, 0.02
    trips = {6: 0.02, 7: 0.02, 8: 0.06}
    for number, trip in trips.items():
        cheap.now += 2.0
        cheap.look(number)
        assert cheap.next().round == number
        cheap.now += trip
        cheap.ledger.output_released(8, 1, number)
        cheap.stored(number)
        cheap.look(number + 1)
        if number == 7:  # as at best
            cheap.ledger.output_released(8, 1, 8)
            assert cheap.look(8) == pytest.approx(cheap.now - 0.02 + 0.02 * checkpoints._TRIP_SHARE)
    smooth = 0.03
    cheap.ledger.output_released(8, 1, 9)
    assert cheap.look(9) == pytest.approx(cheap.now - 0.06 + smooth * checkpoints._TRIP_SHARE * smooth / 0.02)


def test_no_drafts_are_made_of_a_state_that_has_become_large(cheap):
    cheap.state.text = "a" * (checkpoints._CHEAP + 1)
    captures = cheap.state.captures
    for number in range(6, 50):
        cheap.now += 0.01
        cheap.look(number)
    assert cheap.state.captures == captures + 1
    assert cheap.told.empty()
