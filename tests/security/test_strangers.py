"""Whoever is not a member of the cluster is refused with one line, and nobody can make the service hang."""

import contextlib
import datetime as dt
import os
import select
import socket
import ssl
import struct
import time
from unittest.mock import patch

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fission.errors import LocalProtocolError
from fission.security import Role, Step, accept_tls, client_context, dial_tls, server_context
from fission.security.authority import Authority, Pair
from fission.security.explain import explain


def _without_certificate(ca) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def _read_error(channel) -> str:
    """What the side that dialled learns when it is refused after its own handshake was complete."""
    deadline = time.monotonic() + 5
    while channel.error is None and time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError, OSError):
            if channel.recv_into(bytearray(10)) == 0:
                break
    channel.close()
    return str(channel.error)


def test_members_find_each_other(handshakes, node, client) -> None:
    server = handshakes.accept(node, roles=(Role.CLIENT,))
    dialling = handshakes.dial(client, roles=(Role.NODE,))
    handshakes.finish()
    assert (server.error, dialling.error) == (None, None)
    assert (server.peer.role, server.peer.addresses) == (Role.CLIENT, ())
    assert (dialling.peer.role, dialling.peer.name) == (Role.NODE, "127.0.0.1")
    assert server.step(0) is dialling.step(1e9) is Step.DONE
    for one in (server, dialling):
        one.channel().close()
        with pytest.raises(LocalProtocolError, match="its channel was taken"):
            one.channel()


def test_only_tls_1_3_is_spoken(handshakes, node, client) -> None:
    old = ssl.create_default_context(cafile=client.ca)
    old.load_cert_chain(client.cert, client.key)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    server = handshakes.accept(node)
    dialling = handshakes.dial(client, context=old)
    handshakes.finish()
    assert str(server.error).endswith("it offers no TLS 1.3")
    assert str(dialling.error) == "127.0.0.1: it refused us: it speaks no TLS 1.3"


def test_no_certificate(handshakes, node) -> None:
    server = handshakes.accept(node)
    dialling = handshakes.dial(node, context=_without_certificate(node.ca))
    handshakes.finish()
    assert str(server.error).endswith("it has shown no certificate")
    assert str(server.error).startswith("127.0.0.1:")
    text = _read_error(dialling.channel())
    assert text == "127.0.0.1: it refused us: we have shown no certificate"


def test_a_foreign_authority_dials(handshakes, node, certificates) -> None:
    foreign = certificates.make(Role.CLIENT, ())
    trusting = ssl.create_default_context(cafile=node.ca)
    trusting.load_cert_chain(foreign.cert, foreign.key)
    server = handshakes.accept(node)
    dialling = handshakes.dial(foreign, context=trusting)
    handshakes.finish()
    assert "its certificate was not signed by our authority. Does it belong to another cluster?" in str(
        server.error
    )
    assert "our certificate was not signed by its authority" in _read_error(dialling.channel())


def test_a_foreign_authority_answers(handshakes, client, certificates) -> None:
    server = handshakes.accept(certificates.make())
    dialling = handshakes.dial(client)
    handshakes.finish()
    assert "its certificate was not signed by our authority" in str(dialling.error)
    assert "it refused us: our certificate was not signed by its authority" in str(server.error)


