"""The decoder: the cuts do not matter, memory is bounded, garbage is an error and nothing else."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fission.channel.wire.decoder import OWN_MEMORY, RECEIVE_BUFFER, FrameDecoder
from fission.channel.wire.encoder import encode_batch, encode_control
from fission.channel.wire.frames import (
    DATA_HEADER,
    FIXED,
    FRAME_HEADER,
    LARGE,
    MAGIC,
    MAX_BLOCKS,
    MAX_CONTROL,
    PARTS,
    VERSION,
    Ack,
    Batch,
    CheckpointRequest,
    Done,
    Durable,
    End,
    Hello,
    Kind,
    Refuse,
    Welcome,
)
from fission.errors import RemoteProtocolError

HELLO = Hello(VERSION, "run", 1, 1)
GREETING = encode_control(HELLO)


def feed(decoder, data, steps=None):
    """All frames of these bytes; `steps` yields how many bytes each receiving takes at most."""
    found = []
    data = memoryview(data)
    while data:
        room = decoder.get_buffer()
        assert len(room) > 0
        count = min(len(room), len(data), next(steps) if steps else len(data))
        room[:count] = data[:count]
        found += decoder.buffer_updated(count)
        data = data[count:]
    return found


def greeted(max_block=1 << 30):
    decoder = FrameDecoder(max_block)
    assert feed(decoder, GREETING) == [HELLO]
    return decoder


def batch_of(*blocks, first=1):
    return Batch(1, first, 0, 1.5, 2.5, list(blocks))


def data_frame(body, *, length=None, flags=0, first=1, count=1, mono=0.0, wall=0.0):
    """A DATA frame that may lie."""
    length = DATA_HEADER.size + len(body) if length is None else length
    return DATA_HEADER.pack(length, Kind.DATA, flags, MAGIC, 1, first, count, 0, mono, wall) + body


def numbers(*values):
    return struct.pack(f"<{len(values)}I", *values)


def steps_of(sizes):
    while True:
        yield from sizes


# -- any cut gives the same frames -----------------------------------------------------------------------

FRAMES = st.lists(
    st.sampled_from(
        [Welcome(1, 2), Ack(1, 7), End(2, 9), Done(), Refuse("no"), Durable(1, 9), CheckpointRequest(), HELLO]
    )
    | st.lists(
        st.binary(max_size=40)
        | st.sampled_from(
            [bytes(300), bytes(LARGE - 1), bytes(LARGE), bytes(3 * LARGE), bytes(5 * LARGE + 3)]
        )
        | st.tuples(
            st.binary(max_size=9), st.sampled_from([b"", b"x", bytes(2 * LARGE)]), st.just(bytes(LARGE))
        ),
        min_size=1,
        max_size=5,
    ).map(lambda blocks: batch_of(*blocks)),
    max_size=6,
)
STEPS = st.lists(
    st.integers(1, 64) | st.integers(1000, 300_000) | st.just(1 << 20), min_size=1, max_size=8
).map(lambda sizes: [*sizes, 4096])


@settings(deadline=None)
@given(FRAMES, STEPS)
def test_any_cut_gives_the_same_frames(frames, steps):
    data = GREETING + b"".join(
        b"".join(encode_batch(one)) if isinstance(one, Batch) else encode_control(one) for one in frames
    )
    assert feed(FrameDecoder(), data, steps_of(steps)) == [HELLO, *frames]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 43, 44, 45, 47, 48, 49, 63, 64, 65, 4095, 4096, 4097])
def test_small_steps(step):
    frames = [
        batch_of(b"a", b"bc"),
        Ack(1, 1),
        batch_of(bytes(300), b""),
        batch_of((b"1", b"23"), b"4"),
        Done(),
    ]
    data = GREETING + b"".join(
        b"".join(encode_batch(one)) if isinstance(one, Batch) else encode_control(one) for one in frames
    )
    assert feed(FrameDecoder(), data, steps_of([step])) == [HELLO, *frames]


@pytest.mark.parametrize(
    "size",
    [
        OWN_MEMORY - 49,
        OWN_MEMORY - 48,
        OWN_MEMORY - 47,
        RECEIVE_BUFFER - 48,
        RECEIVE_BUFFER,
        RECEIVE_BUFFER + 1,
    ],
)
def test_blocks_around_the_sizes_of_buffers(size):
    batches = [batch_of(bytes([i]) * size, first=i) for i in range(1, 6)]
    data = b"".join(b"".join(encode_batch(one)) for one in batches)
    assert feed(greeted(), data) == batches
    assert feed(greeted(), data, steps_of([1, 60000])) == batches


def test_a_long_stream_of_small_frames():
    batches = [batch_of(*[bytes([i])] * (100 * i), first=i) for i in range(1, 80)]
    data = b"".join(b"".join(encode_batch(one)) for one in batches)
    assert feed(greeted(), data, steps_of([70001, 13])) == batches


def test_a_long_frame_of_many_small_blocks():
    batch = batch_of(*(bytes([i % 256]) * (i % 40) for i in range(MAX_BLOCKS)), first=5)
    assert feed(greeted(), b"".join(encode_batch(batch)), steps_of([50_000])) == [batch]


def test_a_long_frame_of_empty_and_large_parts():
    batch = batch_of(b"", b"", bytes(3 * LARGE), b"", (b"", b"ab", bytes(LARGE), b""), b"")
    assert feed(greeted(), b"".join(encode_batch(batch)), steps_of([9])) == [batch]


def test_a_long_frame_of_equal_small_blocks():
    batch = batch_of(*[b"x" * 40] * MAX_BLOCKS)
    assert feed(greeted(), b"".join(encode_batch(batch))) == [batch]


# -- whose memory ----------------------------------------------------------------------------------------


def test_a_large_block_is_received_in_place():
    decoder = greeted()
    header, _ = encode_batch(batch_of(bytes(1 << 20)))
    assert feed(decoder, header) == []
    room = decoder.get_buffer()
    assert len(room) == 1 << 20
    room[:] = b"x" * len(room)
    (batch,) = decoder.buffer_updated(len(room))
    (block,) = batch.blocks
    assert np.shares_memory(np.frombuffer(block, "B"), np.frombuffer(room, "B"))
    assert not memoryview(block).readonly


def test_lone_blocks_one_by_one():
    decoder = greeted()
    for i, size in enumerate([0, 1, 13, 255, 256, 4000, LARGE - 1, LARGE, OWN_MEMORY, 200_000, 5], 1):
        batch = batch_of(bytes([i]) * size, first=i)
        assert feed(decoder, b"".join(encode_batch(batch))) == [batch]


def test_a_tiny_block_after_a_large_one_opens_the_buffer_again():
    decoder = greeted()
    feed(decoder, b"".join(encode_batch(batch_of(bytes(1 << 20)))))
    assert len(decoder.get_buffer()) <= 64
    (tiny,) = encode_batch(batch_of(b"x"))
    assert feed(decoder, tiny) == [batch_of(b"x")]
    assert len(decoder.get_buffer()) == RECEIVE_BUFFER


@pytest.mark.parametrize(
    "lie",
    [
        data_frame(numbers(1) + b"x", flags=FIXED, first=0),
        data_frame(numbers(1) + b"x", flags=FIXED, first=1 << 63),
        data_frame(numbers(1) + b"x", flags=FIXED, mono=float("nan")),
        data_frame(numbers(2) + b"x", flags=FIXED),
        data_frame(numbers(1) + b"x", flags=FIXED)[:6] + b"??" + bytes(41),
    ],
)
def test_a_lone_block_that_lies(lie):
    with pytest.raises(RemoteProtocolError):
        feed(greeted(), lie)


def test_the_header_after_a_large_block_comes_alone():
    decoder = greeted()
    data = b"".join(encode_batch(batch_of(bytes(1 << 20))))
    feed(decoder, data)
    assert 48 <= len(decoder.get_buffer()) <= 64
    feed(decoder, data)
    assert feed(decoder, GREETING) == [HELLO]
    assert len(decoder.get_buffer()) > 64


def test_memory_for_a_large_block_without_numpy(monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "numpy")
    batch = batch_of(bytes(200_000), (b"a", bytes(200_000)))
    (back,) = feed(greeted(), b"".join(encode_batch(batch)))
    assert back == batch
    assert type(back.blocks[0]) is bytearray


def test_blocks_stay_when_the_buffer_is_used_again():
    decoder = greeted()
    (first,) = feed(decoder, encode_batch(batch_of(b"a" * 500, b"b" * 9))[0])
    (second,) = feed(decoder, encode_batch(batch_of(b"c" * 500, b"d" * 9))[0])
    assert (first.blocks, second.blocks) == ([b"a" * 500, b"b" * 9], [b"c" * 500, b"d" * 9])


def test_blocks_for_arrays_are_writable():
    (batch,) = feed(greeted(), encode_batch(batch_of(bytes(4000), bytes(4000)))[0])
    assert [type(one) for one in batch.blocks] == [bytearray, bytearray]


# -- bounded memory --------------------------------------------------------------------------------------


def test_a_stranger_gets_little_memory():
    decoder = FrameDecoder()
    assert len(decoder.get_buffer()) <= MAX_CONTROL
    with pytest.raises(RemoteProtocolError, match="expected HELLO"):
        feed(decoder, data_frame(numbers(1) + b"x", length=1 << 30))


def test_only_a_hello_opens():
    for frame in (Welcome(1, 1), Ack(1, 1), End(1, 1), Done(), Refuse("")):
        decoder = FrameDecoder()
        feed(decoder, encode_control(frame))
        assert len(decoder.get_buffer()) <= MAX_CONTROL
        with pytest.raises(RemoteProtocolError):
            feed(decoder, encode_batch(batch_of(b"x"))[0])


def test_more_than_the_largest_block_is_refused():
    decoder = greeted(max_block=1000)
    assert feed(decoder, encode_batch(batch_of(bytes(1000)))[0])
    with pytest.raises(RemoteProtocolError, match="at most 1000"):
        feed(decoder, encode_batch(batch_of(bytes(1001)))[0])


def test_a_frame_far_too_long_is_refused_from_its_header():
    decoder = greeted(max_block=1000)
    with pytest.raises(RemoteProtocolError, match="at most 1000"):
        feed(decoder, data_frame(b"", length=1 << 20)[:8])


# -- lies ------------------------------------------------------------------------------------------------

LIES = {
    "no magic": FRAME_HEADER.pack(8, Kind.DONE, 0, 0),
    "unknown kind": FRAME_HEADER.pack(8, 10, 0, MAGIC),
    "shorter than a header": FRAME_HEADER.pack(7, Kind.DONE, 0, MAGIC),
    "length 0": FRAME_HEADER.pack(0, Kind.ACK, 0, MAGIC),
    "long control frame": FRAME_HEADER.pack(MAX_CONTROL + 1, Kind.REFUSE, 0, MAGIC),
    "control frame with flags": FRAME_HEADER.pack(8, Kind.DONE, 1, MAGIC),
    "DONE with a body": FRAME_HEADER.pack(9, Kind.DONE, 0, MAGIC) + b"x",
    "ACK too short": FRAME_HEADER.pack(19, Kind.ACK, 0, MAGIC) + bytes(11),
    "END too long": FRAME_HEADER.pack(21, Kind.END, 0, MAGIC) + bytes(13),
    "HELLO too short": FRAME_HEADER.pack(29, Kind.HELLO, 0, MAGIC) + bytes(21),
    "REFUSE in no encoding": FRAME_HEADER.pack(9, Kind.REFUSE, 0, MAGIC) + b"\xff",
    "DATA without sizes": data_frame(b""),
    "DATA shorter than its header": data_frame(b"", length=20),
    "sizes cut off": data_frame(numbers(1)[:3], flags=FIXED),
    "no blocks": data_frame(numbers(0), flags=FIXED, count=0),
    "too many blocks": data_frame(numbers(0), flags=FIXED, count=MAX_BLOCKS + 1),
    "more blocks than sizes": data_frame(numbers(1) + b"x", count=5),
    "number 0": data_frame(numbers(1) + b"x", first=0),
    "a number without end": data_frame(numbers(1) + b"x", first=1 << 63),
    "time that is none": data_frame(numbers(1) + b"x", mono=float("nan")),
    "infinite time": data_frame(numbers(1) + b"x", wall=float("inf")),
    "equal sizes too large": data_frame(numbers(2) + b"x", flags=FIXED),
    "equal sizes too small": data_frame(numbers(1) + b"xyz", flags=FIXED, count=2),
    "sizes too large": data_frame(numbers(2, 3) + b"xxxx", count=2),
    "sizes too small": data_frame(numbers(2, 1) + b"xxxx", count=2),
    "sizes that wrap around": data_frame(numbers(2**32 - 1, 5) + b"xxxx", count=2),
    "unknown flags": data_frame(numbers(1) + b"x", flags=4),
    "both flags": data_frame(numbers(1) + b"x", flags=FIXED | PARTS),
    "a block without parts": data_frame(numbers(0, 1, 1) + b"x", flags=PARTS, count=2),
    "too many parts": data_frame(numbers(MAX_BLOCKS + 1, 1) + b"x", flags=PARTS),
    "no table of parts": data_frame(numbers(1), flags=PARTS, count=2),
    "fewer sizes than parts": data_frame(numbers(3, 1) + b"x", flags=PARTS),
    "parts too large": data_frame(numbers(2, 1, 1) + b"x", flags=PARTS),
    "long frame, equal sizes that lie": data_frame(numbers(5), flags=FIXED, length=OWN_MEMORY + 1),
    "long frame, sizes that lie": data_frame(numbers(5, 2**32 - 1), count=2, length=OWN_MEMORY + 1),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_lies_are_found_out(lie, step):
    decoder = greeted()
    with pytest.raises(RemoteProtocolError):
        feed(decoder, lie, steps_of([step]))


def test_after_an_error_there_are_no_frames():
    decoder = greeted()
    with pytest.raises(RemoteProtocolError) as first:
        feed(decoder, b"garbage!")
    with pytest.raises(RemoteProtocolError) as second:
        feed(decoder, encode_control(Done()))
    assert str(first.value) == str(second.value)


def test_an_error_tells_what_came_before():
    decoder = greeted()
    feed(decoder, encode_batch(batch_of(b"x", b"y", first=7))[0])
    with pytest.raises(RemoteProtocolError) as caught:
        feed(decoder, b"GET / HTTP/1.1\r\n")
    assert repr(HELLO) in caught.value.events
    assert "DATA epoch 1, blocks 7 to 8" in caught.value.events


def test_a_reason_cannot_forge_a_log():
    (frame,) = feed(FrameDecoder(), encode_control(Refuse("no\nroot logged in\x1b[2J")))
    assert frame == Refuse("no?root logged in?[2J")


@settings(deadline=None)
@given(st.binary(max_size=300), st.booleans(), STEPS)
def test_garbage_is_an_error_or_nothing(data, greet, steps):
    decoder = greeted(max_block=100_000) if greet else FrameDecoder()
    try:
        feed(decoder, data, steps_of(steps))
    except RemoteProtocolError:
        pass
    else:
        assert len(decoder.get_buffer()) > 0


@settings(deadline=None)
@given(FRAMES, st.data())
def test_one_changed_byte_is_an_error_or_other_frames(frames, data):
    stream = bytearray(
        GREETING
        + b"".join(
            b"".join(encode_batch(one)) if isinstance(one, Batch) else encode_control(one) for one in frames
        )
    )
    place = data.draw(st.integers(0, min(len(stream), 400) - 1))
    stream[place] = data.draw(st.integers(0, 255))
    decoder = FrameDecoder(max_block=1 << 22)
    try:
        for frame in feed(decoder, stream):
            if isinstance(frame, Batch):
                assert 1 <= frame.count <= MAX_BLOCKS
                assert frame.nbytes <= 1 << 22
    except RemoteProtocolError:
        pass
