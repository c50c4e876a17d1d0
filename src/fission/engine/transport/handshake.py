"""The handshake of a link: the client sends a hello, the node sends a welcome or a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fission.errors import RunError

__all__ = ["CLOCK", "PROTOCOL", "ClientHello", "client_pulse", "read_answer", "refusal", "welcome"]

PROTOCOL = 2
"""The version of the link's messages; both ends must have the same."""
CLOCK = "clock"
"""The request to which a link itself answers with the node's wall time, in seconds since 1970."""
_CLIENT_PULSE = 0.5


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The first message of a client. `pulse` is the number of seconds between the node's heartbeats."""

    client: str
    network: str
    pulse: float
    about: Mapping[str, Any] = field(default_factory=dict)

    def message(self) -> dict[str, Any]:
        """Return the message for the node."""
        return {
            "join": PROTOCOL,
            "client": self.client,
            "network": self.network,
            "pulse": self.pulse,
            "about": dict(self.about),
        }

    @classmethod
    def read(cls, message: Any) -> "ClientHello":
        """Read the message on the node. Raises RunError, whose text is logged there and sent to the client."""
        if not isinstance(message, dict) or "join" not in message:
            raise RunError("it did not ask to join", expected="a client of FISSION")
        if message["join"] != PROTOCOL:
            raise RunError(
                "the versions of FISSION do not fit together",
                expected=f"link protocol {PROTOCOL}",
                found=str(message["join"])[:20],
                hint="On the client, `fission deploy --upgrade` installs its version on the nodes",
            )
        values = [message.get(name) for name in ("client", "network", "pulse", "about")]
        match values:
            case [str(client), str(network), float(pulse), dict(about)] if 0 < pulse <= 3600:
                return cls(client, network, pulse, about)
        raise RunError("its request to join cannot be understood")


def welcome(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a node that admits the client."""
    return {"welcome": dict(about)}


def refusal(reason: str) -> dict[str, Any]:
    """Return the answer of a node that refuses the client."""
    return {"refused": reason}


def read_answer(message: Any) -> tuple[Mapping[str, Any], str]:
    """Return what the node reports about itself, and why it refuses the client ("" when it does not).

    Raises RunError for any other message.
    """
    match message:
        case {"welcome": dict(about)}:
            return about, ""
        case {"refused": str(reason)}:
            return {}, reason or "the node gives no reason"
    raise RunError("it does not answer as a node of FISSION should")


def client_pulse(pulse: float) -> float:
    """Return the seconds between the client's heartbeats; nodes allow a long silence, so there are few."""
    return max(_CLIENT_PULSE, pulse)
