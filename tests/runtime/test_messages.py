"""Messages between supervisor and job process survive any cut of the byte stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.runtime.messages import Log, MessageReader, Ready, Route, Status, encode

MESSAGES = [Ready(), Route(7, "unix:/tmp/x"), Log(20, "text\nwith lines"), Status(5, 0.5, {1: {"sent": 2.0}})]


@given(st.lists(st.integers(1, 60), max_size=40))
def test_any_cut_gives_the_same_messages(cuts: list[int]) -> None:
    data = b"".join(map(encode, MESSAGES))
    reader = MessageReader()
    found = []
    for size in [*cuts, len(data)]:
        found += list(reader.feed(data[:size]))
        data = data[size:]
    assert found == MESSAGES


def test_a_length_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="control message"):
        list(MessageReader().feed(b"\xff" * 16))
