"""Frames: what is encoded comes back, whatever the shapes; what does not fit is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fission.channel.wire import encoder, frames
from fission.channel.wire.decoder import FrameDecoder
from fission.channel.wire.encoder import encode_batch, encode_control, encode_lone
from fission.channel.wire.frames import (
    LARGE,
    MAX_BLOCKS,
    VERSION,
    Ack,
    Batch,
    CheckpointRequest,
    Done,
    Durable,
    End,
    Hello,
    Refuse,
    Welcome,
    frozen,
    payload_size,
)
from fission.errors import LocalProtocolError

HELLO = Hello(VERSION, "run", 1, 1)

CONTROLS = [
    HELLO,
    Hello(65535, "Läufe\n", 2**32 - 1, 2**32 - 1, (2**32 - 1, 2**64 - 1)),
    Hello(VERSION, "", 0, 0),
    Welcome(1, 1),
    Welcome(2**32 - 1, 2**64 - 1),
    Ack(3, 4),
    End(1, 17),
    Durable(2, 8),
    CheckpointRequest(),
    Done(),
    Refuse("superseded"),
    Refuse(""),
]


def feed(decoder, data, step=1 << 30):
    """All frames of these bytes, received in steps of at most `step`."""
    found = []
    data = memoryview(data)
    while data:
        room = decoder.get_buffer()
        count = min(len(room), len(data), step)
        room[:count] = data[:count]
        found += decoder.buffer_updated(count)
        data = data[count:]
    return found


def there_and_back(batch, step=1 << 30):
    """The batch after a journey."""
    decoder = FrameDecoder()
    hello, back = feed(decoder, encode_control(HELLO) + b"".join(encode_batch(batch)), step)
    assert hello == HELLO
    return back


@pytest.mark.parametrize("frame", CONTROLS, ids=repr)
def test_control_frames_come_back(frame):
    assert feed(FrameDecoder(), encode_control(frame)) == [frame]


def test_layout_of_a_hello_is_fixed():
    expected = bytes.fromhex("20000000 02 00 55f1 0100 07000000 02000000 03000000 0400000000000000") + b"r1"
    assert encode_control(Hello(1, "r1", 7, 2, (3, 4))) == expected


def test_layout_of_a_batch_is_fixed():
    batch = Batch(2, 3, 1 << 31, 1.0, 2.0, [b"ab", b"c"])
    header = bytes.fromhex("37000000 01 00 55f1 02000000 0300000000000000 02000000 00000080")
    times = bytes.fromhex("000000000000f03f 0000000000000040")
    assert encode_batch(batch) == [header + times + bytes.fromhex("02000000 01000000") + b"abc"]


def test_equal_sizes_are_said_once():
    batch = Batch(1, 1, 0, 0.0, 0.0, [b"abc"] * 100)
    (data,) = encode_batch(batch)
    assert len(data) == frames.DATA_HEADER.size + 4 + 300


def test_large_payloads_are_not_copied():
    large = bytes(LARGE)
    other = bytearray(LARGE + 1)
    buffers = encode_batch(Batch(1, 1, 0, 0.0, 0.0, [b"a", large, b"b", b"c", other, b"d"]))
    assert [len(one) for one in buffers[1:]] == [LARGE, 2, LARGE + 1, 1]
    assert buffers[1] is large
    assert buffers[3] is other


def test_a_lone_large_payload_follows_its_header():
    large = bytes(LARGE)
    header, data = encode_batch(Batch(1, 1, 0, 0.0, 0.0, [large]))
    assert len(header) == 48
    assert data is large


def test_many_large_payloads_become_one_buffer():
    large = bytes(LARGE)
    assert len(encode_batch(Batch(1, 1, 0, 0.0, 0.0, [large] * 600))) == 1
    assert len(encode_batch(Batch(1, 1, 0, 0.0, 0.0, [large] * 500))) == 501


def test_adjacent_large_payloads():
    header, one, two = encode_batch(Batch(1, 1, 0, 0.0, 0.0, [bytes(LARGE), bytes(LARGE)]))
    assert (len(header), len(one), len(two)) == (48, LARGE, LARGE)


def test_counts_and_sizes():
    batch = Batch(1, 10, 0, 0.0, 0.0, [b"abc", bytearray(2), memoryview(b"1"), (b"12", b"345")])
    assert (batch.count, batch.first, batch.last, batch.nbytes) == (4, 10, 13, 11)
    assert batch.nbytes == 11
    assert [payload_size(one) for one in batch.blocks] == [3, 2, 1, 5]


def test_size_of_a_batch_takes_no_part_in_comparison():
    one, other = (Batch(1, 1, 0, 0.0, 0.0, [b"a"]) for _ in range(2))
    assert one.nbytes == 1
    assert one == other
    assert "nbytes" not in repr(one)


def test_frozen_blocks_cannot_change():
    data = b"abc"
    assert frozen(data) is data
    changing = bytearray(data)
    copies = [frozen(changing), frozen(memoryview(changing)), frozen((b"x", changing))]
    changing[0] = 0
    assert copies == [b"abc", b"abc", (b"x", b"abc")]
    assert [type(one) for one in copies] == [bytes, bytes, tuple]


@pytest.mark.parametrize(
    "batch",
    [
        Batch(1, 1, 0, 0.0, 0.0, []),
        Batch(1, 1, 0, 0.0, 0.0, [b""] * (MAX_BLOCKS + 1)),
        Batch(1, 1, 0, 0.0, 0.0, [(b"",) * (MAX_BLOCKS + 1)]),
        Batch(1, 1, 0, 0.0, 0.0, [()]),
        Batch(1 << 32, 1, 0, 0.0, 0.0, [b"a"]),
        Batch(1, -1, 0, 0.0, 0.0, [b"a"]),
        Batch(1, 1, 1 << 32, 0.0, 0.0, [b"a"]),
    ],
)
def test_a_batch_that_fits_no_frame_is_our_mistake(batch):
    with pytest.raises(LocalProtocolError):
        encode_batch(batch)


def test_a_block_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(encoder, "MAX_BLOCK", 10)
    encode_batch(Batch(1, 1, 0, 0.0, 0.0, [b"0123456789"]))
    with pytest.raises(LocalProtocolError, match="11 bytes"):
        encode_batch(Batch(1, 1, 0, 0.0, 0.0, [b"0123456789x"]))


@pytest.mark.parametrize(
    "frame",
    [
        Hello(65536, "", 1, 1),
        Hello(1, "x" * 5000, 1, 1),
        Hello(1, "\ud800", 1, 1),
        Ack(-1, 0),
        End(1, 1 << 64),
    ],
)
def test_a_control_frame_that_does_not_fit_is_our_mistake(frame):
    with pytest.raises(LocalProtocolError):
        encode_control(frame)


def test_a_long_reason_is_cut():
    (back,) = feed(FrameDecoder(), encode_control(Refuse("ä" * 5000)))
    assert back == Refuse("ä" * 1000)


PARTS = st.binary(max_size=600) | st.sampled_from([b"", bytes(5), bytes(LARGE - 1), bytes(range(256)) * 260])
BLOCKS = (
    PARTS | PARTS.map(bytearray) | PARTS.map(memoryview) | st.lists(PARTS, min_size=2, max_size=4).map(tuple)
)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
BATCHES = st.builds(
    Batch,
    st.integers(0, 2**32 - 1),
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**32 - 1),
    TIMES,
    TIMES,
    st.lists(BLOCKS, min_size=1, max_size=6)
    | st.tuples(PARTS, st.integers(1, 300)).map(lambda one: [one[0]] * one[1]),
)


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**32 - 1),
    TIMES,
    TIMES,
    st.binary(max_size=600) | st.just(bytes(LARGE - 1)),
)
def test_a_lone_block_makes_the_same_frame_on_a_shorter_way(epoch, first, head, mono, wall, block):
    batch = Batch(epoch, first, head, mono, wall, [block])
    assert [encode_lone(epoch, first, head, mono, wall, block)] == encode_batch(batch)
    assert there_and_back(batch) == batch


@settings(deadline=None)
@given(BATCHES)
def test_batches_come_back(batch):
    back = there_and_back(batch)
    assert back == batch
    assert back.nbytes == batch.nbytes
