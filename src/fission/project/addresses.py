"""Addresses of machines: IP addresses, host names, and patterns of them."""

import re
from fnmatch import fnmatchcase
from ipaddress import ip_address
from itertools import product
from math import prod

from fission.errors import NetworkError

MOST = 1024
"""The most addresses that a pattern may match when nodes are contacted."""

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Return whether `text` is an IPv4 or IPv6 address or a host name (RFC 1123, and underscores)."""
    try:
        ip_address(text)
    except ValueError:
        return _is_host_name(text)
    return True


def is_pattern(text: str) -> bool:
    """Return whether `text` is an address, or one with `*`, `?` or `[...]` in it, like 192.168.4.*."""
    text = re.sub(r"\[[^\]]+\]|\?", "*", text)
    parts = text.split(".")
    if re.fullmatch(r"[0-9.*]+", text):  # meant to be IPv4
        return 1 <= len(parts) <= 4 and all(map(_is_octet, parts)) and ("*" in text or len(parts) == 4)
    return is_address(text.replace("*", "1"))


def expand_pattern(pattern: str) -> tuple[str, ...]:
    """Return the IPv4 addresses of hosts that match a pattern like 192.168.4.*, at most `MOST`.

    Raises NetworkError for a pattern that matches more, or host names, which cannot be enumerated.
    """
    parts = pattern.split(".")
    numeric = len(parts) == 4 and re.fullmatch(r"[0-9.*?\[\]!-]+", pattern) is not None
    octets = [[str(n) for n in range(256) if fnmatchcase(str(n), part)] for part in parts] if numeric else []
    count = prod(map(len, octets)) if octets else 0
    if not 0 < count <= MOST:
        raise NetworkError(
            "too many addresses to try" if count else "its addresses cannot be tried one by one",
            where=f"MultiNode {pattern}",
            expected=f"an IPv4 pattern of at most {MOST} addresses, such as 192.168.4.*",
            found=f"{count} addresses" if count else "",
            hint="List the nodes, or narrow the pattern",
        )
    found = (".".join(one) for one in product(*octets))
    return tuple(address for address in found if count == 1 or not address.endswith((".0", ".255")))


def _is_octet(part: str) -> bool:
    return "*" in part or (part.isdecimal() and int(part) <= 255)


def _is_host_name(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    # a name that ends in a number is an address gone wrong: 192.168.4.300
    return len(text) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal()
