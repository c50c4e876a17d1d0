"""Who comes in: real connections, and the time as an argument."""

import resource
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fission.channel.wire.encoder import encode_control
from fission.channel.wire.frames import Frame, Hello
from fission.runtime.data.acceptor import Acceptor
from fission.runtime.sockets import transport
from fission.runtime.sockets.admission import AUTHENTICATION_SECONDS, AdmissionLimits
from fission.runtime.sockets.connection import Connection
from fission.runtime.sockets.poller import Poller
from fission.runtime.sockets.rate_limited_log import LINES, RateLimitedLog

HELLO = Hello(1, "run", 7, 1)


class Door:
    """An acceptor with at most four unauthenticated connections, and what it has done."""

    def __init__(self, address: str) -> None:
        self.poller = Poller()
        (self.listener,) = transport.listen(address)
        self.admitted: list[tuple[Frame, Sequence[Frame]]] = []
        self.logs: list[str] = []
        self.acceptor = Acceptor(
            [self.listener],
            self.poller,
            self._admit,
            log=lambda _level, text: self.logs.append(text),
            limits=AdmissionLimits(pending=4, per_address=4, ceiling=1 << 20),
        )
        self.acceptor.open()
        self.strangers: list[socket.socket] = []

    def _admit(self, connection: Connection, first: Frame, rest: Sequence[Frame]) -> None:
        self.admitted.append((first, rest))
        self.poller.drop(connection)

    def knock(self, said: bytes = b"") -> socket.socket:
        """Connect and say something."""
        sock = transport.connect(self.listener.endpoint)
        sock.settimeout(10)
        sock.sendall(said)
        self.strangers.append(sock)
        return sock

    def until(self, condition: Callable[[], object]) -> None:
        """Serve until the condition holds."""
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, self.logs
            self.poller.poll(0.05)


@pytest.fixture(params=["unix", "tcp"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    one = Door(f"unix:{tmp_path}/door" if request.param == "unix" else "tcp:127.0.0.1:0")
    yield one
    one.acceptor.close()
    for sock in one.strangers:
        sock.close()


def closed(sock: socket.socket) -> bool:
    """Whether the other side has closed, after all it said."""
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def test_who_says_hello_is_admitted(door: Door) -> None:
    door.knock(encode_control(HELLO))
    door.until(lambda: door.admitted)
    assert door.admitted == [(HELLO, [])]
    door.acceptor.tend(time.monotonic() + 60)
    assert not door.logs


def test_who_says_something_else_is_sent_away(door: Door) -> None:
    sock = door.knock(b"GET / HTTP/1.1\r\n\r\n")
    door.until(lambda: door.logs)
    assert closed(sock)
    assert "it does not speak our protocol" in door.logs[0]


def test_who_says_nothing_or_not_all_is_sent_away_in_time(door: Door) -> None:
    silent, slow = door.knock(), door.knock(encode_control(HELLO)[:9])
    door.until(lambda: len(door.acceptor) == 2)
    now = time.monotonic()
    door.acceptor.tend(now)
    assert len(door.acceptor) == 2
    door.acceptor.tend(now + AUTHENTICATION_SECONDS)
    assert closed(silent)
    assert closed(slow)
    assert ["HELLO is not complete: it has not authenticated within 5 s" in line for line in door.logs] == [
        True,
        True,
    ]


def test_who_leaves_without_a_word_is_no_warning(door: Door) -> None:
    door.knock().close()
    door.until(lambda: door.logs)
    assert "it was closed before its HELLO" in door.logs[0]
    assert not len(door.acceptor)


def test_many_who_say_nothing_do_not_keep_a_sender_out(door: Door) -> None:
    strangers = [door.knock() for _ in range(40)]
    door.until(lambda: len(door.logs) >= LINES)
    assert len(door.acceptor) == 4
    door.knock(encode_control(HELLO))
    door.until(lambda: door.admitted)
    assert closed(strangers[0])
    door.acceptor.tend(time.monotonic() + 1)
    assert len(door.logs) == LINES + 1
    assert "more lines like these" in door.logs[-1]


def test_without_descriptors_nobody_is_accepted_and_nothing_spins(door: Door) -> None:
    door.knock(encode_control(HELLO))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open("/dev/null", "rb") as file:
        free = file.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        door.until(lambda: door.logs)
        assert door.logs == ["no connection can be accepted: Too many open files"]
        assert not door.poller.poll(0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    door.acceptor.tend(time.monotonic())
    door.until(lambda: door.admitted)


def test_a_quiet_log_counts_what_it_leaves_out() -> None:
    lines: list[tuple[int, str]] = []
    log = RateLimitedLog(lambda level, text: lines.append((level, text)))
    for number in range(LINES + 3):
        log.say(40 if number == LINES + 1 else 30, str(number), 5.0)
    assert lines == [(30, str(number)) for number in range(LINES)]
    log.tend(5.9)
    assert len(lines) == LINES
    log.say(20, "next", 6.0)
    assert lines[LINES:] == [(40, "3 more lines like these within a second were left out"), (20, "next")]
    log.tend(99.0)
    assert len(lines) == LINES + 2
