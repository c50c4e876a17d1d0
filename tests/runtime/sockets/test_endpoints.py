"""Addresses as text, and which of several endpoints a sender takes."""

import pytest

from fission.errors import RunError
from fission.runtime.sockets.endpoints import Endpoint, choose, parse

TLS = Endpoint("tls", "10.0.0.2", 4711)
UNIX = Endpoint("unix", path="/run/x")
BOTH = "tls:10.0.0.2:4711 unix:/run/x"


@pytest.mark.parametrize(
    ("address", "endpoints"),
    [
        ("unix:/run/x", (UNIX,)),
        ("unix:/run/a b:c", (Endpoint("unix", path="/run/a b:c"),)),
        ("tcp:host.local:1", (Endpoint("tcp", "host.local", 1),)),
        ("tls:[fe80::1]:65535", (Endpoint("tls", "fe80::1", 65535),)),
        (BOTH, (TLS, UNIX)),
        (
            "unix:/run/a b tcp:h:0 tls:[::1]:2",
            (Endpoint("unix", path="/run/a b"), Endpoint("tcp", "h", 0), Endpoint("tls", "::1", 2)),
        ),
    ],
)
def test_addresses_are_read_and_written(address: str, endpoints: tuple[Endpoint, ...]) -> None:
    assert parse(address) == endpoints
    assert " ".join(map(str, endpoints)) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "tcp",
        "tcp:",
        "unix:",
        "udp:1.2.3.4:5",
        "tcp:1.2.3.4",
        "tcp::80",
        "tcp:h:x",
        "tcp:h:65536",
        "tcp:h:²",
        "tls:::1:80",
        "tls:[]:80",
        "tcp:h:-1",
        "tcp:h:1 ",
        " unix:/x",
        "tcp:h:1 udp:h:2",
        "tcp:h:1  unix:/x",
    ],
)
def test_bad_addresses(address: str) -> None:
    with pytest.raises(RunError, match="is no address of a transport"):
        parse(address)


@pytest.mark.parametrize(
    ("address", "machine", "chosen"),
    [
        (BOTH, "10.0.0.2", UNIX),
        (BOTH, "10.0.0.3", TLS),
        (BOTH, "", TLS),
        ("unix:/run/x", "", UNIX),
        ("unix:/run/x", "10.0.0.3", UNIX),
        ("unix:/run/x tls:10.0.0.2:4711", "10.0.0.2", UNIX),
        ("unix:/run/x tls:10.0.0.2:4711", "10.0.0.3", TLS),
        ("tls:10.0.0.2:4711", "10.0.0.2", TLS),
        ("tls:10.0.0.2:4711 tcp:10.0.0.2:1", "10.0.0.3", TLS),
        ("tls:[fe80::1]:2 unix:/run/x", "fe80::1", UNIX),
        ("tls:[fe80::1]:2 unix:/run/x", "[fe80::1]", UNIX),
    ],
)
def test_a_unix_socket_is_for_the_same_machine(address: str, machine: str, chosen: Endpoint) -> None:
    assert choose(address, machine) == chosen
