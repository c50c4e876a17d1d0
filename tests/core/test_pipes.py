import copy
import pickle
import struct
from io import BytesIO, RawIOBase
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fission.core.pipes
from fission.core import base
from fission.core.pipes import (
    BasePipe,
    BytesPipe,
    JSONPipe,
    OptionalArrayPipe,
    OptionalBytesPipe,
    OptionalJSONPipe,
    OptionalMixIn,
    OptionalPicklePipe,
    PicklePipe,
    ReadJSONMixIn,
    WritePickleMixIn,
)
from fission.errors import PipeError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
OBJECTS = st.recursive(
    JSON | st.binary() | st.complex_numbers(allow_nan=False) | st.sets(st.integers()),
    lambda inner: st.tuples(inner, inner) | st.lists(inner, max_size=4),
    max_leaves=10,
)


class ReducePipe(PicklePipe):
    BLOCK_COUNT = 5


class IntPipe(BasePipe):
    BLOCK_SIZE = 4

    def pack(self, obj: int) -> bytes:
        return struct.pack("<i", obj)

    def unpack(self, data: bytes) -> Any:
        return struct.unpack("<i", data)[0]


class SquarePipe(PicklePipe):
    """Converts values only: the protocol stays that of the class above."""

    def pack(self, obj: float) -> complex:
        return complex(obj, 1)

    def unpack(self, data: complex) -> float:
        return data.real


class NetstringPipe(BasePipe):
    BLOCK_SIZE = "netstring"

    def pack(self, obj: str) -> bytes:
        return obj.encode()

    def unpack(self, data: bytes) -> str:
        return data.decode()

    def write(self, file: IO[bytes], data: bytes) -> None:
        file.write(b"%d:" % len(data) + data)

    def read(self, file: IO[bytes]) -> bytes:
        digits = b""
        while (digit := file.read(1)) != b":":
            if not digit:
                raise EOFError
            digits += digit
        return file.read(int(digits))


class Trickle(RawIOBase):
    """A file that gives at most `most` bytes at once, as a pipe between processes may."""

    def __init__(self, data: bytes, most: int) -> None:
        self._file, self._most = BytesIO(data), most

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(memoryview(buffer)[: self._most])

    def readable(self) -> bool:
        return True


def check_stages(pipe: BasePipe, values: list[Any]) -> None:
    """Write the values one after the other; read them again in both ways that blocks are read."""
    file = BytesIO()
    lengths = []
    for value in values:
        before = file.tell()
        pipe.write(file, pipe.pack(value))
        lengths.append(file.tell() - before)
    file.seek(0)
    assert [pipe.unpack(pipe.read(file)) for _ in values] == values
    with pytest.raises(EOFError):
        pipe.read(file)
    file.seek(0)
    blocks = [pipe.read_wrapper(file) for _ in values]
    assert all(isinstance(block, bytes) for block in blocks)
    assert [pipe.unpack(pipe.read(BytesIO(block))) for block in blocks] == values
    assert [len(block) for block in blocks] == lengths


# -- stages -----------------------------------------------------------------------------------------------


@given(st.lists(OBJECTS, max_size=5))
def test_pickle_round_trip(values: list[Any]) -> None:
    base.reset()
    check_stages(PicklePipe(1), values)
    check_stages(OptionalPicklePipe(2), values)


@given(st.lists(JSON, max_size=5))
def test_json_round_trip(values: list[Any]) -> None:
    base.reset()
    check_stages(JSONPipe(1), values)
    check_stages(OptionalJSONPipe(2), values)


@given(st.lists(JSON, max_size=5))
def test_json_is_one_line_per_block(values: list[Any]) -> None:
    base.reset()
    file = BytesIO()
    for value in values:
        JSONPipe(1).write(file, JSONPipe(1).pack(value))
    assert file.getvalue().decode("utf-8").count("\n") == len(values)


