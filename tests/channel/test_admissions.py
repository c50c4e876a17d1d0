"""Admissions: a model of a job that is killed at any moment and repeats what its predecessor had."""

import random
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fission.channel import admissions as module
from fission.channel.admissions import Admissions
from fission.channel.mailbox import Mailbox
from fission.channel.wire.frames import Batch
from fission.serialization import msgpack_codec

PIPES = (4, 5)


def blocks(first: int, *payloads: bytes, epoch: int = 1) -> Batch:
    return Batch(epoch, first, 0, 0.0, 0.0, list(payloads))


def fresh(kind: type[Admissions] = Admissions, **settings: object) -> tuple[Admissions, dict[int, Mailbox]]:
    boxes = {pipe: Mailbox(**settings) for pipe in PIPES}  # type: ignore[arg-type]
    return kind(boxes), boxes


@dataclass
class World:
    """One job with two optional inputs: what its senders have, what is stored elsewhere, and what was seen of its rounds."""

    kind: type[Admissions] = Admissions
    sent: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PIPES, 0))
    seen: list[tuple[object, ...]] = field(default_factory=list)
    states: dict[int, bytes] = field(default_factory=dict)
    log: tuple[int, bytes] = (0, b"")
    acknowledged: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PIPES, 0))

    def __post_init__(self) -> None:
        self.horizon = 0
        self.computed: list[tuple[object, ...]] = []
        self.start(0)

    def start(self, point: int) -> None:
        """Begin after this round, as a successor does."""
        self.horizon = max(len(self.seen), *self.states, 0)
        self.point, self.computed = point, []
        self.admissions, self.boxes = fresh(self.kind)
        state = msgpack_codec.decode(self.states[point]) if point in self.states else None
        version, data = self.log
        self.admissions.restore(state, msgpack_codec.decode(data) if data else None, version)
        self.arrived = {pipe: self.admissions.wanted(pipe)[1] - 1 for pipe in PIPES}
        self.outstanding = self.log
        self.restart = point

    @property
    def round(self) -> int:
        return self.point + len(self.computed)

    def send(self, pipe: int) -> None:
        self.sent[pipe] += 1

    def arrive(self, pipe: int) -> None:
        """The sender delivers what the receiver lacks; it has kept everything that is not acknowledged."""
        first = self.arrived[pipe] + 1
        assert self.acknowledged[pipe] < first  # else the sender has dropped it
        if first <= self.sent[pipe]:
            payloads = [b"%d" % number for number in range(first, self.sent[pipe] + 1)]
            self.admissions.arrive(pipe, blocks(first, *payloads))
            self.arrived[pipe] = self.sent[pipe]

    def compute(self) -> None:
        """Admit and compute one round; its results are seen if nothing is outstanding."""
        if self.admissions.admit((1, self.round), fresh=self.round >= self.horizon):
            self.outstanding = (self.admissions.version, msgpack_codec.encode(self.admissions.log()))
        assert self.admissions.limit((1, self.round), 10) >= 1
        self.computed.append(tuple(box.take() for box in self.boxes.values()))
        self.show()

    def store_log(self) -> None:
        if self.outstanding[0] > self.log[0]:
            self.log = self.outstanding
            assert self.admissions.stored(self.log[0])
        self.show()

    def show(self) -> None:
        """Let the rounds be seen, and compare those that were seen before."""
        for pipe, (_, block) in self.admissions.durable.items():
            self.acknowledged[pipe] = max(self.acknowledged[pipe], block)
        if self.admissions.outstanding:
            return
        for number, values in enumerate(self.computed, self.point):
            if number < len(self.seen):
                assert self.seen[number] == values, f"round {number + 1}"
            else:
                self.seen.append(values)

    def store_state(self) -> None:
        if not self.admissions.outstanding:
            self.states[self.round] = msgpack_codec.encode(self.admissions.capture())

    def trim(self) -> None:
        """The restart point advances to the newest state whose round was seen."""
        usable = [point for point in self.states if point <= len(self.seen)]
        if usable and not self.admissions.repeating:
            self.restart = max(self.restart, *usable)
            self.admissions.trim((1, self.restart))
            self.states = {point: state for point, state in self.states.items() if point >= self.restart}

    def hear_late(self) -> None:
        """The answer about an earlier version comes late."""
        if self.admissions.version:
            assert not self.admissions.stored(self.admissions.version - 1)

    def forget(self) -> None:
        """All that have seen results begin again at the restart point, as a sink without state does."""
        del self.seen[self.restart :]
        self.states = {point: state for point, state in self.states.items() if point <= self.restart}
        self.fail()

    def fail(self) -> None:
        """Begin again after the newest state whose round was seen."""
        self.start(max((point for point in self.states if point <= len(self.seen)), default=0))

    def end(self) -> None:
        """Compute on until every value that was sent was used by a round."""
        for pipe in PIPES:
            self.arrive(pipe)
        while self.round < self.horizon or self.admissions.arrived or any(map(len, self.boxes.values())):
            self.compute()
            self.store_log()
        self.store_log()
        for index, pipe in enumerate(PIPES):
            values = [values[index] for values in self.seen]
            used = list(dict.fromkeys(value for value in values if value is not None))
            assert used == [b"%d" % number for number in range(1, self.sent[pipe] + 1)]


STEPS = (
    *("send 4", "send 5", "arrive 4", "arrive 5"),
    *("compute",) * 4,
    *("store_log", "store_log", "store_state", "trim", "hear_late", "forget", "fail"),
)


def play(world: World, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 120)):
        name, _, pipe = chance.choice(STEPS).partition(" ")
        getattr(world, name)(*[int(pipe)] if pipe else [])
    world.end()


@given(st.integers(0, 2**32))
@settings(deadline=None)
def test_what_was_seen_is_repeated_and_nothing_is_lost(seed: int) -> None:
    play(World(), random.Random(seed))


MUTANTS = (
    ("new blocks overtake the logged ones", "not fresh or self._repeated or", "not fresh or"),
    ("the horizon is ignored", "if not fresh or", "if"),
    ("logged blocks come late", "self._repeated[0].after <= progress", "self._repeated[0].after < progress"),
    ("an entry is dropped early", "self._entries[0].after < restart", "self._entries[0].after <= restart"),
    (
        "a block is acknowledged early",
        "        if logged:\n",
        "        self.durable = self._contained\n        if logged:\n",
    ),
    ("a checkpoint forgets what waits", "[_plain(one) for one in waiting]", "[]"),
    (
        "a checkpoint forgets what is stored",
        "kept = None if stored is None else _plain(stored)",
        "kept = None",
    ),
    ("a checkpoint forgets what it contains", "inbox.admitted = _position(admitted)", "pass"),
    (
        "a successor asks for what the log has",
        "return max(self._inboxes[pipe].admitted, *logged, (0, 0))",
        "return self._inboxes[pipe].admitted",
    ),
    ("an older version counts as stored", "if version != self.version:", "if False:"),
    ("versions are counted from 1 again", "        self.version = version\n", ""),
)


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS, ids=[name for name, _, _ in MUTANTS])
def test_a_broken_copy_is_found_out(name: str, old: str, new: str) -> None:
    spec = find_spec(module.__name__)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text()
    assert text.count(old) == 1, name
    copy = ModuleType("admissions_copy")
    exec(compile(text.replace(old, new), "admissions.py", "exec"), copy.__dict__)

    def found_out(seed: int) -> bool:
        try:
            play(World(copy.Admissions), random.Random(seed))
        except AssertionError:
            return True
        return False

    assert any(found_out(seed) for seed in range(3000))
