"""Whoever else connects to a job's port: he is sent away, and the stream goes on as if nothing had happened."""

import asyncio
import contextlib
import datetime as dt
import os
import pickle
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from wired import Certificates, Wired
from wired_jobs import chain

from fission.channel.wire.encoder import encode_batch, encode_control
from fission.channel.wire.frames import VERSION, Batch, Hello
from fission.runtime.sockets.endpoints import Endpoint, parse
from fission.security import Role
from fission.security.authority import Authority
from fission.security.ephemeral import EphemeralAuthority

SINK = 3


@dataclass
class Makers:
    """Certificates of one authority, right ones and wrong ones."""

    folder: Path
    authority: Authority

    def make(self, name: str, *, days_ago: int = 1, days: int = 10) -> Path:
        """A node's certificate, in a new folder."""
        folder = self.folder / name
        if not folder.exists():
            now = dt.datetime.now(dt.UTC) - dt.timedelta(days=days_ago)
            pair = self.authority.issue(Role.NODE, name, (name,), now=now, days=days)
            folder.mkdir(mode=0o700, parents=True)
            (folder / "key.pem").touch(0o600)
            for file, content in (("ca", self.authority.pem), ("cert", pair.certificate), ("key", pair.key)):
                (folder / f"{file}.pem").write_bytes(content)
        return folder

    def node(self, address: str) -> Path:
        """A certificate that is right."""
        return self.make(address)


@pytest.fixture
def makers(tmp_path: Path) -> Makers:
    return Makers(
        tmp_path / "certificates", Authority.create(dt.datetime.now(dt.UTC) - dt.timedelta(days=100))
    )


def dial(endpoint: Endpoint, said: bytes = b"") -> socket.socket:
    """Connect in clear text and say something."""
    sock = socket.create_connection((endpoint.host, endpoint.port), 20)
    sock.sendall(said)
    return sock


def dial_tls(endpoint: Endpoint, folder: Path | None, said: bytes = b"") -> socket.socket:
    """Connect with TLS, with a certificate or without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if folder is not None:
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    sock = context.wrap_socket(dial(endpoint))
    sock.sendall(said)
    return sock


def ended(sock: socket.socket) -> bool:
    """Wait until the other side has closed the connection."""
    with contextlib.suppress(OSError):
        while sock.recv(4096):
            pass
    sock.close()
    return True


class Bomb:
    """When it is unpickled, there is a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


def attack(
    tmp_path: Path,
    authority: Certificates,
    what: Callable[[Endpoint], object],
    *wanted: tuple[int, str],
    run: str = "",
) -> list[str]:
    """Do something to the sink of a running chain; the stream goes on. Returns what the sink has logged.

    That must have, or soon get, `wanted`: a text, and in how many lines it stands at least.
    """

    async def story() -> list[str]:
        tmp_path.joinpath("jobs").mkdir()
        jobs = chain(4096, delay=0.001)
        async with Wired(tmp_path / "jobs", jobs, "tls", authority, run=run) as wired:
            await wired.progress()
            (endpoint,) = parse(wired.addresses[SINK])
            task = asyncio.create_task(asyncio.to_thread(what, endpoint))
            await wired.progress()
            await task
            await wired.progress()
            for count, text in wanted:
                await wired.until(lambda: sum(text in line for line in wired.logs(SINK)) >= count, text)  # noqa: B023
            wired.stop_source()
            await wired.finished()
            assert wired.result() == {"received": wired.sent, "wrong": []}
            assert wired.counters(SINK, 2)["duplicates"] == 0, "the stream was cut"
            return wired.logs(SINK)

    return asyncio.run(story())


def test_an_incarnation_that_was_replaced_before_we_were_started(tmp_path: Path) -> None:
    async def story() -> None:
        async with Wired(tmp_path, chain(4096, delay=0.001), "tcp", senders={1: 1, 2: 2}) as wired:
            told = "start 1 of its sender was replaced by start 2"
            await wired.until(lambda: any(told in line for line in wired.logs(SINK)), told)
            assert wired.rounds(SINK) == 0

    asyncio.run(story())


def test_no_certificate(tmp_path: Path, makers: Makers) -> None:
    attack(tmp_path, makers, lambda there: ended(dial_tls(there, None)), (1, "it has shown no certificate"))


