"""Messages in pieces: complete, in order within a lane, and no larger than allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.engine.transport.framing import Assembler, Lane, Outbox
from fission.errors import RunError

SIZES = st.one_of(st.integers(0, 100), st.sampled_from([65530, 65535, 65536, 65541, 200_000, 1 << 20]))
MESSAGES = st.lists(st.tuples(st.sampled_from(Lane), SIZES, st.booleans()), max_size=12)


def bytes_of(lane: Lane, number: int, size: int) -> bytes:
    return bytes([lane, number]) + bytes(size)


@given(messages=MESSAGES, data=st.data())
def test_every_message_arrives_and_lanes_keep_their_order(messages, data):
    outbox, assembler = Outbox(), Assembler(largest=2 << 20)
    arrived: list[bytes] = []

    def carry() -> None:
        sent = memoryview(outbox.take())
        assert len(sent) <= (64 << 10) + 100
        while sent:
            count = data.draw(
                st.sampled_from([1, 3, 5, 1000, len(sent)]) if len(sent) < 50 else st.just(len(sent))
            )
            arrived.extend(assembler.feed(sent[:count]))
            sent = sent[count:]

    for number, (lane, size, pulse) in enumerate(messages):
        outbox.put(bytes_of(lane, number, size), lane)
        if pulse:
            outbox.pulse()
        if data.draw(st.booleans()):
            carry()
    while outbox:
        carry()
    assert outbox.take() == b""
    assert outbox.size == 0
    for lane in Lane:
        wanted = [bytes_of(lane, n, size) for n, (own, size, _) in enumerate(messages) if own is lane]
        assert [one for one in arrived if one[0] == lane] == wanted
    assert len(arrived) == len(messages)


def test_a_pulse_and_a_command_overtake_a_large_message():
    outbox, assembler = Outbox(), Assembler(largest=10 << 20)
    outbox.put(bytes(4 << 20), Lane.BULK)
    assembler.feed(memoryview(outbox.take()))
    outbox.pulse()
    outbox.put(b"stop")
    first = outbox.take()
    assert first[:5] == b"\x40\0\0\0\0"
    assert b"stop" in assembler.feed(memoryview(first))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x02\0\0\0\x01x", "does not speak the protocol"),
        (b"\x40\0\0\0\x01x", "does not speak the protocol"),
        (b"GET / HTTP/1.1\r\n", "does not speak the protocol"),
        (b"\0\0\x01\0\x01", "too large"),
        (b"\x80\0\0\xff\xff" + bytes(65535) + b"\x80\0\0\0\x02", "too large"),
        (b"\0\xff\xff\xff\xff", "too large"),
    ],
)
def test_who_breaks_the_rules_is_told_apart(data, text):
    with pytest.raises(RunError, match=text):
        Assembler().feed(memoryview(data))
