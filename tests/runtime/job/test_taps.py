"""Taps in the job process: what is said of a block, how much, and that nothing is left when nobody looks."""

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.channel.sender import Sender
from fission.channel.wire.codec import codec_for
from fission.core.pipes import ArrayPipe, BasePipe, JSONPipe, PicklePipe
from fission.runtime import messages
from fission.runtime.data.outgoing import Outgoing
from fission.runtime.data.ports import OutPort
from fission.runtime.data.tap import MOST_WAITING, PipeTap, TappedBlock
from fission.runtime.job.taps import Taps, describe, summarize
from fission.runtime.messages import RAW_LIMIT, Tap, TapBlock
from fission.runtime.sockets.poller import Poller
from kits.waiting import wait_for


def order(pipe: int = 102, **more: Any) -> Tap:
    return Tap(
        **{"pipe": pipe, "rate": 1000.0, "size_rate": 1e6, "text": 200, "raw": False, "seconds": 30.0} | more
    )


def shown(pipe: BasePipe, value: object, **more: Any) -> TapBlock:
    return describe(TappedBlock(pipe, (1, 7), codec_for(pipe).encode(value)), order(**more))


class _Shout:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


class _Own(PicklePipe):
    def unpack(self, data: Any) -> Any:
        raise AssertionError("called by a tap")


def test_an_array() -> None:
    block = shown(ArrayPipe(101), np.array([[3.0, -4.0]], "f4"))
    assert (block.epoch, block.number, block.text) == (1, 7, "")
    assert block.array is not None
    assert (block.array.dtype, block.array.shape, block.array.sampled) == ("float32", (1, 2), False)
    numbers = (block.array.minimum, block.array.maximum, block.array.mean, block.array.rms)
    assert numbers == (-4.0, 3.0, -0.5, pytest.approx(math.sqrt(12.5)))


@pytest.mark.parametrize(
    "array", [np.empty(0), np.array(["a"]), np.array([None], object), np.zeros(2, "M8[s]")]
)
def test_arrays_without_statistics(array: Any) -> None:
    summary = summarize(array)
    assert summary is not None
    assert (summary.shape, summary.mean) == (array.shape, None)


def test_a_large_array_is_sampled_and_complex_numbers_count_by_magnitude() -> None:
    large = summarize(np.ones(1 << 20, "i2"))
    assert large is not None
    assert (large.sampled, large.mean, large.rms) == (True, 1.0, 1.0)
    turned = summarize(np.array([3 + 4j]))
    assert turned is not None
    assert turned.maximum == 5.0


@given(
    st.recursive(
        st.text() | st.integers() | st.binary(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_texts_are_bounded_and_messages_are_plain_data(value: object) -> None:
    block = shown(PicklePipe(102), value, text=50)
    assert len(block.text) <= 50
    assert list(messages.from_job().feed(messages.encode(block))) == [block]


def test_what_users_classes_do_does_not_fail() -> None:
    assert "_Shout" in shown(PicklePipe(102), _Shout()).text
    assert shown(_Own(104), 5).text.startswith("_Own: b")


def test_json_and_raw() -> None:
    block = shown(JSONPipe(103), {"a": [1, 2]})
    assert (block.text, block.is_json, block.payload) == ('{"a": [1, 2]}', True, b"")
    assert shown(JSONPipe(103), [1], raw=True).payload == b"[1]\n"
    assert shown(PicklePipe(102), bytes(RAW_LIMIT), raw=True).payload == b""


def test_a_tap_keeps_few_blocks_and_the_rate() -> None:
    woken: list[None] = []
    tap = PipeTap(PicklePipe(102), 0.01, lambda: woken.append(None))
    for number in range(1000):
        tap.offer([b"x", b"y"], (1, 2 * number))
    taken = tap.take()
    assert taken is not None
    assert (taken.position, taken.payload, tap.take(), len(woken)) == ((1, 0), b"y", None, 1)
    tap.limit(1e9)
    for number in range(100 * MOST_WAITING):
        tap.offer([b"x"], (1, number))
    assert sum(tap.take() is not None for _ in range(10 * MOST_WAITING)) <= MOST_WAITING


def test_a_tap_ends_by_itself_and_takes_blocks_that_are_sent() -> None:
    port = OutPort(PicklePipe(102), Sender(102, run="run"))
    outgoing = Outgoing([port], Poller(), lambda _level, _text: None)
    sent: list[TapBlock] = []

    def offer(block: TapBlock) -> bool:
        sent.append(block)
        return True

    taps = Taps([port], offer)
    taps.order(order(pipe=99))
    assert port.tap is None
    taps.order(order(seconds=0.6))
    until = time.monotonic() + 20
    while port.tap is not None:
        assert time.monotonic() < until
        port.pending.append(port.encode("hello"))
        outgoing.hand_over()
    assert sent[0].text == "'hello'"
    assert [block.number for block in sent] == sorted({block.number for block in sent})
    taps.order(order())  # after its thread has ended
    before = len(sent)

    def again() -> bool:
        port.pending.append(port.encode(1))
        outgoing.hand_over()
        return len(sent) > before

    wait_for(again, "it shows blocks again")
    taps.order(order(seconds=0.0))
    wait_for(lambda: port.tap is None, "it ends")


def test_bytes_per_second_are_bounded() -> None:
    port = OutPort(PicklePipe(102), Sender(102, run="run"))
    sent: list[TapBlock] = []
    taps = Taps([port], lambda block: sent.append(block) is None)
    taps.order(order(size_rate=1.0, seconds=1.0))
    until = time.monotonic() + 20
    while (tap := port.tap) is not None:
        assert time.monotonic() < until
        tap.offer([port.encode(1)], (1, 1))
    assert len(sent) <= 1
