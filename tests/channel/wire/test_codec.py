"""Codecs: what pickle would have brought comes back, nothing shares memory with the user, errors name the pipe."""

import contextlib
import datetime
import decimal
import io
import json
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fission.channel.wire import codec as module
from fission.channel.wire.arrays import MARK
from fission.channel.wire.codec import codec_for
from fission.channel.wire.decoder import FrameDecoder
from fission.channel.wire.encoder import encode_batch, encode_control
from fission.channel.wire.frames import LARGE, VERSION, Batch, Hello
from fission.core import base
from fission.core.pipes import (
    ArrayPipe,
    BasePipe,
    BytesPipe,
    JSONPipe,
    OptionalArrayPipe,
    OptionalJSONPipe,
    OptionalMixIn,
    OptionalPicklePipe,
    PickleMixIn,
    PicklePipe,
    ReadJSONMixIn,
    WriteJSONMixIn,
    WritePickleMixIn,
)
from fission.errors import OutputError, PipeError
from kits.effort import effort


@pytest.fixture(autouse=True)
def _registries():
    base.reset()
    yield
    base.reset()


def travel(*payloads):
    """The blocks as they arrive at the other end of a connection."""
    decoder = FrameDecoder()
    stream = encode_control(Hello(VERSION, "r", 1, 1)) + b"".join(
        encode_batch(Batch(1, 1, 0, 0.0, 0.0, list(payloads)))
    )
    blocks = []
    view = memoryview(stream)
    while view:
        room = decoder.get_buffer()
        count = min(len(room), len(view))
        room[:count] = view[:count]
        for frame in decoder.buffer_updated(count):
            blocks += frame.blocks if isinstance(frame, Batch) else []
        view = view[count:]
    return blocks


def there_and_back(pipe, value):
    """The value after a journey, which must be the same as after none."""
    codec = codec_for(pipe)
    payload = codec.encode(value)
    (block,) = travel(payload)
    at_once, back = codec.decode(payload), codec_for(pipe).decode(block)
    assert_same(back, at_once)
    return back


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        if one.dtype.hasobject:
            np.testing.assert_array_equal(one, other)
        else:  # bit for bit, also where no number is
            assert one.tobytes() == other.tobytes()
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    else:
        assert one == other


# -- pickles ---------------------------------------------------------------------------------------------

OBJECTS = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    -(2**63),
    2**63 - 1,
    2**63,
    10**50,
    1.5,
    "text",
    b"bytes",
    bytearray(b"ba"),
    (),
    [1, "a", None],
    {"a": {1, 2}},
    {"x": (1, [2, {"y": 3}])},
    datetime.datetime(2020, 2, 29, tzinfo=datetime.UTC),
    decimal.Decimal("1.5"),
    int,
    bytes(100_000),
    "ä" * 100_000,
    np.float64(1.5),
    np.int8(-3),
    np.str_("a"),
    [np.arange(3), np.arange(20_000)],
    {"a": np.zeros((200, 200)), "b": np.ones(3), "c": "d"},
]


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: repr(value)[:20])
def test_objects_come_back(value):
    assert_same(there_and_back(PicklePipe(1), value), value)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=8,
    )
)
def test_any_object_comes_back(value):
    base.reset()
    assert_same(there_and_back(PicklePipe(1), value), value)


@settings(deadline=None)
@given(st.integers(-(2**70), 2**70))
def test_every_integer_is_a_pickle_that_anybody_can_read(value):
    base.reset()
    codec = codec_for(PicklePipe(1))
    payload = codec.encode(value)
    assert pickle.loads(payload) == value
    assert codec.decode(payload) == value
    assert codec.decode(pickle.dumps(value, 5)) == value
    assert (len(payload) == 13) == (-(2**63) <= value < 2**63)


class Number(int):
    pass


def test_what_only_looks_like_an_integer_keeps_its_type():
    assert type(there_and_back(PicklePipe(1), Number(5))) is Number
    assert there_and_back(PicklePipe(1), True) is True


