"""Mailboxes: every row of their tables, and a model that says the same."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fission.channel import mailbox as module
from fission.channel.mailbox import Mailbox
from fission.channel.wire.codec import codec_for
from fission.core import base
from fission.core.pipes import ArrayPipe, OptionalArrayPipe, OptionalMixIn, OptionalPicklePipe, PicklePipe
from fission.errors import PipeError


@pytest.fixture(autouse=True)
def _registries():
    yield
    base.reset()


def filled(*blocks, **settings):
    box = Mailbox(**settings)
    for block in blocks:
        box.put(block)
    return box


def test_the_default_as_long_as_nothing_has_come():
    for store in (True, False):
        assert Mailbox(store=store).take() is None


def test_the_oldest_comes_first_and_the_last_stays():
    box = filled(b"1", b"2")
    assert [box.take() for _ in range(4)] == [b"1", b"2", b"2", b"2"]
    box.put(b"3")
    assert [box.take() for _ in range(2)] == [b"3", b"3"]


def test_without_store_each_block_comes_once():
    box = filled(b"1", b"2", store=False)
    assert [box.take() for _ in range(4)] == [b"1", b"2", None, None]


def test_the_oldest_gives_way():
    box = filled(b"1", b"2", b"3", b"4", size=2)
    assert (len(box), box.dropped) == (2, 2)
    assert [box.take(), box.take()] == [b"3", b"4"]


def test_the_newest_gives_way():
    box = filled(b"1", b"2", b"3", b"4", size=2, delete="newest")
    assert (len(box), box.dropped) == (2, 2)
    assert [box.take(), box.take()] == [b"1", b"2"]


def test_the_stored_block_takes_no_room():
    box = filled(b"1", size=1)
    box.take()
    box.put(b"2")
    assert (len(box), box.dropped, box.take()) == (1, 0, b"2")


@pytest.mark.parametrize("delete", ["oldest", "newest"])
def test_unbounded_is_bounded_by_number(monkeypatch, delete):
    monkeypatch.setattr(module, "MOST_BLOCKS", 10)
    box = filled(*[b"%d" % i for i in range(25)], delete=delete)
    assert (len(box), box.dropped) == (10, 15)
    assert box.take() == (b"15" if delete == "oldest" else b"0")


@pytest.mark.parametrize(("delete", "left"), [("oldest", [b"cccc", b"ddd"]), ("newest", [b"aaaa", b"bbbb"])])
def test_unbounded_is_bounded_by_bytes(monkeypatch, delete, left):
    monkeypatch.setattr(module, "MOST_BYTES", 8)
    box = filled(b"aaaa", b"bbbb", b"cccc", b"ddd", delete=delete, store=False)
    assert box.dropped == 2
    assert [box.take(), box.take(), box.take()] == [*left, None]


def test_bytes_are_given_back_when_taken(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 8)
    box = Mailbox()
    for _ in range(20):
        box.put(b"12345678")
        box.take()
    assert box.dropped == 0


@pytest.mark.parametrize("delete", ["oldest", "newest"])
def test_one_block_has_always_room(monkeypatch, delete):
    monkeypatch.setattr(module, "MOST_BYTES", 8)
    box = filled(b"123456789", delete=delete)
    assert box.take() == b"123456789"


def test_bytes_do_not_matter_when_the_size_is_set(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 8)
    assert filled(bytes(20), bytes(20), size=2).dropped == 0


def test_a_stored_array_does_not_change_with_what_a_job_got():
    codec = codec_for(ArrayPipe(1))
    box = filled(bytearray(codec.encode(np.zeros(4))))
    first = codec.decode(box.take())
    first[:] = 1
    second = codec.decode(box.take())
    second[:] = 2
    assert codec.decode(box.take()).tolist() == [0, 0, 0, 0]


def test_settings_of_the_pipe():
    class Fussy(OptionalMixIn, PicklePipe):
        OPTIONAL_STORE = False
        OPTIONAL_BUFFER_SIZE = 1
        OPTIONAL_DELETE_MODE = "newest"

    box = Mailbox.of(Fussy(1))
    box.put(b"1")
    box.put(b"2")
    assert [box.take(), box.take(), box.dropped] == [b"1", None, 1]


def test_a_pipe_that_only_says_async_gets_the_defaults():
    class Plain(PicklePipe):
        ASYNC = True

    for pipe in (Plain(1), OptionalPicklePipe(2), OptionalArrayPipe(3)):
        box = Mailbox.of(pipe)
        box.put(b"1")
        box.put(b"2")
        assert [box.take() for _ in range(3)] == [b"1", b"2", b"2"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("OPTIONAL_BUFFER_SIZE", -1), ("OPTIONAL_BUFFER_SIZE", "5"), ("OPTIONAL_DELETE_MODE", "middle")],
)
def test_settings_that_mean_nothing(setting, value):
    kind = type("Wrong", (OptionalPicklePipe,), {setting: value})
    with pytest.raises(PipeError, match=f"pipe 7 .*{setting}.*expected.*{value}"):
        Mailbox.of(kind(7))


def test_one_thread_puts_while_another_takes(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 64)
    box = Mailbox(store=False)
    blocks = [b"%08d" % i for i in range(20_000)]
    putter = threading.Thread(target=lambda: [box.put(block) for block in blocks])
    putter.start()
    taken = []
    while putter.is_alive() or len(box):
        block = box.take()
        if block is not None:
            taken.append(block)
    putter.join()
    assert taken == sorted(set(taken))
    assert len(taken) + box.dropped == len(blocks)


def test_a_block_taken_by_another_thread_in_the_middle_of_a_put():
    class Emptied(list):
        def popleft(self):
            self.clear()
            raise IndexError

    box = filled(b"1", size=1)
    box._waiting = Emptied([b"1"])
    box.put(b"2")
    assert (len(box), box.dropped) == (1, 0)


@settings(deadline=None)
@given(
    st.lists(st.none() | st.binary(max_size=3), max_size=40),
    st.booleans(),
    st.integers(0, 4),
    st.sampled_from(["oldest", "newest"]),
)
def test_mailbox_does_as_its_tables_say(actions, store, size, delete):
    box = Mailbox(store=store, size=size, delete=delete)
    waiting, stored, dropped = [], None, 0
    for action in actions:
        if action is None:
            if waiting:
                expected = waiting.pop(0)
                stored = expected if store else None
            else:
                expected = stored
            assert box.take() == expected
        else:
            box.put(action)
            waiting.append(action)
            if size and len(waiting) > size:
                waiting.pop(0 if delete == "oldest" else -1)
                dropped += 1
        assert (len(box), box.dropped) == (len(waiting), dropped)
