"""What a program writes is cut into the same blocks, in whatever pieces it comes."""

import pickle
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fission.core.pipes import ArrayPipe, BasePipe, BytesPipe, JSONPipe, PicklePipe
from fission.errors import PipeError
from fission.runtime.programs.deframers import Blocks, deframer_for


class Framed(BasePipe):
    """Two bytes of length, then so many bytes; an empty line after each block."""

    BLOCK_SIZE = "framed"

    def read(self, file: IO[bytes]) -> Any:
        size = file.read(2)
        if not size:
            raise EOFError
        data = bytearray(int.from_bytes(size, "big"))
        file.readinto(data)  # type: ignore[attr-defined]
        if file.readline() != b"\n":
            raise ValueError("no empty line")
        return bytes(data)

    def write(self, file: IO[bytes], data: Any) -> None:
        file.write(len(data).to_bytes(2, "big") + data + b"\n")


class Rest(BasePipe):
    BLOCK_SIZE = "rest"

    def read(self, file: IO[bytes]) -> Any:
        return file.read()


class Nothing(BasePipe):
    BLOCK_SIZE = "nothing"

    def read_wrapper(self, file: IO[bytes]) -> Any:
        return b""


class NoBytes(Nothing):
    def read_wrapper(self, file: IO[bytes]) -> Any:
        return file.read(1).decode()


def make(kind: Any, *arguments: Any) -> Any:
    """A pipe that no registry knows."""
    return type.__call__(kind, 1, *arguments)


BLOCKS: dict[str, tuple[Any, Any]] = {
    "fixed": (make(BytesPipe, 3), st.binary(min_size=3, max_size=3)),
    "json": (make(JSONPipe), st.integers().map(lambda n: f'{{"n": {n}}}\n'.encode())),
    "pickle": (make(PicklePipe), st.binary(max_size=300).map(lambda b: pickle.dumps([b, "x"], 5))),
    "framed": (make(Framed), st.binary(max_size=300).map(lambda b: len(b).to_bytes(2, "big") + b + b"\n")),
}


def flat(*found: Blocks) -> list[tuple[int, bytes]]:
    return [(head, bytes(block)) for runs in found for head, blocks in runs for block in blocks]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("head_size", [0, 1, 2])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_pieces_make_no_difference(name: str, head_size: int, data: st.DataObject) -> None:
    pipe, blocks_of = BLOCKS[name]
    blocks = data.draw(st.lists(blocks_of, max_size=8))
    heads = [data.draw(st.binary(min_size=head_size, max_size=head_size)) for _ in blocks]
    stream = b"".join(head + block for head, block in zip(heads, blocks, strict=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    cutter = deframer_for(pipe, head_size)
    found = [cutter.feed(stream[a:b]) for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found.append(cutter.end())
    wires = [int.from_bytes(head, "big") << 8 * (4 - head_size) for head in heads]
    assert flat(*found) == list(zip(wires, blocks, strict=True))


@pytest.mark.parametrize(
    ("name", "stream"),
    [("fixed", b"abcd"), ("pickle", pickle.dumps("abc", 5)[:-1]), ("framed", b"\0"), ("framed", b"\0\5abc")],
)
def test_an_end_within_a_block_is_told(name: str, stream: bytes) -> None:
    cutter = deframer_for(BLOCKS[name][0], 0)
    cutter.feed(stream)
    with pytest.raises(PipeError, match="ends within a block"):
        cutter.end()


def test_an_end_within_a_head_is_told() -> None:
    cutter = deframer_for(BLOCKS["framed"][0], 2)
    assert cutter.feed(b"a") == []
    with pytest.raises(PipeError, match="2 bytes of head"):
        cutter.end()


def test_the_last_line_of_json_needs_no_end() -> None:
    cutter = deframer_for(BLOCKS["json"][0], 0)
    assert cutter.feed(b"1\n[2,") == [(0, [b"1\n"])]
    assert cutter.feed(b" 3]") == []
    assert cutter.end() == [(0, [b"[2, 3]\n"])]


def test_a_block_that_goes_on_to_the_end() -> None:
    cutter = deframer_for(make(Rest), 0)
    assert cutter.feed(b"ab") == []
    assert cutter.feed(b"cd") == []
    assert cutter.end() == [(0, [b"abcd"])]


@pytest.mark.parametrize(
    ("kind", "message"), [(Nothing, "has taken nothing"), (NoBytes, "has returned no bytes")]
)
def test_a_wrong_read_wrapper_is_told(kind: Any, message: str) -> None:
    with pytest.raises(PipeError, match=message):
        deframer_for(make(kind), 0).feed(b"abc")


def test_what_the_users_read_raises_comes_out() -> None:
    with pytest.raises(ValueError, match="no empty line"):
        deframer_for(BLOCKS["framed"][0], 0).feed(b"\0\1ab\n")


def test_arrays_are_read_by_their_pipe() -> None:
    pipe = make(ArrayPipe)
    blocks = [pipe.pack(np.arange(n, dtype="<i2")) for n in (0, 5, 3)]
    cutter = deframer_for(pipe, 0)
    stream = b"".join(blocks)
    assert flat(*(cutter.feed(stream[n : n + 1]) for n in range(len(stream)))) == [(0, one) for one in blocks]