def test_pickles_of_13_bytes_that_are_no_integers():
    for value in ("x" * i for i in range(12)):
        assert there_and_back(PicklePipe(1), value) == value


def test_pickles_of_old_protocols_are_read():
    codec = codec_for(PicklePipe(1))
    for protocol in range(6):
        assert codec.decode(pickle.dumps([1, "a"], protocol)) == [1, "a"]


def test_subclasses_of_arrays_go_by_pickle():
    masked = np.ma.array([1, 2, 3], mask=[0, 1, 0])
    back = there_and_back(PicklePipe(1), masked)
    assert back.mask.tolist() == [False, True, False]
    matrix = np.arange(4).view(np.matrix)
    assert type(there_and_back(PicklePipe(1), matrix)) is np.matrix


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, "a", None], dtype=object),
        np.zeros(3, dtype=[("a", "O"), ("b", "i4")]),
        np.zeros(3, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.zeros(3, dtype=np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 16]})),
        np.zeros(3, dtype=np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 0]})),
        np.zeros(2, dtype=[("n" * 70_000, "i1")]),
        np.zeros(3, dtype="V0"),
    ],
    ids=["objects", "field of objects", "aligned", "holes", "overlap", "long name", "nothing"],
)
def test_arrays_that_a_header_cannot_describe_go_by_pickle(array):
    payload = codec_for(PicklePipe(1)).encode(array)
    assert payload[0] == 0x80
    assert_same(there_and_back(PicklePipe(1), array), array)


def test_large_buffers_travel_beside_the_pickle():
    codec = codec_for(PicklePipe(1))
    big, small = np.arange(20_000.0), np.arange(3.0)
    payload = codec.encode({"big": big, "small": small})
    assert isinstance(payload, tuple)
    assert [len(part) for part in payload[1:]] == [big.nbytes]
    assert len(payload[0]) < 1000
    back = codec.decode(travel(payload)[0])
    assert_same(back, {"big": big, "small": small})
    assert back["big"].flags.writeable
    assert back["small"].flags.writeable


def test_large_buffers_share_the_memory_they_came_in():
    codec = codec_for(PicklePipe(1))
    (block,) = travel(codec.encode((np.zeros(200_000), 1)))
    back, _ = codec.decode(block)
    assert np.shares_memory(back, np.frombuffer(block[1], "B"))


def test_after_a_large_value_small_ones_are_small_pickles():
    codec = codec_for(PicklePipe(1))
    assert isinstance(codec.encode([np.zeros(20_000)]), tuple)
    assert isinstance(codec.encode([np.zeros(2)]), bytes)
    assert isinstance(codec.encode([np.zeros(20_000)]), tuple)


def test_very_many_large_buffers(monkeypatch):
    monkeypatch.setattr(module, "_MOST_BUFFERS", 3)
    arrays = [np.full(LARGE, i, "u1") for i in range(5)]
    payload = codec_for(PicklePipe(1)).encode(arrays)
    assert len(payload) == 4
    assert_same(there_and_back(PicklePipe(1), arrays), arrays)


def test_a_block_with_13_parts():
    arrays = [np.full(LARGE, i, "u1") for i in range(12)]
    assert len(codec_for(PicklePipe(1)).encode(arrays)) == 13
    assert_same(there_and_back(PicklePipe(1), arrays), arrays)


def test_a_read_only_buffer_stays_read_only():
    array = np.zeros(LARGE)
    array.flags.writeable = False
    back = there_and_back(PicklePipe(1), [array])[0]
    assert back.flags.writeable == pickle.loads(pickle.dumps([array], 5))[0].flags.writeable


class Unwilling:
    def __reduce__(self):
        raise RuntimeError("not me")

    def __repr__(self):
        raise ValueError("no text either")