@given(st.integers(1, 20).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=1)))
def test_bytes_round_trip(values: list[bytes]) -> None:
    base.reset()
    check_stages(BytesPipe(1, len(values[0])), values)
    check_stages(OptionalBytesPipe(2, len(values[0])), values)


@given(st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=5))
def test_a_users_fixed_size_round_trip(values: list[int]) -> None:
    base.reset()
    check_stages(IntPipe(1), values)


@given(st.lists(st.integers(-1000, 1000).map(float), max_size=5))
def test_a_users_conversion_round_trip(values: list[float]) -> None:
    base.reset()
    check_stages(SquarePipe(1), values)


@given(st.lists(st.text(), max_size=5))
def test_a_users_protocol_round_trip(values: list[str]) -> None:
    base.reset()
    check_stages(NetstringPipe(1), values)


def test_mixins_can_be_used_one_by_one() -> None:
    class FromProgramPipe(ReadJSONMixIn, BasePipe):
        pass

    class ToProgramPipe(WritePickleMixIn, BasePipe):
        pass

    pipe = FromProgramPipe(1)
    assert pipe.unpack(pipe.read(BytesIO(b'{"a": [1]}\n'))) == {"a": [1]}
    file = BytesIO()
    ToProgramPipe(2).write(file, [1])
    assert pickle.loads(file.getvalue()) == [1]


def test_bytes_like_values_become_bytes_of_their_own() -> None:
    source = bytearray(b"abcd")
    block = BytesPipe(1, 4).pack(source)
    source[:] = b"wxyz"
    assert block == b"abcd"
    assert type(block) is bytes
    assert BytesPipe(1).pack(memoryview(b"a.b.c.d.")[::2]) == b"abcd"


def test_a_block_whose_memory_is_scattered_is_written() -> None:
    file = BytesIO()
    BytesPipe(1, 4).write(file, memoryview(b"a.b.c.d.")[::2])
    assert file.getvalue() == b"abcd"


def test_reading_waits_for_all_of_a_block() -> None:
    file: Any = Trickle(b"abcdefgh", 3)
    pipe = BytesPipe(1, 4)
    assert [pipe.read(file), pipe.read(file)] == [b"abcd", b"efgh"]
    with pytest.raises(EOFError, match="pipe 1"):
        pipe.read(file)


# -- blocks that do not fit -------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["pack", "write"])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"abc", "expected 4 bytes, found 3 bytes"),
        (b"abcde", "expected 4 bytes, found 5 bytes"),
        ("abcd", "expected bytes, found str 'abcd'"),
        (4, "expected bytes, found int 4"),
        (None, "expected bytes, found NoneType None"),
        ("x" * 99, r"found str 'xxxx*\.\.\."),
    ],
)
def test_a_block_that_does_not_fit(stage: str, value: Any, text: str) -> None:
    pipe = BytesPipe(7, 4)
    with pytest.raises(PipeError, match=rf"pipe 7 \(BytesPipe\): .*{text}"):
        pipe.pack(value) if stage == "pack" else pipe.write(BytesIO(), value)


def test_a_file_that_ends_within_a_block() -> None:
    with pytest.raises(PipeError, match="expected 4 bytes, found 3 bytes"):
        BytesPipe(1, 4).read(BytesIO(b"abc"))


def test_what_json_cannot_say() -> None:
    for value in ({1, 2}, b"x"):
        with pytest.raises(PipeError, match=r"pipe 1 \(JSONPipe\): .*found (set|bytes)"):
            JSONPipe(1).write(BytesIO(), value)


def test_what_is_no_json() -> None:
    for line in (b"{\n", b"\xff\xfe\n", b"\n"):
        with pytest.raises(PipeError, match="no JSON"):
            JSONPipe(1).read(BytesIO(line))


def test_a_protocol_needs_a_read() -> None:
    class HalfPipe(BasePipe):
        BLOCK_SIZE = "mine"

    with pytest.raises(PipeError, match="a method read in HalfPipe"):
        HalfPipe(1).read(BytesIO(b"x"))


