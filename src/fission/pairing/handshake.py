"""The pairing protocol as two state machines: frames in, bytes out. SPAKE2 (RFC 9382, as the library `spake2` has it).

```
client                                  device
HELLO  version, cluster      ------->
                             <-------   HELLO  version, address, port, name
                             <-------   SHARE
SHARE, CONFIRM               ------->          compares: one guess, the code is used up
                             <-------   CONFIRM
compares; SEALED certificate ------->          installs
                             <-------   SEALED result
```

Both hellos are the identities of SPAKE2, so a changed byte in any message makes the confirmations differ. Neither side sends
anything of worth before it has compared the other's confirmation.
"""

import enum
import json
from collections.abc import Mapping
from typing import Any, Final

from fission.errors import LocalProtocolError, UserError
from fission.pairing.errors import PairingError, WrongCodeError
from fission.pairing.frames import Frame, Kind, encode
from fission.pairing.sealing import CLIENT, DEVICE, Sealed

__all__ = ["PROTOCOL", "ClientPairing", "DevicePairing", "Refusal", "State", "refusal", "require_spake2"]

PROTOCOL: Final = 1
_MOST_TEXT = 64


class State(enum.Enum):
    """What a side waits for."""

    HELLO = "the other side's hello"
    SHARE = "the other side's share"
    CONFIRM = "the other side's confirmation"
    PAIRED = "sealed messages"
    FAILED = "nothing"


class Refusal(enum.Enum):
    """Why a device refuses; the text is for the user of the client."""

    CODE = "the code is wrong. The device shows a new one, unless this was the third"
    EXPIRED = "the code is used up or has expired. The device shows the current one"


def require_spake2(where: str) -> None:
    """Raise UserError when the library is not installed; `where` is the option that needs it."""
    try:
        import spake2  # noqa: F401, PLC0415 - optional
    except ImportError:
        raise UserError(
            "pairing needs the package spake2", where=where, hint="pip install 'fission[pair]'"
        ) from None


def refusal(reason: Refusal) -> bytes:
    """Return the frame with which a device refuses."""
    return encode(Kind.REFUSED, reason.name.encode())


class _Side:
    """What both sides have. After PAIRED: `peer` is what the other side says of itself."""

    def __init__(self, about: Mapping[str, str | int]) -> None:
        self.state = State.HELLO
        self.peer: dict[str, str] = {}
        said = {
            name: value[:_MOST_TEXT] if isinstance(value, str) else value for name, value in about.items()
        }
        text = json.dumps({"pairing": PROTOCOL, **said}, ensure_ascii=False)
        self._hello = text.encode(errors="replace")
        self._sealed: Sealed | None = None

    def receive(self, frame: Frame) -> bytes:
        """Take the next frame before PAIRED; return what is to be sent. After an error the side is FAILED."""
        before, self.state = self.state, State.FAILED
        if frame.kind is Kind.REFUSED:
            raise _refused(frame.data)
        if before.name != frame.kind.name:
            raise PairingError(
                "it does not speak the pairing protocol", expected=before.value, found=frame.kind.name.lower()
            )
        answer, self.state = self._advance(before, frame.data)
        return answer

    def seal(self, message: Mapping[str, Any]) -> bytes:
        """Return the frame with a message; only when PAIRED."""
        return encode(Kind.SEALED, self._paired().seal(json.dumps(message).encode()))

    def open(self, frame: Frame) -> dict[str, Any]:
        """Return the message in a frame; only when PAIRED. Raises PairingError; then the side is FAILED."""
        sealed, self.state = self._paired(), State.FAILED
        if frame.kind is not Kind.SEALED:
            raise PairingError("it does not speak the pairing protocol", found=frame.kind.name.lower())
        message = _read_json(sealed.open(frame.data))
        self.state = State.PAIRED
        return message

    def _paired(self) -> Sealed:
        if self.state is not State.PAIRED or self._sealed is None:
            raise LocalProtocolError("the sides are not paired")
        return self._sealed

    def _advance(self, state: State, data: bytes) -> tuple[bytes, State]:
        raise NotImplementedError

    def _take_hello(self, data: bytes) -> None:
        said = _read_json(data)
        if said.get("pairing") != PROTOCOL:
            raise PairingError(
                "it speaks another version of the pairing protocol",
                expected=str(PROTOCOL),
                found=str(said.get("pairing"))[:20],
                hint="Install the same version of FISSION on both",
            )
        self.peer = {str(name)[:_MOST_TEXT]: str(value)[:_MOST_TEXT] for name, value in said.items()}