def test_an_authority_with_the_same_name_is_foreign_too(handshakes, client, tmp_path, certificates) -> None:
    # the name is no secret, so only the key counts
    ours = x509.load_pem_x509_certificate(client.ca.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    forged = (
        x509.CertificateBuilder(ours.subject, ours.subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(1))
        .not_valid_after(now + dt.timedelta(9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificates.authority = Authority(forged, key)
    handshakes.accept(certificates.make())
    dialling = handshakes.dial(client)
    handshakes.finish()
    assert "its certificate" in str(dialling.error)


def test_a_node_cannot_sign_certificates(handshakes, node, client, certificates) -> None:
    def signed_by_a_node(_authority: Authority) -> Pair:
        key = serialization.load_pem_private_key(node.key.read_bytes(), None)
        false_authority = Authority(x509.load_pem_x509_certificate(node.cert.read_bytes()), key)
        now = dt.datetime.now(dt.UTC)
        pair = false_authority.issue(Role.CLIENT, "client", (), now=now, days=1)
        return Pair(pair.certificate + node.cert.read_bytes(), pair.key)

    false = certificates.make(Role.CLIENT, (), pair=signed_by_a_node)
    trusting = ssl.create_default_context(cafile=node.ca)
    trusting.load_cert_chain(false.cert, false.key)
    server = handshakes.accept(node)
    handshakes.dial(false, context=trusting)
    handshakes.finish()
    assert "its certificate was refused: invalid CA certificate" in str(server.error)


@pytest.mark.parametrize(
    ("begin", "text"),
    [
        (
            -30,
            "its certificate has expired. Run `fission certs --renew`, or set the clock of this machine",
        ),
        (5, "its certificate is not valid yet. Is the clock of this machine right? It shows 20"),
    ],
)
def test_time(handshakes, certificates, begin, text) -> None:
    good, bad = certificates.make(), certificates.make(begin=begin)
    server = handshakes.accept(bad)
    dialling = handshakes.dial(good)
    handshakes.finish()
    assert str(dialling.error).startswith(f"127.0.0.1: {text}")
    assert "it refused us" in str(server.error)
    assert "Is the clock of that machine right? Here it is 20" in str(server.error)


@pytest.mark.parametrize("begin", [-30, 5])
def test_time_of_who_dials(handshakes, certificates, begin) -> None:
    server = handshakes.accept(certificates.make())
    dialling = handshakes.dial(certificates.make(begin=begin))
    handshakes.finish()
    assert "its certificate" in str(server.error)
    assert "it refused us" in _read_error(dialling.channel())


def test_a_node_cannot_act_as_the_client(handshakes, node) -> None:
    server = handshakes.accept(node, roles=(Role.CLIENT,))
    dialling = handshakes.dial(node)
    handshakes.finish()
    assert str(server.error).endswith(
        "(127.0.0.1): the certificate is for another role; expected client, found node"
    )
    assert server.peer is None
    with pytest.raises(LocalProtocolError, match="not done"):
        server.channel()
    assert _read_error(dialling.channel()) == "None"  # simply closed


def test_the_client_cannot_act_as_a_node(handshakes, client, certificates) -> None:
    handshakes.accept(client)
    dialling = handshakes.dial(client, roles=(Role.NODE,), check_host=False)
    handshakes.finish()
    assert str(dialling.error) == (
        "127.0.0.1 (client): the certificate is for another role; expected node, found client"
    )


def test_a_certificate_of_our_authority_without_role(handshakes, client, certificates) -> None:
    class Plain:
        uri = "https://example.org"

    def pair(authority: Authority) -> Pair:
        return authority.issue(Plain, "web", ("127.0.0.1",), now=dt.datetime.now(dt.UTC), days=1)

    handshakes.accept(certificates.make(pair=pair))
    dialling = handshakes.dial(certificates.make())
    handshakes.finish()
    assert "(web): the certificate has no role that we know" in str(dialling.error)


@pytest.mark.parametrize("check_host", [True, False])
def test_another_node_answers(handshakes, cluster, client, check_host) -> None:
    handshakes.accept(type(client)(cluster.node("127.0.0.2")))
    dialling = handshakes.dial(client, check_host=check_host)
    handshakes.finish()
    assert "does not name" in str(dialling.error)
    assert "127.0.0.1" in str(dialling.error)


def test_another_name_answers(handshakes, certificates) -> None:
    handshakes.accept(certificates.make(addresses=("pi2.local",)))
    dialling = handshakes.dial(certificates.make(), host="pi3.local")
    handshakes.finish()
    assert str(dialling.error) == "pi3.local: its certificate does not name the host that was dialled"


@pytest.mark.parametrize("host", ["pi2.local", "PI2.local.", "fe80::1", "[fe80:0::1]", "fe80::1%eth0"])
@pytest.mark.parametrize("check_host", [True, False])
def test_names_and_addresses_in_other_forms(handshakes, certificates, host, check_host) -> None:
    handshakes.accept(certificates.make(addresses=("pi2.local", "fe80::1")))
    dialling = handshakes.dial(certificates.make(), host=host, check_host=check_host)
    handshakes.finish()
    assert dialling.error is None


def test_the_client_answers_at_any_address(handshakes, node, client) -> None:
    handshakes.accept(client)
    dialling = handshakes.dial(node, host="127.0.0.1", check_host=False)
    handshakes.finish()
    assert dialling.error is None
    assert dialling.peer.role is Role.CLIENT


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "it speaks HTTP, not TLS"),
        (b"hello, is anybody there?\r\n", "it does not speak TLS"),
        (bytes(range(256)) * 4, "it does not speak TLS"),
        (b"\x16\x03\x01\xff\xff" + b"x" * 2000, "it does not speak TLS as it should"),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "it does not speak TLS as it should"),
        (b"\x16\x03\x01", "it closed the connection before the handshake was complete"),
        (b"", "it closed the connection before the handshake was complete"),
    ],
)
def test_no_tls_at_all(handshakes, node, data, text) -> None:
    handshakes.dialled.sendall(data)
    handshakes.dialled.shutdown(socket.SHUT_WR)
    server = handshakes.accept(node)
    handshakes.finish()
    assert text in str(server.error)
    assert "\n" not in str(server.error)
    assert server.step(0) is Step.FAILED


@pytest.mark.parametrize("length", [1, 5, 100, 1000, 5000])
def test_garbage(handshakes, node, length) -> None:
    for _ in range(20):
        handshakes.dialled.sendall(os.urandom(length))
    handshakes.dialled.shutdown(socket.SHUT_WR)
    server = handshakes.accept(node)
    handshakes.finish()
    assert server.error is not None


def test_a_server_of_plain_text_answers(handshakes, client) -> None:
    handshakes.accepted.sendall(b"220 mail.example.org ESMTP\r\n")
    dialling = handshakes.dial(client)
    handshakes.finish()
    assert str(dialling.error) == "127.0.0.1: it does not speak TLS"


