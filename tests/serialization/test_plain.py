"""Typed values survive the conversion to plain data; a value of another type is refused, and the error names the place."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.serialization.msgpack_codec import decode, encode
from fission.serialization.plain import WireError, converter_for, read, write


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Point:
    where: tuple[int, float]
    colour: Colour
    name: str = ""


@dataclass(frozen=True)
class Path:
    points: tuple[Point, ...]
    marks: frozenset[str]
    weights: Mapping[int, float]
    note: str | None = None


WHOLE = st.integers(-(2**60), 2**60)
NUMBER = st.floats(allow_nan=False)
POINT = st.builds(Point, st.tuples(WHOLE, NUMBER), st.sampled_from(Colour), st.text())
PATH = st.builds(
    Path,
    st.lists(POINT, max_size=4).map(tuple),
    st.frozensets(st.text()),
    st.dictionaries(WHOLE, NUMBER),
    st.none() | st.text(),
)


@given(value=PATH | POINT)
def test_every_value_comes_back(value: Path | Point) -> None:
    assert read(Path | Point, "value", decode(encode(write(Path | Point, value)))) == value


@given(
    data=st.recursive(
        st.none() | st.booleans() | WHOLE | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_other_plain_data_is_refused(data: Any) -> None:
    with pytest.raises(WireError, match="no value"):
        read(Path | Point, "value", data)


@pytest.mark.parametrize("where", [[], [1], [1, 2.0, 3], [1, "2"], "12", {"0": 1}])
def test_a_tuple_of_fixed_length_is_checked(where: Any) -> None:
    with pytest.raises(WireError, match=r"where"):
        read(Point, "point", {"where": where, "colour": "red", "name": ""})


def test_a_type_without_a_converter_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(TypeError, match="cannot be converted"):
        converter_for(complex)
