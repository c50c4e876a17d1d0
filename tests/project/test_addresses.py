"""What is an address, and what is a pattern of addresses."""

import pytest

from fission.project.addresses import is_address, is_pattern


@pytest.mark.parametrize(
    "text",
    [
        "192.168.4.2",
        "127.0.0.1",
        "::1",
        "fe80::1%eth0",
        "localhost",
        "pi-3",
        "pi_3",
        "node1.lan",
        "a.b.c.",
        "3com.org",
    ],
)
def test_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.168.4",
        "192.168.4.300",
        "192.168.4.2.5",
        "192.168.4.*",
        "192.168.4.2:8080",
        "two words",
        "http://pi",
        "-pi",
        "pi-",
        "pi..lan",
        "a" * 64,
        ".".join(["abcdefgh"] * 30),
        "12",
    ],
)
def test_no_addresses(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    "text", ["192.168.4.*", "192.168.*", "192.*.4.1", "*", "10.0.0.1*", "pi-*", "192.168.4.2"]
)
def test_patterns(text: str) -> None:
    assert is_pattern(text)


@pytest.mark.parametrize("text", ["", "192.168.4", "192.168.400.*", "1.2.3.4.*", "two *", "192.168..*"])
def test_no_patterns(text: str) -> None:
    assert not is_pattern(text)
