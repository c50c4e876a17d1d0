"""Who is at the other end, from what `ssl` tells about a certificate."""

import pytest

from fission.security import Peer, PeerError, Role, peer_role, require_address, require_role

NODE = {
    "subject": ((("countryName", "DE"),), (("commonName", "pi2"),)),
    "subjectAltName": (
        ("URI", "https://example.org"),
        ("URI", "fission:role:node"),
        ("IP Address", "10.0.0.2"),
        ("IP Address", "FD00:0:0:0:0:0:0:2"),
        ("DNS", "PI2.local"),
    ),
}


def test_a_node() -> None:
    peer = peer_role(NODE)
    assert peer == Peer(Role.NODE, "pi2", ("10.0.0.2", "fd00::2", "pi2.local"))
    require_role(peer, Role.NODE)
    require_role(peer, *Role)
    for address in ("10.0.0.2", "fd00::2", "[FD00::2]", "pi2.LOCAL"):
        require_address(peer, address)


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_certificate(nothing) -> None:
    class Socket:
        def getpeercert(self):
            return nothing

    for source in (nothing, Socket()):
        with pytest.raises(PeerError, match="has shown no certificate that was verified"):
            peer_role(source)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), "none"),
        ((("URI", "fission:role:"),), "fission:role:"),
        ((("URI", "fission:role:king"),), "fission:role:king"),
        (
            (("URI", "fission:role:node"), ("URI", "fission:role:client")),
            "fission:role:node, fission:role:client",
        ),
        ((("DNS", "fission:role:node"),), "none"),
        ("nonsense", "none"),
    ],
)
def test_no_single_role(names, found) -> None:
    with pytest.raises(PeerError) as caught:
        peer_role({"subjectAltName": names})
    assert caught.value.found == found
    assert "expected fission:role:client or fission:role:node" in str(caught.value)


def test_the_wrong_role() -> None:
    with pytest.raises(
        PeerError, match="pi2: the certificate is for another role; expected client, found node"
    ):
        require_role(peer_role(NODE), Role.CLIENT)


def test_the_wrong_address() -> None:
    with pytest.raises(
        PeerError, match=r"pi2: the certificate does not name 10.0.0.3; found 10.0.0.2, fd00::2"
    ):
        require_address(peer_role(NODE), "10.0.0.3")
    with pytest.raises(PeerError, match="found no address"):
        require_address(Peer(Role.CLIENT, "client", ()), "10.0.0.3")