class ClientPairing(_Side):
    """The client's side. Send `begin()` first; then `receive` until the state is PAIRED."""

    def __init__(self, code: str, about: Mapping[str, str | int]) -> None:
        super().__init__(about)
        self._code = code
        self._their_hello = b""

    def begin(self) -> bytes:
        """Return the first frame."""
        return encode(Kind.HELLO, self._hello)

    def _advance(self, state: State, data: bytes) -> tuple[bytes, State]:
        if state is State.HELLO:
            self._take_hello(data)
            self._their_hello = data
            return b"", State.SHARE
        if state is State.SHARE:
            from spake2 import SPAKE2_A  # noqa: PLC0415 - optional

            exchange = SPAKE2_A(self._code.encode(), idA=self._hello, idB=self._their_hello)
            share = exchange.start()
            secret = _finish(exchange, data)
            self._sealed = Sealed(secret, (self._hello, self._their_hello, data, share), CLIENT)
            answer = encode(Kind.SHARE, share) + encode(Kind.CONFIRM, self._sealed.confirmation)
            return answer, State.CONFIRM
        if self._sealed is None or not self._sealed.confirms(data):
            raise WrongCodeError(
                "the device has not proved that it knows the code", hint="Is it the right device?"
            )
        return b"", State.PAIRED


class DevicePairing(_Side):
    """The device's side. Spend the code before `receive` is called with a CONFIRM: that is the guess."""

    def __init__(self, code: str, about: Mapping[str, str | int]) -> None:
        super().__init__(about)
        self._code = code
        self._their_hello = b""
        self._share = b""
        self._exchange: Any = None

    def _advance(self, state: State, data: bytes) -> tuple[bytes, State]:
        if state is State.HELLO:
            from spake2 import SPAKE2_B  # noqa: PLC0415 - optional

            self._take_hello(data)
            self._their_hello = data
            self._exchange = SPAKE2_B(self._code.encode(), idA=data, idB=self._hello)
            self._share = self._exchange.start()
            return encode(Kind.HELLO, self._hello) + encode(Kind.SHARE, self._share), State.SHARE
        if state is State.SHARE:
            secret = _finish(self._exchange, data)
            self._sealed = Sealed(secret, (self._their_hello, self._hello, self._share, data), DEVICE)
            return b"", State.CONFIRM
        if self._sealed is None or not self._sealed.confirms(data):
            raise WrongCodeError("a client has used a wrong code")
        return encode(Kind.CONFIRM, self._sealed.confirmation), State.PAIRED


def _finish(exchange: Any, share: bytes) -> bytes:
    """Return the shared secret. Raises PairingError for what is no element of the group, or our own share."""
    try:
        return bytes(exchange.finish(share))
    except Exception:  # noqa: BLE001 - the library has many kinds of errors for the bytes of a stranger
        raise PairingError("it does not speak the pairing protocol", found="an invalid share") from None


def _refused(data: bytes) -> PairingError:
    try:
        reason = Refusal[data.decode("ascii")]
    except (KeyError, UnicodeDecodeError):
        return PairingError("the device refuses")
    kind = WrongCodeError if reason is Refusal.CODE else PairingError
    return kind(reason.value)


def _read_json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise PairingError("it does not speak the pairing protocol", found="no JSON object")
    return found