@pytest.mark.parametrize(
    "value", [lambda: 1, io.BytesIO().getbuffer(), (i for i in ()), Unwilling(), [Unwilling()]]
)
def test_what_cannot_be_pickled(value):
    codec = codec_for(PicklePipe(3))
    with pytest.raises(
        OutputError, match=r"pipe 3 \(PicklePipe\): a value that cannot be pickled; expected .* found"
    ):
        codec.encode(value)
    assert codec.decode(codec.encode([1])) == [1]


def test_an_endless_value():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(OutputError, match="RecursionError"):
        codec_for(PicklePipe(3)).encode(value)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"garbage",
        b"\x80",
        b"\x80\x05",
        b"\x80" * 13,
        bytearray(b"\x80\x05cno_such_module\nName\n."),
        MARK,
        MARK + b"\xff\xff",
        (),
        (b"garbage", b""),
        pickle.dumps(np.zeros(3), 5, buffer_callback=lambda _: False),
    ],
    ids=repr,
)
def test_a_block_that_is_no_pickle(block):
    with pytest.raises(PipeError, match=r"pipe 3 \(PicklePipe\)"):
        codec_for(PicklePipe(3)).decode(block)


def test_the_hint_says_what_is_missing_here():
    with pytest.raises(PipeError, match="No module named 'no_such_module'"):
        codec_for(PicklePipe(3)).decode(b"\x80\x05cno_such_module\nName\n.")


def test_a_value_that_is_too_large(monkeypatch):
    monkeypatch.setattr(module, "MAX_BLOCK", 100_000)
    for pipe, value in [
        (PicklePipe(1), bytes(100_000)),
        (PicklePipe(1), [np.zeros(100_000)]),
        (JSONPipe(2), "x" * 100_000),
        (ArrayPipe(3), np.zeros(100_000).view(np.matrix)),
    ]:
        with pytest.raises(OutputError, match="too large; expected at most 100000 bytes, found"):
            codec_for(pipe).encode(value)


def test_an_array_that_is_too_large(monkeypatch):
    monkeypatch.setattr(sys.modules["fission.channel.wire.arrays"], "MAX_BLOCK", 100_000)
    monkeypatch.setattr(module, "MAX_BLOCK", 100_000)
    for pipe in (PicklePipe(1), ArrayPipe(2)):
        with pytest.raises(OutputError, match="too large"):
            codec_for(pipe).encode(np.zeros(100_000))


def test_arrays_are_known_as_soon_as_numpy_is(monkeypatch):
    codec = codec_for(PicklePipe(1))
    with monkeypatch.context() as without:
        without.delitem(sys.modules, "numpy")
        assert codec.encode("a")[0] == 0x80
        assert codec.encode([1])[0] == 0x80
    assert codec.encode(np.zeros(3))[:2] == MARK


# -- arrays ----------------------------------------------------------------------------------------------

SIMPLE = (
    hnp.scalar_dtypes()
    | hnp.byte_string_dtypes(min_len=1)
    | hnp.unicode_string_dtypes(min_len=1)
    | hnp.array_dtypes(hnp.integer_dtypes() | hnp.floating_dtypes(), min_size=1, max_size=3)
    | hnp.nested_dtypes(hnp.scalar_dtypes(), max_leaves=4)
)
ARRAYS = hnp.arrays(SIMPLE, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
PIPES = st.sampled_from([PicklePipe, ArrayPipe, OptionalArrayPipe, OptionalPicklePipe])


@settings(max_examples=effort(200), deadline=None)
@given(ARRAYS, PIPES, st.sampled_from(["as it is", "transposed", "reversed", "every second"]))
def test_any_array_comes_back(array, kind, view):
    base.reset()
    if view == "transposed":
        array = array.T
    elif array.ndim and view != "as it is":
        array = array[:: -1 if view == "reversed" else 2]
    back = there_and_back(kind(1), array)
    assert_same(back, array)
    assert back.flags.writeable
    if array.dtype.names is None:
        assert back.flags.aligned


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(60_000, dtype=">f8").reshape(300, 200),
        np.arange("2000", "2200", dtype="M8[D]").repeat(2).reshape(-1, 2),
        np.arange(200_000, dtype="m8[ns]").reshape(2, -1),
        np.full((300, 300), "ab", "U3"),
        np.zeros((200, 300), [("a", "f4", (2,)), ("b", "S3")]),
        np.arange(240_000).reshape(60, 40, 100)[::2, ::-1],
    ],
    ids=lambda array: str(array.dtype),
)
def test_large_arrays_in_any_order(array, order):
    array = np.asarray(array, order=order)
    for kind, number in ((PicklePipe, 1), (ArrayPipe, 2)):
        back = there_and_back(kind(number), array)
        assert_same(back, array)
        assert back.flags.writeable
        assert back.flags.c_contiguous


