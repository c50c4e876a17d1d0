"""Plain data as MessagePack: nothing else is encoded, and decoding accepts nothing else."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.errors import RunError
from fission.serialization.msgpack_codec import decode, encode

PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False),
        st.text(st.characters(codec=None)),
        st.binary(),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(data=PLAIN)
def test_plain_data_is_the_same_afterwards(data):
    assert decode(encode(data)) == data


def test_tuples_become_lists():
    assert decode(encode((1, (2, 3)))) == [1, [2, 3]]


@pytest.mark.parametrize("data", [object(), {1, 2}, 2**64, {"a": object}, 1j])
def test_nothing_else_is_sent(data):
    with pytest.raises(RunError, match="cannot be sent"):
        encode(data)


def test_what_never_ends_is_not_sent():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(RunError, match="cannot be sent"):
        encode(endless)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x01\x02",
        b"\xa1\xff",
        b"\xc7\x01\x05x",
        b"\x91" * 5000,
        pickle.dumps(print),
    ],
)
def test_what_is_no_plain_data_is_refused(data):
    with pytest.raises(RunError, match="not plain data"):
        decode(data)
