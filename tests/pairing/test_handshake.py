"""The pairing protocol: who knows the code is paired, and nobody else, whatever is done to the messages."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fission.errors import LocalProtocolError
from fission.pairing.errors import PairingError, WrongCodeError
from fission.pairing.frames import Frame, Kind
from fission.pairing.handshake import ClientPairing, DevicePairing, Refusal, State, refusal
from kits.pairing import ABOUT_CLIENT, ABOUT_DEVICE, CODE, frames, join, sides

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""An exchange takes some 20 ms: SPAKE2 is in Python."""


def test_the_same_code_pairs_both_and_tells_each_of_the_other() -> None:
    client, device = sides()
    join(client, device)
    assert client.peer == {"pairing": "1", **{name: str(value) for name, value in ABOUT_DEVICE.items()}}
    assert device.peer["cluster"] == ABOUT_CLIENT["cluster"]
    for sender, receiver in ((client, device), (device, client), (client, device)):
        (frame,) = frames(sender.seal({"key": "secret"}))
        assert b"secret" not in frame.data
        assert receiver.open(frame) == {"key": "secret"}


@pytest.mark.parametrize("name", ["\U0001f353" * 500, "\udcff" * 500, '"' * 500, "x" * 5000])
def test_a_long_name_fits_into_a_hello(name: str) -> None:
    client, device = ClientPairing(CODE, ABOUT_CLIENT), DevicePairing(CODE, {**ABOUT_DEVICE, "name": name})
    join(client, device)
    assert 0 < len(client.peer["name"]) <= 64


@few
@given(st.text("0123456789", min_size=8, max_size=8).filter(lambda code: code != CODE))
def test_another_code_pairs_nobody(code: str) -> None:
    client, device = sides(client_code=code)
    with pytest.raises(WrongCodeError):
        join(client, device)
    assert device.state is State.FAILED
    assert client.state is not State.PAIRED


@few
@given(
    message=st.sampled_from(
        [("client", 0), ("device", 0), ("device", 1), ("client", 1), ("client", 2), ("device", 2)]
    ),
    place=st.integers(0, 10_000),
    bits=st.integers(1, 255),
)
def test_one_changed_byte_pairs_nobody(message: tuple[str, int], place: int, bits: int) -> None:
    def change(sender: str, number: int, data: bytes) -> bytes:
        if (sender, number) != message:
            return data
        at = place % len(data)
        return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]

    client, device = sides()
    with pytest.raises(PairingError):
        join(client, device, change)
    # the device may be paired when only its own confirmation was changed; the client then sends nothing
    assert client.state is not State.PAIRED
    assert device.state is not State.PAIRED or message == ("device", 2)
    with pytest.raises(LocalProtocolError):
        client.seal({})


@pytest.mark.parametrize("sender", ["client", "device"])
def test_a_man_in_the_middle_cannot_lie_about_who_is_who(sender: str) -> None:
    def lie(who: str, number: int, data: bytes) -> bytes:
        if (who, number) != (sender, 0):
            return data
        return json.dumps({**json.loads(data), "address": "10.0.0.66", "cluster": "cd" * 32}).encode()

    client, device = sides()
    with pytest.raises(WrongCodeError):
        join(client, device, lie)


def test_a_replayed_conversation_pairs_nobody() -> None:
    heard: list[tuple[str, bytes]] = []

    def listen(sender: str, number: int, data: bytes) -> bytes:
        heard.append((sender, data))
        return data

    client, device = sides()
    join(client, device, listen)
    hello, share, confirmation = (data for sender, data in heard if sender == "client")
    _, again = sides()
    again.receive(Frame(Kind.HELLO, hello))
    again.receive(Frame(Kind.SHARE, share))
    with pytest.raises(WrongCodeError):
        again.receive(Frame(Kind.CONFIRM, confirmation))


def test_a_sealed_message_counts_once_and_only_in_its_direction() -> None:
    client, device = sides()
    join(client, device)
    (frame,) = frames(client.seal({"a": 1}))
    with pytest.raises(PairingError):
        client.open(frame)
    assert device.open(frame) == {"a": 1}
    with pytest.raises(PairingError):
        device.open(frame)
    assert device.state is State.FAILED


@few
@given(st.binary(max_size=64))
def test_a_share_that_is_no_element_is_refused(share: bytes) -> None:
    _, device = sides()
    device.receive(Frame(Kind.HELLO, frames(sides()[0].begin())[0].data))
    try:
        device.receive(Frame(Kind.SHARE, share))
    except PairingError:
        assert device.state is State.FAILED


def test_its_own_share_is_refused() -> None:
    client, device = sides()
    answer = device.receive(frames(client.begin())[0])
    share = frames(answer)[1]
    with pytest.raises(PairingError, match="invalid share"):
        device.receive(Frame(Kind.SHARE, b"A" + share.data[1:]))


@given(kind=st.sampled_from(Kind), data=st.binary(max_size=512))
@settings(deadline=None)
def test_nothing_but_a_hello_may_come_first(kind: Kind, data: bytes) -> None:
    for side in sides():
        with pytest.raises(PairingError):
            side.receive(Frame(kind, data))
        assert side.state is State.FAILED
        with pytest.raises(PairingError):
            side.receive(Frame(Kind.HELLO, json.dumps({"pairing": 1}).encode()))


def test_another_version_is_named() -> None:
    _, device = sides()
    with pytest.raises(PairingError, match="another version of the pairing protocol; expected 1, found 2"):
        device.receive(Frame(Kind.HELLO, b'{"pairing": 2}'))


def test_refusals_reach_the_user_of_the_client() -> None:
    for reason, kind in ((Refusal.CODE, WrongCodeError), (Refusal.EXPIRED, PairingError)):
        client, _ = sides()
        (frame,) = frames(refusal(reason))
        with pytest.raises(kind, match=reason.value[:20]):
            client.receive(frame)


@given(st.binary(max_size=100))
def test_an_unknown_refusal_shows_nothing_of_its_text(data: bytes) -> None:
    client, _ = sides()
    with pytest.raises(PairingError) as raised:
        client.receive(Frame(Kind.REFUSED, data))
    assert str(raised.value).isprintable()
