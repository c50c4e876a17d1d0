"""Frames: whatever arrives, in whatever pieces, nothing larger than the limit is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.pairing.errors import PairingError
from fission.pairing.frames import LARGEST_SEALED, LARGEST_UNPAIRED, Frame, FrameReader, Kind, encode

FRAMES = st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=LARGEST_UNPAIRED - 1)), max_size=5)


def fed(reader: FrameReader, data: bytes, sizes: list[int]) -> list[Frame]:
    """Feed the data in pieces of at most these sizes."""
    found = []
    for number in range(len(data) * 2):
        if not data:
            break
        size = min(reader.wanted, sizes[number % len(sizes)])
        frame = reader.feed(data[:size])
        data = data[size:]
        if frame is not None:
            found.append(frame)
    return found


@given(FRAMES, st.lists(st.integers(1, 600), min_size=1, max_size=9))
def test_frames_come_out_as_they_went_in(sent: list[tuple[Kind, bytes]], sizes: list[int]) -> None:
    data = b"".join(encode(kind, body) for kind, body in sent)
    assert fed(FrameReader(), data, sizes) == [Frame(kind, body) for kind, body in sent]


@given(st.binary(max_size=2000), st.lists(st.integers(1, 600), min_size=1, max_size=9))
def test_whatever_arrives_is_bounded(data: bytes, sizes: list[int]) -> None:
    reader = FrameReader()
    try:
        found = fed(reader, data, sizes)
    except PairingError:
        return
    assert all(len(frame.data) < LARGEST_UNPAIRED for frame in found)
    assert 1 <= reader.wanted <= LARGEST_UNPAIRED


@pytest.mark.parametrize("length", [0, LARGEST_UNPAIRED + 1, LARGEST_SEALED, 2**32 - 1])
def test_a_length_out_of_bounds_is_refused_before_its_contents(length: int) -> None:
    with pytest.raises(PairingError, match=f"a frame of {length} bytes"):
        FrameReader().feed(length.to_bytes(4, "big"))


def test_a_truncated_frame_is_none() -> None:
    data = encode(Kind.HELLO, b"hello")
    reader = FrameReader()
    assert reader.feed(data[:4]) is None
    assert reader.feed(data[4:-1]) is None
    assert reader.wanted == 1


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(PairingError, match="an unknown frame"):
        fed(FrameReader(), b"\0\0\0\2zz", [600])