def test_shapes_and_dtypes_change_on_one_pipe():
    codec = codec_for(PicklePipe(1))
    for size in range(600):
        for array in (np.arange(size), np.arange(size, dtype="f4"), np.zeros((2, size))):
            assert_same(codec.decode(codec.encode(array)), array)


def test_two_shapes_in_turn():
    codec = codec_for(ArrayPipe(1))
    arrays = [np.arange(3), np.arange(4.0)] * 3
    for array, block in zip(arrays, travel(*map(codec.encode, arrays)), strict=True):
        assert_same(codec.decode(block), array)


def test_arrays_between_objects():
    codec = codec_for(PicklePipe(1))
    values = [1, np.arange(3), "a", np.arange(3), None, np.float64(2), np.arange(3)]
    for value, block in zip(values, travel(*map(codec.encode, values)), strict=True):
        assert_same(codec.decode(block), value)


def test_a_block_does_not_change_with_its_array():
    for size in (3, 100_000):
        array = np.zeros(size)
        for view in (array, array[::-1]):
            codec = codec_for(PicklePipe(1))
            payloads = [codec.encode(view), codec.encode([view]), codec.encode((view, 1))]
            array[:] = 1
            assert not codec.decode(payloads[0]).any()
            assert not codec.decode(payloads[1])[0].any()
            assert not codec.decode(payloads[2])[0].any()
            array[:] = 0


def test_arrays_decoded_of_the_same_bytes_do_not_share_memory():
    for size in (3, 100_000):
        for array in (np.zeros(size), np.zeros((2, size)).T):
            codec = codec_for(ArrayPipe(1))
            payload = codec.encode(array)
            codec.decode(payload)[:] = 1
            assert not codec.decode(payload).any()


@pytest.mark.parametrize("size", [100, 500, 20_000, 131_072])
def test_a_received_array_is_not_copied_again(size):
    codec = codec_for(ArrayPipe(1))
    (block,) = travel(codec.encode(np.arange(float(size))))
    array = codec.decode(block)
    assert np.shares_memory(array, np.frombuffer(block, "B"))
    array += 1
    assert array[5] == 6


def test_dtype_and_shape_are_checked_at_both_ends():
    right, wrong_type, wrong_shape = np.zeros((2, 3)), np.zeros((2, 3), "f4"), np.zeros((3, 2))
    narrow = codec_for(ArrayPipe(1, "f8", (2, None)))
    wide = codec_for(ArrayPipe(2))
    assert_same(narrow.decode(narrow.encode(right)), right)
    for wrong, text in (
        (wrong_type, "expected float64, found float32"),
        (wrong_shape, r"\(2, None\), found \(3, 2\)"),
    ):
        for _ in range(2):
            with pytest.raises(OutputError, match=r"pipe 1 \(ArrayPipe\): wrong .*" + text):
                narrow.encode(wrong)
            with pytest.raises(PipeError, match=r"pipe 1 \(ArrayPipe\): wrong .*" + text):
                narrow.decode(wide.encode(wrong))
    assert_same(narrow.decode(narrow.encode(right)), right)


