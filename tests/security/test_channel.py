"""A TLS channel does for its users what a plain non-blocking socket does."""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fission.errors import LocalProtocolError
from fission.security import Step, TlsChannel, accept_tls, client_context, dial_tls, server_context

SMALL = 8192


@pytest.fixture(scope="session")
def contexts(node, client):
    return server_context(node), client_context(client)


@contextlib.contextmanager
def connected(contexts, left: socket.socket, right: socket.socket) -> Iterator[tuple[TlsChannel, TlsChannel]]:
    """Two ends of a connection whose handshake is done."""
    server = accept_tls(left, contexts[0], 5.0)
    dialling = dial_tls(right, contexts[1], 5.0, host="127.0.0.1")
    while {dialling.step(0.0), server.step(0.0)} != {Step.DONE}:
        assert (server.error, dialling.error) == (None, None)
    ends = dialling.channel(), server.channel()
    try:
        yield ends
    finally:
        for end in ends:
            end.close()


@pytest.fixture
def ends(contexts, sockets) -> Iterator[tuple[TlsChannel, TlsChannel]]:
    """The two ends of a TCP connection."""
    dialled, accepted = sockets()
    with connected(contexts, accepted, dialled) as both:
        yield both


def receive(channel: TlsChannel, count: int, size: int = 65536) -> bytes:
    """Receive that many bytes as a poll loop does."""
    data, buffer, deadline = bytearray(), bytearray(size), time.monotonic() + 10
    while len(data) < count:
        assert time.monotonic() < deadline
        if not channel.pending():
            assert select.select([channel], [], [], 5)[0]
        with contextlib.suppress(BlockingIOError):
            got = channel.recv_into(buffer)
            assert got
            data += buffer[:got]
    return bytes(data)