def test_a_handshake_without_end(handshakes, node, client) -> None:
    """Well-formed records of a huge hello: refused by length, long before memory is a question."""
    handshakes.dialled.sendall(b"\x16\x03\x01\x40\x00\x01\x01\xff\xff\x03\x03" + bytes(0x4000 - 6))
    with contextlib.suppress(OSError):
        for _ in range(20):
            handshakes.dialled.sendall(b"\x16\x03\x03\x40\x00" + bytes(0x4000))
    server = handshakes.accept(node)
    handshakes.finish()
    assert server.error is not None


def test_a_stream_of_fragments_is_cut_off(handshakes, node, monkeypatch) -> None:
    monkeypatch.setattr("fission.security.handshake._MOST_BYTES", 100)
    handshakes.dialled.sendall(b"\x16\x03\x01\x10\x00\x01\x00\x0f\xfc\x03\x03" + bytes(500))
    server = handshakes.accept(node)
    handshakes.finish()
    assert str(server.error).endswith("its TLS handshake does not end")


def test_half_open(sockets, node) -> None:
    """Who connects and says nothing is dropped at the deadline, whatever the poll loop does."""
    _, accepted = sockets()
    server = accept_tls(accepted, server_context(node), 5.0)
    assert server.deadline == 5.0
    assert server.fileno() == accepted.fileno()
    assert server.step(0.0) is Step.WANTS_READ
    assert server.step(4.9) is Step.WANTS_READ
    assert server.step(5.0) is Step.FAILED
    assert str(server.error).endswith("it did not complete the TLS handshake in time")
    server.close()
    assert accepted.fileno() == -1


def test_one_byte_at_a_time(sockets, node) -> None:
    """Every byte is progress, and yet the deadline stands."""
    dialled, accepted = sockets()
    server = accept_tls(accepted, server_context(node), 5.0)
    for i, byte in enumerate(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
        dialled.sendall(bytes([byte]))
        assert server.step(i * 0.4) is Step.WANTS_READ
    assert server.step(5.1) is Step.FAILED


def test_half_open_connections_cost_nothing(sockets, node) -> None:
    """The memory of a connection (some 50 KB) is allocated when something arrives."""
    context = server_context(node)
    waiting = [accept_tls(sockets()[1], context, 5.0) for _ in range(200)]
    with patch("fission.security.handshake.Pump", side_effect=AssertionError("allocated")):
        assert {one.step(0.0) for one in waiting} == {Step.WANTS_READ}
    assert {one.step(5.0) for one in waiting} == {Step.FAILED}


def test_who_does_not_read(node, client) -> None:
    """A peer that never empties its socket makes us wait for writing, and fails at the deadline."""
    hello = ssl.MemoryBIO()
    tls = client_context(client).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    dialled, accepted = socket.socketpair()
    with dialled, accepted:
        accepted.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                accepted.send(bytes(100))
        dialled.sendall(hello.read())
        server = accept_tls(accepted, server_context(node), 5.0)
        assert server.step(0.0) is Step.WANTS_WRITE
        assert server.step(4.0) is Step.WANTS_WRITE
        assert server.step(5.0) is Step.FAILED
        assert str(server.error) == "a local connection: it did not complete the TLS handshake in time"


def test_who_is_gone_before_the_handshake(sockets, node) -> None:
    dialled, accepted = sockets()
    dialled.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    dialled.close()
    assert select.select([accepted], [], [], 5)[0]
    server = accept_tls(accepted, server_context(node), 5.0)
    assert server.step(0.0) is Step.FAILED
    assert str(server.error) in (
        "a connection that has gone: the connection failed (Connection reset by peer)",
        "a connection that has gone: it closed the connection before the handshake was complete",
    )


def test_a_refused_connection(client) -> None:
    """A socket that is still connecting can be given to the handshake; a refusal is its failure."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with socket.socket() as sock:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(("127.0.0.1", port))
        dialling = dial_tls(sock, client_context(client), time.monotonic() + 5, host="127.0.0.1")
        while dialling.step(time.monotonic()) is not Step.FAILED:
            select.select([], [sock], [], 1)
        assert str(dialling.error) == "127.0.0.1: the connection failed (Connection refused)"


def test_unix_sockets_work_as_well(node, client) -> None:
    left, right = socket.socketpair()
    with left, right:
        server = accept_tls(left, server_context(node), 5.0)
        dialling = dial_tls(right, client_context(client), 5.0, host="127.0.0.1")
        while {server.step(0.0), dialling.step(0.0)} != {Step.DONE}:
            assert (server.error, dialling.error) == (None, None)
        server.channel().close()
        dialling.channel().close()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("odd"), "there: the connection failed (odd)"),
        (ssl.SSLError(1, "odd"), "there: it does not speak TLS as it should (sslerror)"),
    ],
)
def test_errors_that_nobody_has_seen_yet(error, text) -> None:
    assert str(explain(error, "there")) == text
