import contextlib
import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fission.core import base
from fission.core.pipes import ArrayPipe, OptionalArrayPipe
from fission.errors import PipeError

DTYPES = (
    hnp.integer_dtypes()
    | hnp.unsigned_integer_dtypes()
    | hnp.floating_dtypes()
    | hnp.complex_number_dtypes()
    | hnp.boolean_dtypes()
    | hnp.datetime64_dtypes()
    | hnp.unicode_string_dtypes()
    | hnp.byte_string_dtypes()
    | hnp.array_dtypes(allow_subarrays=True)
)
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))


def same(one: Any, other: Any) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@given(st.lists(ARRAYS, max_size=4))
def test_round_trip(arrays: list[Any]) -> None:
    base.reset()
    pipe = ArrayPipe(1)
    file = BytesIO()
    for array in arrays:
        pipe.write(file, pipe.pack(array))
    file.seek(0)
    received = [pipe.unpack(pipe.read(file)) for _ in arrays]
    assert all(map(same, received, arrays))
    assert all(array.flags.writeable and array.flags.owndata for array in received)
    with pytest.raises(EOFError):
        pipe.read(file)
    file.seek(0)
    wrapped = [pipe.unpack(pipe.read_wrapper(file)) for _ in arrays]
    assert all(map(same, wrapped, arrays))


@given(ARRAYS, st.data())
def test_a_block_that_was_cut_is_no_array(array: Any, data: st.DataObject) -> None:
    base.reset()
    block = ArrayPipe(1).pack(array)
    cut = block[: data.draw(st.integers(1, len(block) - 1))]
    for stage in (ArrayPipe(1).unpack, lambda part: ArrayPipe(1).read(BytesIO(part))):
        with pytest.raises(PipeError):
            stage(cut)


@given(st.binary(min_size=1, max_size=60))
def test_garbage_is_no_array(garbage: bytes) -> None:
    base.reset()
    with contextlib.suppress(PipeError):
        assert isinstance(ArrayPipe(1).unpack(garbage), np.ndarray)


@pytest.mark.parametrize("text", ["O", "|O", "nonsense", "[('a',)]", "[('a', '<f8'", "[('a', '|O')]"])
def test_a_dtype_on_the_wire_that_is_none_or_has_objects(text: str) -> None:
    block = (
        len(text).to_bytes(2, "little")
        + (1).to_bytes(2, "little")
        + text.encode()
        + (1).to_bytes(8, "little")
    )
    for stage in (ArrayPipe(1).unpack, lambda part: ArrayPipe(1).read(BytesIO(part))):
        with pytest.raises(PipeError):
            stage(block + bytes(8))


@pytest.mark.parametrize(
    "text", ["<f8", "V0", "S0", "|V2147483647", "[('a', '<f8', (2147483647,))]", "M8[ns]"]
)
@pytest.mark.parametrize(
    "shape",
    [(2**64 - 1,), (2**62,), (2**31, 2**33), (0, 2**64 - 1), (0, 2**63 - 1), (2**40, 2**40), (1,) * 70],
)
def test_a_shape_that_no_array_has(text: str, shape: tuple[int, ...]) -> None:
    lengths = struct.pack("<HH", len(text), len(shape))
    block = lengths + text.encode() + struct.pack(f"<{len(shape)}Q", *shape)
    for elements in (b"", bytes(16)):
        with pytest.raises(PipeError, match="pipe 1"):
            ArrayPipe(1).unpack(block + elements)
        with contextlib.suppress(PipeError):
            ArrayPipe(1).read(BytesIO(block + elements))


def test_a_block_with_bytes_left_over_is_no_array() -> None:
    with pytest.raises(PipeError, match="no array"):
        ArrayPipe(1).unpack(ArrayPipe(1).pack(np.zeros(3)) + b"x")


def test_order_of_elements_is_that_of_c() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    for one in (array, array[:, ::2], array.T):
        assert same(ArrayPipe(1).unpack(ArrayPipe(1).pack(one)), one)


def test_fields_with_gaps_keep_their_places() -> None:
    for dtype in (
        np.dtype([("a", "i1"), ("b", "f8", (2,))], align=True),
        np.dtype([("outer", [("a", "<i2"), ("b", ">f4")])]),
    ):
        array = np.frombuffer(bytes(range(3 * dtype.itemsize)), dtype)
        received = ArrayPipe(1).unpack(ArrayPipe(1).pack(array))
        assert received.dtype.fields == array.dtype.fields
        assert (received == array).all()


def test_fields_that_overlap_are_refused() -> None:
    dtype = np.dtype({"names": ["a", "b"], "formats": ["<i4", "<i4"], "offsets": [0, 2]})
    with pytest.raises(PipeError, match="overlap"):
        ArrayPipe(1).pack(np.zeros(3, dtype))


