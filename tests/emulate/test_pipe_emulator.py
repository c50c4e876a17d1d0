"""One value through the stages of a pipe."""

import emulated_jobs as own
import pytest

from fission.core import base
from fission.core.head import Head
from fission.core.pipes import BytesPipe, JSONPipe, PicklePipe
from fission.emulate import emulate
from fission.errors import PipeError, UserError


@pytest.fixture(autouse=True)
def fresh():
    base.reset()
    yield
    base.reset()


def test_the_four_stages_come_back():
    assert emulate(own.ShortPipe(1))(513) == (b"\x01\x02", b"\x01\x02", b"\x01\x02", 513)


def test_the_four_stages_are_printed(capsys):
    emulate(own.ShortPipe(1))(513)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "pipe 1 (ShortPipe)"
    assert [line.split()[0] for line in lines[1:]] == ["packed", "wire", "read", "unpacked"]
    assert lines[2].split(maxsplit=1)[1] == r"2 bytes: b'\x01\x02'"


def test_a_protocol_in_write_and_read():
    packed, wire, read, unpacked = emulate(JSONPipe(1))({"a": [1, 2]})
    assert wire == b'{"a": [1, 2]}\n'
    assert packed == read == unpacked == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("head", "prefix"), [(1, b"\x01"), (Head(0b11, 2), b"\x00\x03"), (Head(0, 1), b"\x00"), (0, b"\x00")]
)
def test_a_head_stands_before_the_block(head, prefix, capsys):
    _, wire, read, unpacked = emulate(own.ShortPipe(1))(1, head=head)
    assert wire == prefix + b"\x01\x00"
    assert (read, unpacked) == (b"\x01\x00", 1)
    assert "head" in capsys.readouterr().out


def test_large_values_are_shown_in_short(capsys):
    emulate(PicklePipe(1))(bytes(100_000))
    assert len(capsys.readouterr().out) < 1500


def test_a_read_that_leaves_bytes_is_told():
    with pytest.raises(PipeError, match=r"read has left bytes of the block.*1 of 2 bytes"):
        emulate(own.GreedyPipe(1))(1)


def test_a_read_that_wants_more_is_told():
    with pytest.raises(PipeError, match=r"read wants more"):
        emulate(own.HungryPipe(1))(1)


def test_errors_of_the_pipe_come_out():
    with pytest.raises(PipeError, match=r"16 bytes"):
        emulate(BytesPipe(1, 16))(b"short")


@pytest.mark.parametrize("thing", [5, PicklePipe, own.AddJob, None])
def test_anything_else_is_refused(thing):
    with pytest.raises(UserError, match=r"a pipe, a Python job or a program"):
        emulate(thing)


def test_blocks_are_put_and_got_one_by_one():
    emulator = emulate(own.ShortPipe(1))
    emulator.put(1)
    emulator.put(513)
    assert (emulator.get(), emulator.get()) == (1, 513)
    with pytest.raises(UserError, match=r"there is no block to get"):
        emulator.get()


def test_an_optional_pipe_returns_what_run_would_get():
    emulator = emulate(own.DefaultPipe(1))
    assert emulator.get() == "default"
    emulator.put("a")
    emulator.put("b")
    assert [emulator.get() for _ in range(3)] == ["a", "b", "b"]


def test_a_killed_emulator_of_a_pipe_is_empty():
    emulator = emulate(own.DefaultPipe(1))
    emulator.put("a")
    emulator.kill()
    assert emulator.get() == "default"
    emulator = emulate(PicklePipe(2))
    emulator.put("a")
    emulator.kill()
    with pytest.raises(UserError):
        emulator.get()