def fill(channel: TlsChannel) -> int:
    """Send until the socket takes no more."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += channel.send(bytes(65536))
    return sent


def test_bytes_arrive_in_both_directions(ends) -> None:
    left, right = ends
    assert left.send(b"there") == 5
    assert right.sendmsg([b"and", memoryview(b""), bytearray(b" back")]) == 8
    assert receive(right, 5) == b"there"
    assert receive(left, 8) == b"and back"
    assert left.fileno() != right.fileno()
    assert not left.wants_write


def test_nothing_there(ends) -> None:
    left, right = ends
    with pytest.raises(BlockingIOError):
        left.recv_into(bytearray(10))
    assert left.recv_into(bytearray(0)) == 0
    assert left.send(b"") == 0
    assert left.sendmsg([]) == 0
    assert left.sendmsg([b"", b""]) == 0
    assert right.pending() == left.pending() == 0
    with pytest.raises(BlockingIOError):
        right.recv_into(bytearray(10))


def test_what_tls_holds_is_told(ends) -> None:
    """The trap of TLS in a poll loop: a full buffer, more inside, and a socket that is not readable."""
    left, right = ends
    left.send(bytes(100_000))
    buffer = bytearray(1000)
    assert select.select([right], [], [], 5)[0]
    received = 0
    while received < 100_000:
        if not right.pending():
            assert select.select([right], [], [], 5)[0]
        received += right.recv_into(buffer)
    assert received == 100_000
    assert right.pending() == 0


def test_a_short_read_means_that_nothing_is_left(ends) -> None:
    left, right = ends
    total = sum(left.send(b"x" * size) for size in (1, 16384, 20_000, 5))
    assert select.select([right], [], [], 5)[0]
    buffer, received = bytearray(1 << 20), 0
    while received < total:
        assert select.select([right], [], [], 5)[0]
        received += right.recv_into(buffer)
        assert right.pending() == 0
    assert select.select([right], [], [], 0)[0] == []


def test_a_full_socket_makes_the_sender_wait(ends) -> None:
    left, right = ends
    sent = fill(left)
    assert sent > 0
    assert left.wants_write
    with pytest.raises(BlockingIOError):
        left.send(bytes(65536))
    assert not left.flush()
    with pytest.raises(
        LocalProtocolError, match="its rest must follow; expected 65536 bytes or more, found 10"
    ):
        left.send(bytes(10))
    drained = bytearray()
    done = 0
    while not done:
        with contextlib.suppress(BlockingIOError):
            buffer = bytearray(65536)
            drained += buffer[: right.recv_into(buffer)]
        with contextlib.suppress(BlockingIOError):
            done = left.sendmsg([bytes(65536), bytes(65536)])
    assert done == 65536  # those that were encrypted before
    assert not left.wants_write
    assert receive(right, sent + done - len(drained)) == bytes(sent + done - len(drained))


def test_large_and_many_small_buffers(ends) -> None:
    left, right = ends
    large = memoryview(bytes(range(256)) * 1024)
    for buffers in ([large], [large, b"x"], [b"head", large, b"", large, b"tail"], [large, large]):
        expected = b"".join(buffers)
        sent = 0
        received = b""
        while sent < len(expected):
            rest = expected[sent:]
            with contextlib.suppress(BlockingIOError):
                sent += left.sendmsg([rest]) if sent else left.sendmsg(buffers)
            received += receive(right, sent - len(received))
        assert received == expected
    small = [bytes([i % 256]) * 64 for i in range(512)]
    assert left.sendmsg(small) == 512 * 64
    assert receive(right, 512 * 64) == b"".join(small)


def test_one_call_sends_about_a_megabyte_at_most(ends, monkeypatch) -> None:
    left, right = ends
    monkeypatch.setattr("fission.security.channel._MOST", 1 << 18)
    assert left.send(bytes(1 << 19)) == 1 << 18
    receive(right, 1 << 18)


def test_a_goodbye_ends_the_stream(ends) -> None:
    left, right = ends
    left.send(b"last words")
    left.close()
    assert receive(right, 10) == b"last words"
    assert right.pending() or select.select([right], [], [], 5)[0]
    assert right.recv_into(bytearray(10)) == 0
    assert right.pending() == 1
    assert right.recv_into(bytearray(10)) == 0
    assert right.error is None


def test_a_killed_process_ends_the_stream(ends, sockets) -> None:
    left, right = ends
    left.send(b"last words")
    socket.socket(fileno=left._pump.sock.detach()).close()  # no goodbye
    assert receive(right, 10) == b"last words"
    assert right.pending() or select.select([right], [], [], 5)[0]
    assert right.recv_into(bytearray(10)) == 0


def test_a_reset_is_an_error(ends) -> None:
    left, right = ends
    raw = socket.socket(fileno=left._pump.sock.detach())
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    assert select.select([right], [], [], 5)[0]
    for _ in range(2):
        with pytest.raises(OSError, match=r"127.0.0.1:\d+: the connection failed .Connection reset by peer."):
            right.recv_into(bytearray(10))
    with pytest.raises(ConnectionAbortedError):
        right.send(b"x")
    assert right.pending() == 1


def test_sending_into_a_reset_is_an_error(ends) -> None:
    left, right = ends
    raw = socket.socket(fileno=left._pump.sock.detach())
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    assert select.select([right], [], [], 5)[0]
    with pytest.raises(ConnectionResetError):
        right.send(b"x")
    assert "Connection reset by peer" in str(right.error)


def test_flushing_into_a_reset_is_an_error(ends) -> None:
    left, right = ends
    fill(right)
    raw = socket.socket(fileno=left._pump.sock.detach())
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    assert select.select([right], [], [], 5)[0]
    with pytest.raises(OSError, match="reset"):
        right.flush()
    assert right.error is not None


def test_what_came_before_a_forged_record_is_delivered(ends) -> None:
    left, right = ends
    left.send(b"genuine")
    left._pump.sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    buffer = bytearray(100)
    assert receive(right, 7) == b"genuine"
    assert right.pending() or select.select([right], [], [], 5)[0]
    with pytest.raises(ConnectionAbortedError, match="it does not speak TLS as it should"):
        right.recv_into(buffer)
    assert right.pending() == 1
    # and the other side is told
    assert select.select([left], [], [], 5)[0]
    with pytest.raises(ConnectionAbortedError):
        left.recv_into(buffer)


def test_an_alert_waits_for_a_full_socket(ends) -> None:
    left, right = ends
    left._pump.sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    fill(right)
    assert select.select([right], [], [], 5)[0]
    with pytest.raises(ConnectionAbortedError):
        right.recv_into(bytearray(10))
    assert right.wants_write


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    writes=st.lists(st.lists(st.integers(0, 40_000), max_size=4), max_size=6),
    reads=st.lists(st.sampled_from([61, 1000, 16384, 70_000]), min_size=1, max_size=6),
    eager=st.integers(1, 5),
)
def test_every_byte_arrives_once_and_in_order(contexts, writes, reads, eager) -> None:
    """Any pattern of writes and reads, through sockets that are much too small."""
    left, right = socket.socketpair()
    for sock in (left, right):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    queue = [
        bytes((i + j) % 256 for j in range(min(size, 251))) * (size // 251 + 1)
        for i, sizes in enumerate(writes)
        for size in sizes
    ]
    expected = b"".join(queue)
    with left, right, connected(contexts, left, right) as (sender, receiver):
        received, turn = bytearray(), 0
        out = [memoryview(part) for part in queue]
        while len(received) < len(expected):
            for _ in range(eager):
                with contextlib.suppress(BlockingIOError):
                    _advance(out, sender.sendmsg(out[:8]))
            size = reads[turn % len(reads)]
            turn += 1
            buffer = bytearray(size)
            with contextlib.suppress(BlockingIOError):
                got = receiver.recv_into(buffer)
                received += buffer[:got]
                if got < size:
                    assert receiver.pending() == 0
        assert received == expected
        assert not out or not any(map(len, out))
        assert not sender.wants_write


def _advance(out: list[memoryview], sent: int) -> None:
    while out and sent >= len(out[0]):
        sent -= len(out.pop(0))
    if sent:
        out[0] = out[0][sent:]


def test_a_large_buffer_leaves_in_parts(contexts) -> None:
    """As with a plain socket: what fits leaves now, and the rest may be offered later."""
    left, right = socket.socketpair()
    right.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 150_000)
    data = bytes(range(256)) * 4000
    with left, right, connected(contexts, left, right) as (sender, receiver):
        sent = sender.send(data)
        assert 0 < sent < len(data)
        received = b""
        buffer = bytearray(1 << 20)
        while len(received) < len(data):
            with contextlib.suppress(BlockingIOError):
                received += buffer[: receiver.recv_into(buffer)]
            if sent < len(data):
                with contextlib.suppress(BlockingIOError):
                    sent += sender.send(data[sent:])
    assert received == data
