"""Rules of the pairing, each broken in one place; every one is caught by a check. A test of the tests."""

import itertools
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

MODULES = ("errors", "codes", "frames", "sealing", "handshake")
ABOUT = {"version": "0.1.0"}
_copies = itertools.count()


def load(module: str = "", old: str = "", new: str = "") -> SimpleNamespace:
    """Return the names of a fresh copy of the protocol; in `module`, `old` (exactly once there) becomes `new`."""
    package = f"pairing_copy_{next(_copies)}"
    sys.modules[package] = ModuleType(package)
    names: dict[str, object] = {}
    for name in MODULES:
        spec = find_spec(f"fission.pairing.{name}")
        assert spec is not None
        assert spec.origin is not None
        text = Path(spec.origin).read_text()
        if name == module:
            assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}.py"
            text = text.replace(old, new)
        text = text.replace("from fission.pairing.", f"from {package}.")
        copy = sys.modules[f"{package}.{name}"] = ModuleType(f"{package}.{name}")
        exec(compile(text, f"{name}.py", "exec"), copy.__dict__)
        names |= vars(copy)
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("__")})


def cut(p: Any, data: bytes) -> list[Any]:
    reader, found = p.FrameReader(), []
    while data:
        piece, data = data[: reader.wanted], data[reader.wanted :]
        found += [frame for frame in [reader.feed(piece)] if frame is not None]
    return found


def refused(p: Any, call: Callable[[], object]) -> None:
    with pytest.raises(p.PairingError):
        call()


def until_confirmed(p: Any, client_code: str = "11111111") -> tuple[Any, Any, list[Any], Any]:
    """Let a client and a device talk until the device has to compare: both, the client's frames, its hello."""
    client, device = p.ClientPairing(client_code, ABOUT), p.DevicePairing("11111111", ABOUT)
    (hello,) = cut(p, client.begin())
    frames = [answer for frame in cut(p, device.receive(hello)) for answer in cut(p, client.receive(frame))]
    return client, device, frames, hello


def paired(p: Any) -> tuple[Any, Any]:
    client, device, (share, confirmation), _ = until_confirmed(p)
    device.receive(share)
    (answer,) = cut(p, device.receive(confirmation))
    client.receive(answer)
    return client, device


def check_codes_must_agree(p: Any) -> None:
    paired(p)
    _, device, (share, confirmation), _ = until_confirmed(p, "11111112")
    device.receive(share)
    refused(p, lambda: device.receive(confirmation))
    refused(p, lambda: device.receive(confirmation))


def check_a_reflected_confirmation(p: Any) -> None:
    client, _, (_, confirmation), _ = until_confirmed(p)
    refused(p, lambda: client.receive(confirmation))


def check_a_changed_hello(p: Any) -> None:
    client, device = p.ClientPairing("11111111", ABOUT), p.DevicePairing("11111111", ABOUT)
    (hello,) = cut(p, client.begin())
    answers = cut(p, device.receive(p.Frame(p.Kind.HELLO, hello.data.replace(b"0.1.0", b"6.6.6"))))
    share, confirmation = [frame for one in answers for frame in cut(p, client.receive(one))]
    device.receive(share)
    refused(p, lambda: device.receive(confirmation))


def check_order(p: Any) -> None:
    _, device, (share, confirmation), hello = until_confirmed(p)
    refused(p, lambda: device.receive(hello))
    refused(p, lambda: device.receive(share))
    refused(p, lambda: p.DevicePairing("1", ABOUT).receive(p.Frame(p.Kind.SHARE, hello.data)))
    _, device, (_, confirmation), _ = until_confirmed(p)
    refused(p, lambda: device.receive(confirmation))


def check_versions(p: Any) -> None:
    refused(p, lambda: p.DevicePairing("1", ABOUT).receive(p.Frame(p.Kind.HELLO, b'{"pairing": 2}')))


def check_sealed_messages(p: Any) -> None:
    client, device = paired(p)
    (frame,) = cut(p, client.seal({"n": 1}))
    assert device.open(frame) == {"n": 1}
    refused(p, lambda: device.open(frame))
    client, device = paired(p)
    (frame,) = cut(p, client.seal({"n": 1}))
    refused(p, lambda: client.open(frame))
    client, device = paired(p)
    refused(p, lambda: device.open(p.Frame(p.Kind.HELLO, cut(p, client.seal({}))[0].data)))


def check_limits(p: Any) -> None:
    refused(p, lambda: p.FrameReader().feed((p.LARGEST_UNPAIRED + 1).to_bytes(4, "big")))
    refused(p, lambda: p.FrameReader().feed(bytes(4)))


def check_the_code_book(p: Any) -> None:
    book = p.CodeBook(0.0)
    assert not book.spend(book.number - 1, 1.0)
    assert book.spend(book.number, 1.0)
    assert not book.spend(book.number, 1.0)
    shown = 1
    while shown < 9 and book.renew(2.0):
        shown += 1
    assert shown == 3
    assert not book.is_good(2.0)
    assert not p.CodeBook(0.0).is_good(p.SECONDS)


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]
CONFIRMED = """
        if self._sealed is None or not self._sealed.confirms(data):
            raise WrongCodeError("a client has used"""
MUTANTS = [
    ("sealing", "return hmac.compare_digest(confirmation, self._expected)", "return True"),
    ("sealing", 'key(f"confirm {other}"), digest', 'key(f"confirm {side}"), digest'),
    ("sealing", "self._received += 1", "self._received = 1"),
    ("sealing", 'self._incoming = ChaCha20Poly1305(key(f"seal {other}"))', "self._incoming = self._outgoing"),
    ("handshake", "before, self.state = self.state, State.FAILED", "before = self.state"),
    ("handshake", "if before.name != frame.kind.name:", "if False:"),
    ("handshake", 'if said.get("pairing") != PROTOCOL:', "if False:"),
    ("handshake", "if frame.kind is not Kind.SEALED:", "if False:"),
    ("handshake", CONFIRMED, CONFIRMED.replace("self._sealed is None or not self._sealed.confirms(data)", "False")),
    ("frames", "if not 1 <= length <= self.largest:", "if not 1 <= length:"),
    ("codes", "now < self.expires", "True"),
    ("codes", "if not self._left:", "if False:"),
    ("codes", "number != self.number or not", "not"),
    ("codes", '        self.code = ""\n        return True', "        return True"),
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_the_protocol_passes(check: Callable[[Any], None]) -> None:
    check(load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{one[0]}: {one[1][:40]!r}" for one in MUTANTS])
def test_every_mutant_is_caught(mutant: tuple[str, str, str]) -> None:
    p = load(*mutant)
    assert not all(passes(check, p) for check in CHECKS)


def passes(check: Callable[[Any], None], p: Any) -> bool:
    try:
        check(p)
    except (AssertionError, pytest.fail.Exception, p.RunError):
        return False
    return True
