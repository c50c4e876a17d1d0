"""When a state is captured, what is written, and what is removed again."""

import queue
from pathlib import Path

import pytest

from fission.channel.ledger import Ledger
from fission.errors import RunError
from fission.runtime import checkpoints
from fission.runtime.checkpoints import Checkpoints, load

DEADLINE = 20.0


class State:
    """Stands for a job's state: a text that the test changes."""

    def __init__(self) -> None:
        self.text, self.empty = "a", False

    def capture(self) -> bytes:
        return self.text.encode()


class Bench:
    """Checkpoints with a clock, a ledger without outputs, and what is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(checkpoints, "monotonic", lambda: self.now)
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
        )

    def next(self) -> checkpoints.Checkpoint:
        return self.told.get(timeout=DEADLINE)

    def look(self, round: int, *, pressing: bool = False) -> float | None:
        self.ledger.computed(1, round)
        return self.one.look((1, round), self.ledger, pressing=pressing)

    def stored(self, round: int) -> None:
        self.ledger.stored(1, round)
        self.one.stored((1, round), self.ledger.restart)

    def files(self) -> list[str]:
        """What lies in the folder once everything that was asked for is done."""
        done: queue.Queue[None] = queue.Queue()
        self.one._work.put(lambda: done.put(None))
        done.get(timeout=DEADLINE)
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Bench(tmp_path, monkeypatch)


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
    bench.look(8, pressing=True)
    assert bench.next().round == 8
    bench.stored(8)
    bench.now += 1.0
    bench.look(9)
    assert bench.next().round == 9


def test_one_at_a_time_is_on_its_way_and_one_that_is_lost_is_taken_again(bench):
    bench.one.begin((1, 0), stored=True)
    again = bench.look(5)
    assert again is not None
    assert bench.look(6, pressing=True) == again
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
    assert bench.files() == ["3-1-0.state"]


def test_files_go_when_nobody_needs_them(bench, tmp_path):
    (tmp_path / "2-1-0.state").write_bytes(b"of a predecessor")
    (tmp_path / "2-1-9.state.new").write_bytes(b"of a predecessor that was killed")
    bench.one.begin((1, 0), stored=True)
    for number in range(1, 4):
        bench.state.text = str(number)
        bench.now += 1
        bench.look(number)
        bench.next()
        bench.stored(number)
    assert bench.files() == ["2-1-0.state", "3-1-1.state", "3-1-2.state", "3-1-3.state"]
    bench.ledger.output_released(8, 1, 2)
    bench.one.stored((1, 3), bench.ledger.restart)
    assert bench.files() == ["3-1-2.state", "3-1-3.state"]


def test_states_that_nobody_downstream_has_reached_do_not_pile_up(bench):
    bench.one.begin((1, 0), stored=True)
    for number in range(1, 9):
        bench.state.text = str(number)
        bench.now += 1
        bench.look(number, pressing=True)
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
