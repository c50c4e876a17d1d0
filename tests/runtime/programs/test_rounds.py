"""Serials of a program's rounds and blocks, and where they lie in epochs and in bytes."""

import os
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from fission.channel.mailbox import Mailbox
from fission.channel.receiver import Receiver
from fission.channel.wire.codec import codec_for
from fission.channel.wire.plain import plain_bytes
from fission.core.head import WIRE_RESET
from fission.core.pipes import ArrayPipe, BasePipe, BytesPipe, JSONPipe, OptionalBytesPipe, PicklePipe
from fission.runtime.data.ports import InPort
from fission.runtime.programs.pipe_io import InputEnd
from fission.runtime.programs.rounds import ENDLESS, Rounds


def make(kind: Any, *arguments: Any) -> Any:
    return type.__call__(kind, 1, *arguments)


# -- rounds --------------------------------------------------------------------------------------------------


def test_blocks_belong_to_the_rounds_that_were_given() -> None:
    rounds = Rounds()
    assert rounds.position(0) == (1, 0)
    assert rounds.add(1, 1, 1, WIRE_RESET) == 0
    assert rounds.add(1, 2, 3, 0) == 1
    assert rounds.add(2, 1, 2, WIRE_RESET) == 4
    assert [rounds.position(n) for n in range(8)] == [
        *((1, 0), (1, 1), (1, 2), (1, 3), (1, 4)),
        *((2, 1), (2, 2), (2, 2)),
    ]
    runs = [rounds.run_at(n) for n in range(6)]
    assert [(run.epoch, run.first, run.count) for run in runs] == [
        *((1, 1, 1), (1, 2, 3), (1, 3, 2), (1, 4, 1)),
        *((2, 1, 2), (2, 2, 1)),
    ]
    assert [run.head for run in runs] == [WIRE_RESET, 0, 0, 0, WIRE_RESET, WIRE_RESET]


def test_blocks_that_no_round_was_given_for_go_on_in_the_last_epoch() -> None:
    rounds = Rounds((3, 7))
    run = rounds.run_at(2)
    assert (run.epoch, run.first, run.count, run.head) == (3, 10, ENDLESS, 0)
    rounds.add(3, 8, 2, 5)
    run = rounds.run_at(4)
    assert (run.epoch, run.first, run.head) == (3, 12, 0)


def test_what_is_forgotten_does_not_change_what_follows() -> None:
    rounds = Rounds()
    for n in range(1, 10):
        rounds.add(1, n, 1, n % 2)
    rounds.forget(6)
    assert rounds.position(6) == (1, 6)
    assert (rounds.run_at(6).first, rounds.run_at(6).head) == (7, 1)
    rounds.forget(9)
    assert rounds.position(9) == (1, 9)


def test_an_origin_begins_a_new_epoch_where_its_outputs_have_come_to() -> None:
    rounds = Rounds()
    rounds.add(1, 1, 1, WIRE_RESET)
    rounds.add(1, 2, ENDLESS, 0)
    rounds.cut(5)
    rounds.add(2, 1, 1, WIRE_RESET)
    rounds.add(2, 2, ENDLESS, 0)
    assert [(run.epoch, run.first) for run in map(rounds.run_at, (3, 4, 5, 6))] == [
        (1, 4),
        (1, 5),
        (2, 1),
        (2, 2),
    ]
    rounds.cut(0)
    assert rounds.given == 0


# -- plain bytes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipe", [make(BytesPipe, 4), make(JSONPipe), make(BasePipe)])
def test_most_blocks_are_plain_already(pipe: BasePipe) -> None:
    assert plain_bytes(pipe) is None


@pytest.mark.parametrize(
    "value",
    [
        5,
        "text",
        [1, b"x" * 100_000],
        np.arange(5),
        np.arange(100_000),
        [np.arange(100_000), {"a": np.zeros(70_000)}],
    ],
)
def test_plain_bytes_are_what_the_pipe_itself_reads(value: Any) -> None:
    pipe = make(PicklePipe)
    codec, plain = codec_for(pipe), plain_bytes(pipe)
    assert plain is not None
    for _ in range(2):  # the codec learns what the pipe carries
        data = plain(codec.encode(value))
        for found in (pipe.read(BytesIO(data)), codec.decode(data)):
            assert repr(found) == repr(value)


def test_plain_arrays() -> None:
    pipe = make(ArrayPipe)
    plain = plain_bytes(pipe)
    assert plain is not None
    array = np.arange(6).reshape(2, 3)
    data = plain(codec_for(pipe).encode(array))
    assert data == pipe.pack(array)
    assert (codec_for(pipe).decode(data) == array).all()
    assert plain(data) == data


# -- inputs --------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe_fds() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    os.set_blocking(write, False)
    yield read, write
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:
            continue


def input_end(pipe: BasePipe, head_size: int = 0) -> InputEnd:
    mailbox = Mailbox.of(pipe) if pipe.ASYNC else None
    return InputEnd(InPort(pipe, Receiver(1, run="r"), index=0, mailbox=mailbox, max_queue=0), head_size)


def test_rounds_are_counted_by_bytes(pipe_fds: tuple[int, int]) -> None:
    read, write = pipe_fds
    end = input_end(make(BytesPipe, 2, 2), 1)
    end.offer(0, 2, [b"ab", b"cd", b"ef", b"gh"], (0x01000000, 0x02000000))
    end.offer(2, 1, [b"ij", b"kl"], (0, 0))
    assert not end.flush(), "a named pipe that is not open"
    assert not end.drained
    end.fd = write
    assert end.flush()
    assert os.read(read, 12) == b"\1ab\2cd\1ef\2gh"
    assert end.unread() == 6
    assert [end.rounds(size) for size in (0, 5, 6, 12, 17, 18, 18)] == [0, 0, 1, 2, 2, 3, 3]
    os.read(read, 6)
    assert end.drained


def test_blocks_of_different_length(pipe_fds: tuple[int, int]) -> None:
    end = input_end(make(PicklePipe))
    end.offer(0, 3, [b"\x80a", b"\x80bcd", b"\x80"], (0,))
    assert [end.rounds(size) for size in (1, 2, 5, 6, 7)] == [0, 1, 1, 2, 3]


def test_a_program_that_wants_nothing_more_counts_as_having_read(pipe_fds: tuple[int, int]) -> None:
    read, write = pipe_fds
    end = input_end(make(BytesPipe, 2))
    end.fd = write
    os.close(read)
    end.offer(0, 1, [b"ab"], (0,))
    assert end.flush()
    assert end.broken
    end.offer(1, 1, [b"cd"], (0,))
    assert end.drained
    assert end.rounds(end.written) == 2
    end.close()
    end.close()
    assert end.closed


def test_optional_blocks_are_in_no_round() -> None:
    end = input_end(make(OptionalBytesPipe, 2))
    assert end.live
    end.offer(0, 1, [b"ab"], (0,))
    assert end.rounds(end.written) == 0