@pytest.mark.parametrize(
    "value", [1, [1, 2], np.float64(1), None, np.array([None]), np.zeros(2, [("a", "O")])]
)
def test_an_array_pipe_refuses_what_is_no_plain_array(value):
    codec = codec_for(ArrayPipe(4))
    for _ in range(2):
        with pytest.raises(OutputError, match=r"pipe 4 \(ArrayPipe\).*expected .*found"):
            codec.encode(value)


def test_an_array_pipe_reads_what_it_writes_to_a_file():
    pipe = ArrayPipe(1)
    array = np.arange(6).reshape(2, 3)
    file = io.BytesIO()
    pipe.write(file, pipe.pack(array))
    assert_same(codec_for(pipe).decode(file.getvalue()), array)


def test_subclasses_of_arrays_become_arrays_on_an_array_pipe():
    back = there_and_back(ArrayPipe(1), np.arange(4).view(np.matrix))
    assert_same(back, np.arange(4).reshape(1, 4))


def test_an_empty_block_stands_for_zeros():
    assert_same(codec_for(ArrayPipe(1, "i2", (2, 2))).decode(b""), np.zeros((2, 2), "i2"))


def header(text, elements=b"", length=None):
    text = text.encode()
    return MARK + (4 + len(text) if length is None else length).to_bytes(2, "little") + text + elements


@pytest.mark.parametrize(
    "block",
    [
        MARK,
        MARK + b"\x00\x00",
        MARK + b"\xff\xff<f8|1",
        header("<f8|1", bytes(7)),
        header("<f8|1", bytes(9)),
        header("<f8|-1"),
        header("<f8|-1,-1", bytes(8)),
        header("<f8|x", bytes(8)),
        header("<f8", bytes(8)),
        header("nonsense|1", bytes(8)),
        header("O|1", bytes(8)),
        header("|O8|1", bytes(8)),
        header("[('a', 'O')]|1", bytes(8)),
        header("[('a', __import__('os'))]|1", bytes(8)),
        header("[" * 3000 + "|1", bytes(8)),
        header("V0|1"),
        header("<f8|4294967296,4294967296"),
        header("<f8|" + "1," * 99 + "1", bytes(8)),
        header("\udcff|1".encode("utf-8", "surrogatepass").decode("latin1"), bytes(8)),
    ],
    ids=lambda block: repr(block[:30]),
)
def test_a_block_that_is_no_array(block):
    for pipe in (ArrayPipe(1), PicklePipe(2)):
        for kind in (bytes, bytearray, memoryview):
            with pytest.raises(PipeError, match=r"pipe \d"):
                codec_for(pipe).decode(kind(block))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_garbage_is_an_error_or_an_array(data):
    base.reset()
    for pipe in (ArrayPipe(1), PicklePipe(2)):
        with contextlib.suppress(PipeError):
            codec_for(pipe).decode(MARK + data)


# -- JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 1, 1.5, "ä\n\u2028", [1, [2]], {"a": {"b": None}}, "x" * 100_000])
def test_json_comes_back_as_one_line(value):
    payload = codec_for(JSONPipe(1)).encode(value)
    assert payload.count(b"\n") == 1
    assert payload.endswith(b"\n")
    assert json.loads(payload) == value
    assert there_and_back(JSONPipe(1), value) == value


@pytest.mark.parametrize("value", [{1, 2}, b"a", np.zeros(2), [object()], {(1, 2): 3}])
def test_what_json_cannot_say(value):
    with pytest.raises(
        OutputError, match=r"pipe 2 \(JSONPipe\): a value that JSON cannot say; expected dict.*found"
    ):
        codec_for(JSONPipe(2)).encode(value)


def test_a_value_that_contains_itself():
    value = []
    value.append(value)
    with pytest.raises(OutputError, match="Circular"):
        codec_for(JSONPipe(2)).encode(value)


