import operator
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.core.head import (
    CORRUPTED,
    FINISHED,
    RESET,
    WIRE_CORRUPTED,
    WIRE_FINISHED,
    WIRE_RESET,
    Head,
)
from fission.errors import HeadError, HeadIndexError

Bits = list[bool]
SIZES = st.integers(1, 4)
OPERATORS = st.sampled_from([operator.and_, operator.or_, operator.xor])


@st.composite
def bit_lists(draw: st.DrawFn, size: int | None = None) -> Bits:
    count = 8 * (size or draw(SIZES))
    return draw(st.lists(st.booleans(), min_size=count, max_size=count))


def number(bits: Bits) -> int:
    return int("".join("01"[bit] for bit in bits) or "0", 2)


def head_of(bits: Bits) -> Head:
    return Head(number(bits), len(bits) // 8)


def bits_of(head: Head) -> Bits:
    return [head[index] for index in range(8 * len(head))]


# -- against a model: a list of bits, the first is the most significant -----------------------------------


@given(bit_lists())
def test_a_head_is_a_list_of_bits(bits: Bits) -> None:
    head = head_of(bits)
    assert bits_of(head) == list(head) == bits
    assert [head[-index] for index in range(1, len(bits) + 1)] == bits[::-1]
    assert len(head) == head.head_size == len(bits) // 8
    assert bool(head) == any(bits)
    assert int(head) == head.value == number(bits)
    assert head.to_bytes() == number(bits).to_bytes(len(bits) // 8, "big")
    assert head == head_of(bits)
    assert head == number(bits)
    assert eval(repr(head)) == head
    assert pickle.loads(pickle.dumps(head)) == head


@given(bit_lists(), st.data())
def test_a_slice_is_a_head_of_these_bits(bits: Bits, data: st.DataObject) -> None:
    chosen = data.draw(st.slices(len(bits)))
    head = head_of(bits)[chosen]
    assert isinstance(head, Head)
    assert head == number(bits[chosen])
    assert len(head) == max(1, (len(bits[chosen]) + 7) // 8)


@given(bit_lists(), st.data())
def test_setting_bits(bits: Bits, data: st.DataObject) -> None:
    head = head_of(bits)
    for _ in range(5):
        index = data.draw(st.integers(-len(bits), len(bits) - 1))
        value = data.draw(st.sampled_from([0, 1, True, False]))
        if value and index % len(bits) == RESET:
            with pytest.raises(ValueError, match="reset"):
                head[index] = value
        else:
            head[index] = value
            bits[index] = bool(value)
        assert bits_of(head) == bits


@given(bit_lists(), st.integers(0, 1000))
def test_an_index_out_of_range(bits: Bits, beyond: int) -> None:
    head = head_of(bits)
    for index in (len(bits) + beyond, -len(bits) - 1 - beyond):
        with pytest.raises(IndexError):
            head[index]
        with pytest.raises(HeadIndexError, match=f"found {index}"):
            head[index] = 0


@given(bit_lists(), bit_lists(), OPERATORS)
def test_bitwise_with_a_head_keeps_flags_in_place(
    left: Bits, right: Bits, op: Callable[[object, object], object]
) -> None:
    count = max(len(left), len(right))
    pairs = zip(left + [False] * (count - len(left)), right + [False] * (count - len(right)), strict=True)
    result = op(head_of(left), head_of(right))
    assert isinstance(result, Head)
    assert bits_of(result) == [op(a, b) for a, b in pairs]


@given(bit_lists(), st.integers(-(1 << 40), 1 << 40), OPERATORS)
def test_bitwise_with_an_int_is_cut_to_the_size(
    bits: Bits, other: int, op: Callable[[object, object], int]
) -> None:
    expected = op(number(bits), other) & ((1 << len(bits)) - 1)
    for result in (op(head_of(bits), other), op(other, head_of(bits))):
        assert isinstance(result, Head)
        assert len(result) == len(bits) // 8
        assert result == expected


@given(bit_lists(), st.integers(0, 40))
def test_shifts_and_inversion(bits: Bits, count: int) -> None:
    head, zeros = head_of(bits), [False] * count
    assert bits_of(head << count) == (bits + zeros)[count:]
    assert bits_of(head >> count) == (zeros + bits)[: len(bits)]
    assert bits_of(~head) == [not bit for bit in bits]
    assert ~~head == head


@given(bit_lists(), st.integers(-6, 6))
def test_growing_and_shrinking(bits: Bits, change: int) -> None:
    head = head_of(bits)
    head.head_size = change
    size = min(max(len(bits) // 8 + change, 1), 4)
    assert bits_of(head) == (bits + [False] * 32)[: 8 * size]


@given(bit_lists(), SIZES)
def test_the_wire_keeps_what_fits(bits: Bits, size: int) -> None:
    head = head_of(bits)
    assert head.to_wire() == number((bits + [False] * 32)[:32])
    assert Head.from_wire(head.to_wire(), len(head)) == head
    assert bits_of(Head.from_wire(head.to_wire(), size)) == (bits + [False] * 32)[: 8 * size]


# -- examples ---------------------------------------------------------------------------------------------


def test_the_first_bits_on_the_wire() -> None:
    for index, wire in ((CORRUPTED, WIRE_CORRUPTED), (RESET, WIRE_RESET), (FINISHED, WIRE_FINISHED)):
        for size in (1, 2, 3, 4):
            head = Head.from_wire(wire, size)
            assert [i for i in range(8 * size) if head[i]] == [index]


def test_defaults_and_copies() -> None:
    assert Head() == Head(0, 1)
    assert Head(Head(5, 1), 2) == Head(5, 2)


def test_equality() -> None:
    assert Head(5, 1) == 5
    assert Head(5, 1) != Head(5, 2)
    assert Head(5, 1) != Head(6, 1)
    assert Head(5, 1) != "5"


def test_a_head_can_change_and_so_is_no_key() -> None:
    with pytest.raises(TypeError):
        hash(Head(1, 1))


@pytest.mark.parametrize("value", [-1, 256, 1 << 40, "1", 1.0, None])
def test_a_value_that_does_not_fit(value: object) -> None:
    with pytest.raises(HeadError):
        Head(value, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 5, -1, "1", None])
def test_a_size_that_no_head_has(size: object) -> None:
    with pytest.raises(HeadError, match="1 to 4 bytes"):
        Head(0, size)  # type: ignore[arg-type]


def test_setting_more_than_a_bit_is_no_bit() -> None:
    with pytest.raises(TypeError):
        Head(0, 1)[0:3] = 1  # type: ignore[index]


def test_operators_refuse_what_is_no_number() -> None:
    for op in (operator.and_, operator.or_, operator.xor):
        with pytest.raises(TypeError):
            op(Head(1, 1), "x")
        with pytest.raises(TypeError):
            op("x", Head(1, 1))