def test_a_foreign_authority(tmp_path: Path, makers: Makers) -> None:
    foreign = EphemeralAuthority(tmp_path / "foreign").node("127.0.0.2")
    attack(
        tmp_path, makers, lambda there: ended(dial_tls(there, foreign)), (1, "not signed by our authority")
    )


def test_a_certificate_that_has_expired(tmp_path: Path, makers: Makers) -> None:
    old = makers.make("127.0.0.9", days_ago=30, days=10)
    attack(tmp_path, makers, lambda there: ended(dial_tls(there, old)), (1, "its certificate has expired"))


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: me\r\n\r\n",
        bytes(range(256)) * 50,
        encode_control(Hello(VERSION, "run", 2, 1)),
    ],
    ids=["http", "garbage", "clear text"],
)
def test_no_tls(tmp_path: Path, makers: Makers, said: bytes) -> None:
    attack(tmp_path, makers, lambda there: ended(dial(there, said)), (1, "was closed: it"))


def test_members_of_the_cluster_that_say_the_wrong_thing(tmp_path: Path, makers: Makers) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "boom"))
    friend = makers.node("127.0.0.3")
    said = [
        bomb,
        encode_control(Hello(VERSION, "another run", 2, 1)),
        encode_control(Hello(VERSION, "another run", 77, 9)),
        b"".join(map(bytes, encode_batch(Batch(1, 1, 0, 1.0, 2.0, [bomb])))),
    ]

    def speak(there: Endpoint) -> None:
        for words in said:
            ended(dial_tls(there, friend, words))

    attack(
        tmp_path,
        makers,
        speak,
        (2, "does not speak our protocol"),
        (1, "refused: pipe 2: another run"),
        (1, "refused: no such pipe here"),
    )
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    ("incarnation", "address"),
    [((1 << 32) - 1, "127.0.0.3"), (2, "127.0.0.3"), (1, "127.0.0.9")],
    ids=["huge", "the next one", "another node"],
)
def test_a_member_that_pretends_to_be_the_sender(
    tmp_path: Path, makers: Makers, incarnation: int, address: str
) -> None:
    """One HELLO with a huge incarnation stopped the stream until a person killed the receiver."""
    member = makers.node(address)

    def pretend(there: Endpoint) -> None:
        for pipe in (2, 2, 2):
            ended(dial_tls(there, member, encode_control(Hello(VERSION, "0a1b", pipe, incarnation))))

    attack(tmp_path, makers, pretend, (3, "the client has not announced incarnation"), run="0a1b")


def test_those_who_take_their_time(tmp_path: Path, makers: Makers) -> None:
    """Nothing said, half a handshake, a handshake drop by drop, a member that says nothing: all have 5 s."""
    friend = makers.node("127.0.0.2")
    hello = _client_hello()

    def drip(there: Endpoint) -> None:
        sock = dial(there)
        with contextlib.suppress(OSError):
            for byte in hello:
                sock.sendall(bytes([byte]))
                time.sleep(0.1)  # it is the pace of this stranger, not a wait for something
        ended(sock)

    def linger(there: Endpoint) -> None:
        slow = threading.Thread(target=drip, args=(there,), daemon=True)
        slow.start()
        for sock in (dial(there), dial(there, hello[:100]), dial_tls(there, friend)):
            ended(sock)
        slow.join(30)
        assert not slow.is_alive()

    attack(tmp_path, makers, linger, (3, "handshake"), (1, "HELLO is not complete"))


def test_a_thousand_connections(tmp_path: Path, makers: Makers) -> None:
    """They are dropped, with few lines in the log, and a new sender gets in meanwhile."""
    friend = makers.node("127.0.0.2")

    def storm(there: Endpoint) -> None:
        socks = [dial(there) for _ in range(1000)]
        refused = dial_tls(there, friend, encode_control(Hello(VERSION, "another run", 2, 9)))
        assert ended(refused)
        for sock in socks:
            sock.close()

    logs = attack(tmp_path, makers, storm, (1, "more lines like these"))
    assert len(logs) < 100


def _client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(incoming, outgoing, server_hostname="127.0.0.4")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()