def test_any_buffer_can_be_unpacked() -> None:
    pipe, array = ArrayPipe(1), np.arange(4)
    for kind in (bytes, bytearray, memoryview):
        received = pipe.unpack(kind(pipe.pack(array)))
        received += 1
        assert (received == array + 1).all()


def test_dtype_and_shape_are_checked_at_both_ends() -> None:
    pipe, anything = ArrayPipe(1, dtype="float32", shape=(2, None)), ArrayPipe(2)
    assert pipe.unpack(pipe.pack(np.zeros((2, 7), np.float32))).shape == (2, 7)
    for array, text in (
        (np.zeros((2, 7)), "wrong dtype; expected float32, found float64"),
        (np.zeros((3, 7), np.float32), r"wrong shape; expected \(2, None\), found \(3, 7\)"),
        (np.zeros(2, np.float32), r"wrong shape; expected \(2, None\), found \(2,\)"),
    ):
        with pytest.raises(PipeError, match=rf"pipe 1 \(ArrayPipe\): {text}"):
            pipe.pack(array)
        with pytest.raises(PipeError, match=text):
            pipe.unpack(anything.pack(array))


def test_what_is_no_array() -> None:
    for value in ([1, 2], 1.0, None, "x"):
        with pytest.raises(PipeError, match=r"expected a numpy array, .*asarray"):
            ArrayPipe(1).pack(value)


def test_objects_are_refused() -> None:
    for array in (np.array([{}]), np.zeros(2, [("a", object)]), np.zeros(2, "V0")):
        with pytest.raises(PipeError, match="PicklePipe carries any object"):
            ArrayPipe(1).pack(array)


def test_settings() -> None:
    class MicrophonePipe(ArrayPipe):
        DTYPE = "int16"
        SHAPE = (1024,)
        BLOCK_COUNT = 2

    assert MicrophonePipe(1).BLOCK_COUNT == 2
    MicrophonePipe(1).pack(np.zeros(1024, np.int16))
    with pytest.raises(PipeError, match="wrong dtype"):
        MicrophonePipe(1).pack(np.zeros(1024))
    assert ArrayPipe(2, float, 5, 3).SHAPE == (5,)
    assert ArrayPipe(2, np.float64, [5], block_count=3).BLOCK_COUNT == 3
    assert ArrayPipe(2, "float64", (5,), 3) is ArrayPipe(2)
    with pytest.raises(PipeError, match="another DTYPE"):
        ArrayPipe(2, "float32", (5,), 3)


def test_wrong_settings() -> None:
    with pytest.raises(PipeError, match=r"pipe 1 \(ArrayPipe\): no dtype.*found 'flaot'"):
        ArrayPipe(1, "flaot")
    with pytest.raises(PipeError, match="wrong block_count"):
        ArrayPipe(1, block_count=0)


def test_a_block_that_was_lost_before_any_came() -> None:
    zeros = ArrayPipe(1, "int16", (2, None)).unpack(b"")
    assert same(zeros, np.zeros((2, 0), np.int16))
    assert same(ArrayPipe(2).unpack(b""), np.zeros(0))


def test_a_default_passes_as_it_is() -> None:
    default = np.ones(3)

    class GainPipe(OptionalArrayPipe):
        OPTIONAL_DEFAULT = default

    assert GainPipe(1).unpack(GainPipe.OPTIONAL_DEFAULT) is default


@pytest.mark.parametrize("dtype", ["no such", "(3", 5, {"names": ["a"], "formats": []}, object(), "i3"])
def test_what_is_no_dtype(dtype: Any) -> None:
    with pytest.raises(PipeError, match="no dtype; expected as for numpy"):
        ArrayPipe(77, dtype)
    assert 77 not in base.PIPES


@pytest.mark.parametrize("dtype", [object, "U", "S", "V", [("a", object)], [], ("f4", (2,))])
def test_dtypes_that_no_array_on_a_pipe_has(dtype: Any) -> None:
    with pytest.raises(PipeError, match="no array on a pipe has this dtype"):
        ArrayPipe(77, dtype)


@pytest.mark.parametrize(
    "shape", ["34", 3.5, (2.0, 1), (-1,), -1, True, [True], ((1, 2),), {1: 2}, b"ab", ("3",)]
)
def test_what_is_no_shape(shape: Any) -> None:
    with pytest.raises(PipeError, match="no shape; expected a tuple of lengths"):
        ArrayPipe(77, "f4", shape)


def test_shapes_of_other_integers() -> None:
    assert ArrayPipe(77, shape=[np.int64(3), None]).SHAPE == (3, None)
    assert ArrayPipe(78, shape=0).SHAPE == (0,)
    assert ArrayPipe(79, shape=()).SHAPE == ()
