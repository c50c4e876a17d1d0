"""What client and node say to each other before they are linked: one message each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fission.errors import RunError

__all__ = ["PROTOCOL", "ClientHello", "client_pulse", "read_answer", "refusal", "welcome"]

PROTOCOL = 2
"""Raised when the links of different versions would misunderstand each other."""
_CLIENT_PULSE = 0.5


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client says first.

    `key` is the name of this link, another one for each attempt; `pulse` the seconds between the node's signs of life.
    """

    client: str
    network: str
    key: str
    pulse: float
    about: Mapping[str, Any] = field(default_factory=dict)

    def message(self) -> dict[str, Any]:
        """Return the message for the node."""
        return {
            "join": PROTOCOL,
            "client": self.client,
            "network": self.network,
            "key": self.key,
            "pulse": self.pulse,
            "about": dict(self.about),
        }

    @classmethod
    def read(cls, message: Any) -> "ClientHello":
        """Read it on the node. Raises RunError, whose text is for both sides."""
        if not isinstance(message, dict) or "join" not in message:
            raise RunError("it did not ask to join", expected="a client of FISSION")
        if message["join"] != PROTOCOL:
            raise RunError(
                "the versions of FISSION do not fit together",
                expected=f"link protocol {PROTOCOL}",
                found=str(message["join"])[:20],
                hint="Install the same version on the client and all nodes",
            )
        values = [message.get(name) for name in ("client", "network", "key", "pulse", "about")]
        match values:
            case [str(client), str(network), str(key), float(pulse), dict(about)] if 0 < pulse <= 3600:
                return cls(client, network, key, pulse, about)
        raise RunError("its request to join cannot be understood")


def welcome(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a node that lets the client in."""
    return {"welcome": dict(about)}


def refusal(reason: str) -> dict[str, Any]:
    """Return the answer of a node that does not."""
    return {"refused": reason}


def read_answer(message: Any) -> tuple[Mapping[str, Any], str]:
    """Return what the node says about itself, and why it refuses the client ("" when it does not).

    Raises RunError when it is no answer.
    """
    match message:
        case {"welcome": dict(about)}:
            return about, ""
        case {"refused": str(reason)}:
            return {}, reason or "the node gives no reason"
    raise RunError("it does not answer as a node of FISSION should")


def client_pulse(pulse: float) -> float:
    """Return the seconds between the client's signs of life: nodes are patient, so they get few."""
    return max(_CLIENT_PULSE, pulse)