@pytest.mark.parametrize("block", [b"", b"\n", b"{", b"1\n2\n", b"\xff", (b"1", b" 2"), b"[" * 100_000])
def test_a_block_that_is_no_json(block):
    with pytest.raises(PipeError, match=r"pipe 2 \(JSONPipe\): no JSON"):
        codec_for(JSONPipe(2)).decode(block)


def test_json_in_any_memory():
    codec = codec_for(JSONPipe(1))
    for block in (b"[1]\n", bytearray(b"[1]\n"), memoryview(b"[1]\n"), (b"[1", b"]\n")):
        assert codec.decode(block) == [1]


# -- bytes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [b"abcd", bytearray(b"abcd"), memoryview(b"abcd"), np.frombuffer(b"abcd", "u2")]
)
def test_bytes_come_back(value):
    assert there_and_back(BytesPipe(1, 4), value) == b"abcd"


def test_bytes_are_not_copied():
    data = bytes(4)
    codec = codec_for(BytesPipe(1, 4))
    assert codec.encode(data) is data
    assert codec.decode(data) is data


def test_a_block_of_bytes_does_not_change():
    data = bytearray(b"abcd")
    payload = codec_for(BytesPipe(1, 4)).encode(data)
    data[0] = 0
    assert payload == b"abcd"


@pytest.mark.parametrize(
    ("value", "text"), [(b"abc", "4 bytes, found 3"), (5, "expected bytes"), ("abcd", "expected bytes")]
)
def test_what_is_not_so_many_bytes(value, text):
    with pytest.raises(OutputError, match=r"pipe 9 \(BytesPipe\): wrong .*" + text):
        codec_for(BytesPipe(9, 4)).encode(value)


def test_a_block_of_another_length():
    with pytest.raises(PipeError, match=r"pipe 9 .*expected 4 bytes, found 5"):
        codec_for(BytesPipe(9, 4)).decode(b"abcde")


# -- the user's own pipes --------------------------------------------------------------------------------


class Sized(PicklePipe):
    BLOCK_COUNT = 5
    SOURCE_JOBS = ()


class Number32(BasePipe):
    BLOCK_SIZE = 4

    def pack(self, obj):
        return obj.to_bytes(4, "little", signed=True)

    def unpack(self, data):
        assert type(data) is bytes
        return int.from_bytes(data, "little", signed=True)


class Doubling(PicklePipe):
    def pack(self, obj):
        return obj * 2

    def unpack(self, data):
        return [data]


class Lines(BasePipe):
    BLOCK_SIZE = "line"

    def pack(self, obj):
        return obj.encode()

    def unpack(self, data):
        return data.decode()

    def write(self, file, data):
        file.write(data)
        file.write(b"\n")

    def read(self, file):
        line = file.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line[:-1]


class Halves(ArrayPipe):
    def pack(self, obj):
        return super().pack(np.asarray(obj, "f2"))


class Positive(ArrayPipe):
    def check(self, obj):
        super().check(obj)
        if (obj < 0).any():
            raise PipeError("a negative element", where=str(self))


class Mixed(ReadJSONMixIn, WriteJSONMixIn, BasePipe):
    pass


class Readable(ReadJSONMixIn, WritePickleMixIn, BasePipe):
    """Wrong, but its own fault."""


class OptionalLines(OptionalMixIn, Lines):
    pass


class Listed(JSONPipe):
    def unpack(self, data):
        return tuple(data)


class Pickles(PickleMixIn, BasePipe):
    pass


