"""What is taken from announcements: anybody may send them."""

from hypothesis import given
from hypothesis import strategies as st

from fission.discovery.announcement import (
    SERVICE,
    Announcement,
    instance_name,
    read_announcement,
    safe_text,
)

NODE = Announcement("roof", ("192.168.4.2",), 8785, "0.1.0", "ab" * 32)


def received(node: Announcement) -> dict[bytes, bytes | None]:
    return {key.encode(): value.encode() for key, value in node.properties().items()}


def test_an_announcement_is_read_as_it_was_made() -> None:
    assert read_announcement(f"roof.{SERVICE}", NODE.addresses, NODE.port, received(NODE)) == NODE


def test_a_node_without_tls_announces_no_fingerprint() -> None:
    node = Announcement("roof", ("192.168.4.2",), 8785, "0.1.0", "")
    assert "fp" not in node.properties()
    assert read_announcement(f"roof.{SERVICE}", node.addresses, 8785, received(node)) == node


@given(
    instance=st.text(max_size=300),
    addresses=st.lists(st.one_of(st.text(max_size=40), st.ip_addresses().map(str)), max_size=30),
    port=st.one_of(st.none(), st.integers(-5, 1 << 20)),
    properties=st.dictionaries(
        st.sampled_from([b"proto", b"version", b"fp", b"x"]), st.one_of(st.none(), st.binary(max_size=300))
    ),
    honest=st.booleans(),
)
def test_whatever_is_received_is_bounded_and_printable(
    instance: str,
    addresses: list[str],
    port: int | None,
    properties: dict[bytes, bytes | None],
    honest: bool,
) -> None:
    if honest:
        properties[b"proto"] = b"1"
    node = read_announcement(instance, addresses, port, properties)
    if node is None:
        return
    assert 0 < node.port < 65536
    assert 0 < len(node.addresses) <= 8
    for text in (node.name, node.version):
        assert len(text) <= 63
        assert text.isprintable()
    assert node.fingerprint == "" or (len(node.fingerprint) == 64 and int(node.fingerprint, 16) >= 0)


def test_other_protocols_and_addresses_that_no_node_has_are_left_out() -> None:
    properties = received(NODE)
    assert read_announcement("a", ("224.0.0.251", "0.0.0.0", "::", "255.255.255.255"), 1, properties) is None
    assert read_announcement("a", NODE.addresses, 0, properties) is None
    assert read_announcement("a", NODE.addresses, 1, {**properties, b"proto": b"2"}) is None
    assert read_announcement("a", NODE.addresses, 1, {}) is None


def test_terminal_sequences_are_not_kept() -> None:
    assert safe_text("\x1b[2Jroof\r\n\u202e") == "?[2Jroof???"


@given(st.text(min_size=1, max_size=200), st.ip_addresses().map(str))
def test_an_instance_name_is_one_label(name: str, address: str) -> None:
    made = instance_name(name, address)
    assert len(made.encode()) <= 63
    assert "." not in made
    assert made.isprintable()
