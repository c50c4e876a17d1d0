"""Connections behave alike on every transport: what goes in comes out, however much, and an end is noticed."""

import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fission.channel.wire.encoder import encode_batch, encode_control
from fission.channel.wire.frames import Batch, Hello
from fission.errors import RemoteProtocolError, RunError
from fission.runtime.sockets import transport
from fission.runtime.sockets.connection import Connection
from fission.runtime.sockets.endpoints import Endpoint, parse
from fission.runtime.sockets.poller import WRITE, Poller
from fission.runtime.sockets.tls import Certificate
from fission.security.ephemeral import ephemeral_authority

HELLO = Hello(1, "run", 7, 1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """That of a node at 127.0.0.1."""
    return Certificate(str(ephemeral_authority(tmp_path_factory.mktemp("cluster")).node("127.0.0.1")))


@pytest.fixture(params=["unix", "tcp", "tcp6", "tls"])
def pair(
    request: pytest.FixtureRequest, tmp_path: Path, certificate: Certificate
) -> Iterator[tuple[Connection, Connection]]:
    """Both ends of one connection."""
    places = {"unix": f"unix:{tmp_path}/socket", "tcp6": "tcp:[::1]:0"}
    try:
        (listener,) = transport.listen(places.get(request.param, f"{request.param}:127.0.0.1:0"))
    except RunError:
        pytest.skip("no IPv6 on this machine")
    client = transport.connect(listener.endpoint)
    select.select([listener.sock], [], [], 10)
    server, _ = listener.sock.accept()
    transport.tune(server)
    if request.param == "tls":
        deadline = time.monotonic() + 10
        ends = (
            certificate.dialled(client, "127.0.0.1", deadline),
            certificate.accepted(server, deadline),
        )
        open_both(*ends)
    else:
        ends = Connection(client), Connection(server)
    yield ends
    for end in ends:
        end.close()
    listener.sock.close()


def open_both(*ends: Connection) -> None:
    """Drive the handshakes of both ends."""
    while waiting := [end for end in ends if end.opening]:
        readers = [end.fd for end in waiting if not end.wants_write]
        writers = [end.fd for end in waiting if end.wants_write]
        ready = select.select(readers, writers, [], 10)
        assert any(ready), "nothing moves"
        for end in waiting:
            if end.fd in ready[0]:
                end.read()
            elif end.fd in ready[1]:
                end.flush()
            assert not end.closed, end.error


def carry(sender: Connection, receiver: Connection, count: int) -> list[object]:
    """Move bytes until `count` frames have come."""
    frames: list[object] = []
    while len(frames) < count:
        writers = [sender.fd] if sender.wants_write else []
        readable, writable, _ = select.select([receiver.fd], writers, [], 0 if receiver.unread else 10)
        assert readable or writable or receiver.unread, "nothing moves"
        if writable:
            sender.flush()
        if readable or receiver.unread:
            frames += receiver.read()
    return frames


def test_small_and_large_frames_arrive_in_order(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    blocks = [[b"x"], [b"small"] * 300, [bytes(range(256)) * 40_000], [b"", b"y" * 100_000]]
    sender.send([encode_control(HELLO)])
    first = 1
    for batch in blocks:
        sender.send(encode_batch(Batch(1, first, 0, 1.0, 2.0, list(batch))))
        first += len(batch)
    hello, *batches = carry(sender, receiver, 1 + len(blocks))
    assert hello == HELLO
    assert [list(map(bytes, batch.blocks)) for batch in batches] == blocks  # type: ignore[attr-defined]


def test_what_the_socket_does_not_take_waits(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    sender.send([encode_control(HELLO)])
    large = bytes(10_000_000)
    sender.send(encode_batch(Batch(1, 1, 0, 1.0, 2.0, [large])))
    assert 0 < sender.backlog < len(large) + 100
    assert len(carry(sender, receiver, 2)) == 2
    assert sender.backlog == 0


def test_an_end_is_noticed_after_what_came_before(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    sender.send([encode_control(HELLO)])
    sender.close()
    assert carry(sender, receiver, 1) == [HELLO]
    while not receiver.closed:
        assert receiver.unread or select.select([receiver.fd], [], [], 10)[0]
        assert receiver.read() == []


def test_writing_to_a_closed_connection_is_no_crash(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    receiver.close()
    for _ in range(3):
        sender.send([encode_control(HELLO), bytes(1000)])
        select.select([], [sender.fd], [], 10)
    assert sender.closed


def test_garbage_is_refused(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    sender.send([b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"])
    assert select.select([receiver.fd], [], [], 10)[0]
    with pytest.raises(RemoteProtocolError):
        receiver.read()


def test_the_stream_goes_on_after_many_short_sends(pair: tuple[Connection, Connection]) -> None:
    sender, receiver = pair
    sender.send([encode_control(HELLO)])
    large = bytes(range(256)) * (1 << 16)
    first, blocks = 1, [[large], [b"small"] * 9, [b"x" * 70_000, b"", b"y"], [large]]
    for batch in blocks:  # each is put behind what the socket has not taken yet
        sender.send(encode_batch(Batch(1, first, 0, 1.0, 2.0, list(batch))))
        first += len(batch)
    _, *batches = carry(sender, receiver, 1 + len(blocks))
    assert [list(map(bytes, batch.blocks)) for batch in batches] == blocks  # type: ignore[attr-defined]
    assert not sender.backlog


def test_nobody_is_heard_before_he_is_verified(certificate: Certificate) -> None:
    ours, theirs = socket.socketpair()
    connection = certificate.accepted(ours, time.monotonic() + 10)
    theirs.sendall(encode_control(HELLO))
    assert connection.read() == []
    assert connection.closed
    assert "does not speak TLS" in connection.error
    connection.close()
    theirs.close()


def test_a_handshake_has_a_deadline(certificate: Certificate) -> None:
    ours, theirs = socket.socketpair()
    connection = certificate.accepted(ours, time.monotonic())
    assert connection.opening
    assert connection.read() == []
    assert connection.closed
    connection.close()
    theirs.close()


def test_a_poller_does_not_forget_what_tls_holds(certificate: Certificate) -> None:
    """Bytes that TLS has taken from the socket do not make it readable again."""
    ends = socket.socketpair()
    deadline = time.monotonic() + 10
    sender = certificate.dialled(ends[0], "127.0.0.1", deadline)
    receiver = certificate.accepted(ends[1], deadline)
    open_both(sender, receiver)
    poller = Poller()
    frames: list[object] = []
    paused = False

    def take(event: int) -> None:
        if event & WRITE:
            receiver.flush()
        frames.extend(receiver.read())
        poller.want(receiver, paused=paused)

    poller.watch(receiver.fd, take)
    sender.send([encode_control(HELLO)])
    sender.send(encode_batch(Batch(1, 1, 0, 1.0, 2.0, [bytes(20_000_000)])))
    while len(frames) < 2:
        sender.flush()
        paused = not paused  # and back: what is held is read as soon as it is wanted again
        poller.want(receiver, paused=paused)
        poller.poll(0.01 if paused else 10)
    for end in (sender, receiver):
        poller.drop(end)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        transport.connect(Endpoint("unix", path=f"{tmp_path}/nobody"))


def test_a_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        listeners = transport.listen(f"unix:{tmp_path}/socket")
        listeners[0].sock.close()
    assert transport.address_of(listeners) == f"unix:{tmp_path}/socket"


def test_several_listeners_have_one_address(tmp_path: Path) -> None:
    listeners = transport.listen(f"tls:127.0.0.1:0 unix:{tmp_path}/with space")
    remote, local = parse(transport.address_of(listeners))
    assert remote.port == listeners[0].sock.getsockname()[1]
    assert local.path == f"{tmp_path}/with space"
    for endpoint in (remote, local):
        transport.connect(endpoint).close()
    for listener in listeners:
        listener.sock.close()


def test_all_listeners_or_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"the job cannot listen.*192\.0\.2\.1|192\.0\.2\.1.*cannot listen"):
        transport.listen(f"unix:{tmp_path}/socket tcp:192.0.2.1:0")
    with pytest.raises(ConnectionRefusedError):
        transport.connect(Endpoint("unix", path=f"{tmp_path}/socket"))


def test_tcp_does_not_wait_for_more_and_notices_a_dead_machine() -> None:
    (listener,) = transport.listen("tcp:127.0.0.1:0")
    client = transport.connect(listener.endpoint)
    assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert not transport.unheard(client)
    client.close()
    listener.sock.close()