@pytest.mark.parametrize(
    ("kind", "value", "wire", "back"),
    [
        (Number32, -2, b"\xfe\xff\xff\xff", -2),
        (Doubling, 3, pickle.dumps(6, 5), [6]),
        (Lines, "abc", b"abc\n", "abc"),
        (OptionalLines, "", b"\n", ""),
        (Mixed, [1], b"[1]\n", [1]),
        (Listed, [1, 2], b"[1, 2]\n", (1, 2)),
        (Pickles, "a", pickle.dumps("a", 5), "a"),
        (OptionalJSONPipe, {"a": 1}, b'{"a": 1}\n', {"a": 1}),
        (Sized, "a", pickle.dumps("a", 5), "a"),
    ],
)
def test_pipes_of_users(kind, value, wire, back):
    pipe = kind(1)
    codec = codec_for(pipe)
    payload = codec.encode(value)
    assert codec.decode(wire) == back
    assert there_and_back(pipe, value) == back
    file = io.BytesIO(payload)
    assert pipe.unpack(pipe.read(file)) == back
    if not isinstance(pipe, PicklePipe):
        assert payload == wire


def test_settings_alone_keep_the_direct_codec():
    assert codec_for(Sized(1)).encode(np.zeros(3))[:2] == MARK
    assert isinstance(codec_for(Sized(1)).encode((np.zeros(LARGE), 1)), tuple)


def test_arrays_through_a_pack_of_the_user():
    back = there_and_back(Halves(1), [1, 2, 3])
    assert_same(back, np.array([1, 2, 3], "f2"))


def test_a_check_of_the_user_is_called_for_every_block():
    codec = codec_for(Positive(1))
    assert codec.decode(codec.encode(np.ones(3))).tolist() == [1, 1, 1]
    with pytest.raises(OutputError, match="negative"):
        codec.encode(-np.ones(3))
    with pytest.raises(PipeError, match="negative"):
        codec.decode(ArrayPipe(2).pack(-np.ones(3)))


def test_a_method_set_on_the_object_counts():
    pipe = PicklePipe(1)
    pipe.pack = lambda obj: [obj]
    assert codec_for(pipe).decode(codec_for(pipe).encode(1)) == [1]


class Forgetful(Lines):
    def read(self, file):
        return file.read(1)


class Greedy(Lines):
    def read(self, file):
        raise EOFError


class Broken(Lines):
    def read(self, file):
        raise KeyError("mine")

    def write(self, file, data):
        raise KeyError("mine")


class Textual(Number32):
    def pack(self, obj):
        return str(obj)


class Short(Number32):
    def pack(self, obj):
        return b"abc"


def test_bytes_that_read_leaves_are_an_error():
    codec = codec_for(Forgetful(8))
    with pytest.raises(PipeError, match=r"pipe 8 \(Forgetful\): read has left bytes.*3 of 4 bytes"):
        codec.decode(codec.encode("abc"))


def test_bytes_that_read_lacks_are_an_error():
    codec = codec_for(Greedy(8))
    with pytest.raises(PipeError, match=r"pipe 8 \(Greedy\): read wants more"):
        codec.decode(codec.encode("abc"))


def test_what_the_users_code_raises_is_not_hidden():
    codec = codec_for(Broken(8))
    with pytest.raises(KeyError, match="mine"):
        codec.encode("abc")
    with pytest.raises(KeyError, match="mine"):
        codec.decode(b"abc")
    with pytest.raises(AttributeError):
        codec_for(Lines(9)).encode(5)


@pytest.mark.parametrize(
    ("kind", "text"), [(Textual, "expected bytes, found str"), (Short, "4 bytes, found 3 bytes")]
)
def test_what_pack_returns_must_fit(kind, text):
    with pytest.raises(OutputError, match="pipe 5 .*" + text):
        codec_for(kind(5)).encode(1)


def test_writing_what_cannot_be_read():
    codec = codec_for(Readable(1))
    with pytest.raises(PipeError, match="pipe 1"):
        codec.decode(codec.encode([1]))


def test_a_pipe_without_read_says_so():
    kind = type("Vague", (BasePipe,), {"BLOCK_SIZE": "something"})
    codec = codec_for(kind(1))
    with pytest.raises(PipeError, match=r"pipe 1 .*expected a method read"):
        codec.decode(codec.encode(b"abc"))