# -- the cache --------------------------------------------------------------------------------------------


def test_the_same_id_gives_the_same_object() -> None:
    pipe = ReducePipe(105)
    assert ReducePipe(105) is pipe
    assert ReducePipe(id=105) is pipe
    assert ReducePipe(106) is not pipe
    assert {105: pipe, 106: ReducePipe(106)} == base.PIPES
    assert (pipe.id, pipe.BLOCK_COUNT, repr(pipe), str(pipe)) == (
        105,
        5,
        "ReducePipe(105)",
        "pipe 105 (ReducePipe)",
    )


def test_another_class_with_that_id_is_an_error_that_names_both() -> None:
    PicklePipe(105)
    with pytest.raises(PipeError, match=r"pipe 105: .*expected PicklePipe, .*found ReducePipe"):
        ReducePipe(105)
    with pytest.raises(PipeError, match="taken"):
        BytesPipe(105, 16)


def test_after_a_reset_ids_are_free() -> None:
    pipe = PicklePipe(1)
    base.reset()
    assert PicklePipe(1) is not pipe
    base.reset()
    ReducePipe(1)


def test_arguments_are_given_once_or_alike() -> None:
    pipe = BytesPipe(5, 16, 2)
    assert (pipe.BLOCK_SIZE, pipe.BLOCK_COUNT) == (16, 2)
    assert BytesPipe(5) is BytesPipe(5, block_size=16, block_count=2) is pipe
    with pytest.raises(PipeError, match=r"pipe 5 \(BytesPipe\): .*BLOCK_SIZE; expected 16, found 32"):
        BytesPipe(5, 32, 2)


def test_arguments_that_cannot_be_compared_are_taken_on_trust() -> None:
    class Uncertain:
        def __eq__(self, other: object) -> bool:
            raise ValueError("the truth value of an array is ambiguous")

        __hash__ = None  # type: ignore[assignment]

    class OddPipe(PicklePipe):
        def __init__(self, id: int, gain: float) -> None:
            super().__init__(id)
            self.gain = gain
            self.helper = object()
            self.window = Uncertain()

    assert OddPipe(1, 2.0) is OddPipe(1, 2.0)
    with pytest.raises(PipeError, match=r"another gain; expected 2\.0, found 3\.0"):
        OddPipe(1, 3.0)


@pytest.mark.parametrize("number", ["5", 1.0, -1, 1 << 32, True, [5], PicklePipe])
def test_an_id_is_an_integer(number: Any) -> None:
    with pytest.raises(PipeError, match="PicklePipe: wrong id; expected an integer"):
        PicklePipe(number)


def test_an_id_is_needed() -> None:
    with pytest.raises(TypeError):
        PicklePipe()  # type: ignore[call-arg]


def test_a_pipe_that_was_not_made_is_not_remembered() -> None:
    with pytest.raises(PipeError):
        BytesPipe(5, 0)
    assert base.PIPES == {}


def test_a_users_init_may_do_as_it_likes() -> None:
    class ForgetfulPipe(PicklePipe):
        def __init__(self, id: int) -> None:
            pass

    class OperatorPipe(PicklePipe):
        def __init__(self) -> None:
            super().__init__(104)

    class NamedPipe(PicklePipe):
        def __init__(self, pipe_id: int, label: str = "") -> None:
            super().__init__(pipe_id)
            self.label = label

    class LostPipe(PicklePipe):
        def __init__(self) -> None:
            pass

    assert ForgetfulPipe(3) is ForgetfulPipe(3)
    assert ForgetfulPipe(3).id == 3
    assert OperatorPipe() is OperatorPipe()
    assert OperatorPipe().id == 104
    assert NamedPipe(pipe_id=7, label="x") is NamedPipe(7)
    with pytest.raises(PipeError, match="the id is taken"):
        NamedPipe(pipe_id=104)
    with pytest.raises(PipeError, match="wrong id"):
        LostPipe()


