"""What may stand where an address of a machine is wanted: an IP address or a host name."""

import re
from ipaddress import ip_address

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Tell whether `text` is an IPv4 or IPv6 address or a host name (RFC 1123, and underscores)."""
    try:
        ip_address(text)
    except ValueError:
        return _is_host_name(text)
    return True


def is_pattern(text: str) -> bool:
    """Tell whether `text` is an address, or one with `*`, `?` or `[...]` in it, like 192.168.4.*."""
    text = re.sub(r"\[[^\]]+\]|\?", "*", text)
    parts = text.split(".")
    if re.fullmatch(r"[0-9.*]+", text):  # meant to be IPv4
        return 1 <= len(parts) <= 4 and all(map(_is_octet, parts)) and ("*" in text or len(parts) == 4)
    return is_address(text.replace("*", "1"))


def _is_octet(part: str) -> bool:
    return "*" in part or (part.isdecimal() and int(part) <= 255)


def _is_host_name(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    # a name that ends in a number is an address gone wrong: 192.168.4.300
    return len(text) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal()
