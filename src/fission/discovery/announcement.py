"""What a node announces, and what is taken from an announcement: bounded, and safe to print."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["PROTOCOL", "SERVICE", "Announcement", "instance_name", "read_announcement", "safe_text"]

SERVICE: Final = "_fission._tcp.local."
"""The service type (RFC 6763, section 7)."""
PROTOCOL: Final = 1
"""The version of the fields below."""

_MOST_ADDRESSES = 8
_MOST_TEXT = 63
"""Characters of a text that are kept: the length of a DNS label."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Announcement:
    """A node as it describes itself. `fingerprint`: SHA-256 of its certificate (DER) in hexadecimal, "" without TLS."""

    name: str
    addresses: tuple[str, ...]
    port: int
    version: str
    fingerprint: str
    protocol: int = PROTOCOL

    def properties(self) -> dict[str, str]:
        """Return the TXT record (RFC 6763, section 6): `proto`, `version`, and with TLS `fp`."""
        found = {"proto": str(self.protocol), "version": self.version}
        return found | ({"fp": self.fingerprint} if self.fingerprint else {})


def instance_name(name: str, address: str) -> str:
    """Return the instance name of a node: one label of at most 63 bytes, its own for each address."""
    plain = "".join(letter if letter.isprintable() and letter != "." else "-" for letter in name)
    mark = f" ({address.replace('.', '-')})"
    return plain.encode()[: _MOST_TEXT - len(mark)].decode(errors="ignore") + mark


def read_announcement(
    instance: str, addresses: Iterable[str], port: int | None, properties: Mapping[bytes, bytes | None]
) -> Announcement | None:
    """Read what was received; None when it names no usable address or port, or speaks another protocol.

    Texts are cut to 63 characters without control characters, a malformed fingerprint counts as none, and at most 8
    addresses are kept. Addresses that no node can have (multicast, unspecified) are dropped.
    """
    usable = tuple(dict.fromkeys(filter(_is_usable, addresses)))[:_MOST_ADDRESSES]
    protocol = _text(properties, b"proto")
    if not usable or not port or not 0 < port < 1 << 16 or protocol != str(PROTOCOL):
        return None
    fingerprint = _text(properties, b"fp").lower()
    return Announcement(
        safe_text(instance.removesuffix(f".{SERVICE}")),
        usable,
        port,
        safe_text(_text(properties, b"version")),
        fingerprint if _FINGERPRINT.fullmatch(fingerprint) else "",
    )


def safe_text(text: str) -> str:
    """Return a text that a terminal only displays: 63 characters, others than printable ones replaced by `?`."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_MOST_TEXT])


def _text(properties: Mapping[bytes, bytes | None], key: bytes) -> str:
    value = properties.get(key)
    return "" if value is None else value[:128].decode("utf-8", errors="replace")


def _is_usable(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or text == "255.255.255.255")