@pytest.mark.parametrize("size", [None, 0, -4, "16", 4.0, object()])
def test_a_block_has_a_size(size: Any) -> None:
    with pytest.raises(PipeError, match=r"pipe 5 \(BytesPipe\): wrong block_size"):
        BytesPipe(5, size)


def test_a_block_count_is_at_least_one() -> None:
    with pytest.raises(PipeError, match="wrong block_count"):
        BytesPipe(5, 16, 0)


def test_sizes_may_be_set_by_the_class_and_need_not_be_ints_of_python() -> None:
    class FramePipe(BytesPipe):
        BLOCK_SIZE = 16
        BLOCK_COUNT = 3

    class Sixteen:
        def __index__(self) -> int:
            return 16

    assert (FramePipe(1).BLOCK_SIZE, FramePipe(1).BLOCK_COUNT) == (16, 3)
    assert BytesPipe(2, Sixteen()).BLOCK_SIZE == 16  # type: ignore[arg-type]


# -- pickled and copied -----------------------------------------------------------------------------------


def test_a_pickled_pipe_is_a_value() -> None:
    pipe = BytesPipe(5, 16, 2)
    data = pickle.dumps(pipe)
    base.reset()
    for twin in (pickle.loads(data), copy.copy(pipe), copy.deepcopy(pipe)):
        assert type(twin) is BytesPipe
        assert vars(twin) == {"id": 5, "BLOCK_SIZE": 16, "BLOCK_COUNT": 2}
    assert base.PIPES == {}


# -- settings ---------------------------------------------------------------------------------------------


def test_settings_of_a_plain_pipe() -> None:
    pipe = PicklePipe(1)
    assert not pipe.ASYNC
    assert pipe.BLOCK_COUNT == 1
    assert (pipe.SOURCE_JOBS, pipe.DESTINATION_JOBS) == ((), ())
    assert (pipe.DELIVERY, pipe.DEADLINE, pipe.RETAIN) == ("exact", None, 16 * 1024 * 1024)
    assert not hasattr(pipe, "get_dummy")


@pytest.mark.parametrize(
    "pipe_class", [OptionalPicklePipe, OptionalJSONPipe, OptionalArrayPipe, OptionalBytesPipe]
)
def test_settings_of_an_optional_pipe(pipe_class: Any) -> None:
    pipe = pipe_class(1, 16) if pipe_class is OptionalBytesPipe else pipe_class(1)
    assert isinstance(pipe, OptionalMixIn)
    assert pipe.ASYNC
    assert (pipe.OPTIONAL_DEFAULT, pipe.OPTIONAL_STORE) == (None, True)
    assert (pipe.OPTIONAL_BUFFER_SIZE, pipe.OPTIONAL_DELETE_MODE) == (0, "oldest")
    assert pipe.unpack(pipe.OPTIONAL_DEFAULT) is None


def test_a_default_passes_through_unpack() -> None:
    class OperatorPipe(OptionalPicklePipe):
        OPTIONAL_DEFAULT = "*"

        def unpack(self, data: str) -> str:
            return f"operator {data}"

    class MixedPipe(OptionalMixIn, SquarePipe):
        OPTIONAL_DEFAULT = 4 + 1j

    assert OperatorPipe(1).unpack(OperatorPipe.OPTIONAL_DEFAULT) == "operator *"
    assert MixedPipe(2).unpack(MixedPipe.OPTIONAL_DEFAULT) == 4.0
    assert MixedPipe(2).ASYNC


def test_exports() -> None:
    for name in fission.core.pipes.__all__:
        assert getattr(fission.core.pipes, name).__name__ == name
    assert dir(fission.core.pipes) == sorted(fission.core.pipes.__all__)
    with pytest.raises(AttributeError, match="NoPipe"):
        fission.core.pipes.NoPipe  # noqa: B018
