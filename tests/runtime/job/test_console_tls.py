"""Consoles on other machines: relayed, limited, and refused without a certificate of a client."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fission.runtime.job import console_tls
from fission.runtime.job.console_tls import NO_MORE, ConsoleTlsListener
from fission.runtime.sockets.admission import AdmissionLimits
from fission.security.ephemeral import ephemeral_authority
from kits.waiting import wait_for


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return ephemeral_authority(tmp_path_factory.mktemp("certs"), ["127.0.0.1"])


class Job:
    """The inside of a job: sends back each line, in capitals, and closes when the console types no more."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "inside")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen()
        self.logs: list[str] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(sock,), daemon=True).start()

    def _answer(self, sock: socket.socket) -> None:
        with sock:
            while data := sock.recv(1 << 16):
                sock.sendall(data.upper())

    def log(self, _level: int, text: str) -> None:
        self.logs.append(text)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    one = Job(tmp_path)
    yield one
    one.sock.close()


def dial(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), 20)


def console(address: str, folder: Path) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.check_hostname = False
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context.wrap_socket(dial(address))


def closed(sock: socket.socket) -> bool:
    """Whether the other side closes the connection without a byte."""
    try:
        return sock.recv(1) == b""
    except OSError:
        return True


def typed(address: str, folder: Path, text: bytes = b"hello\n") -> bytes:
    """Type something and return everything that comes."""
    with console(address, folder) as sock:
        sock.sendall(text + NO_MORE)
        out = b""
        while data := sock.recv(1 << 16):
            out += data
        return out


def test_lines_are_relayed(job: Job, certificates: Any) -> None:
    listener = ConsoleTlsListener("127.0.0.1", str(certificates.node("127.0.0.1")), job.path, job.log)
    assert typed(listener.address, certificates.client) == b"HELLO\n"
    large = b"x" * (1 << 19)
    assert typed(listener.address, certificates.client, large) == large.upper()


def test_silent_connections_take_no_place(
    job: Job, certificates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 of them held the 16 places of a console for as long as they liked."""
    monkeypatch.setattr(console_tls, "limits_for", lambda _: AdmissionLimits(8, 8, 1 << 20, 1.0))
    listener = ConsoleTlsListener("127.0.0.1", str(certificates.node("127.0.0.1")), job.path, job.log)
    silent = [dial(listener.address) for _ in range(40)]
    assert typed(listener.address, certificates.client) == b"HELLO\n"
    for sock in silent:
        assert sock.recv(1) == b"", "displaced, or closed when its time is over"
        sock.close()
    assert any("newer connections" in line for line in job.logs)


def test_a_node_may_not_type(job: Job, certificates: Any) -> None:
    folder = certificates.node("127.0.0.1")
    listener = ConsoleTlsListener("127.0.0.1", str(folder), job.path, job.log)
    with console(listener.address, folder) as sock:
        assert closed(sock)
    wait_for(lambda: any("the certificate is for another role" in line for line in job.logs))


def test_there_are_so_many_places(job: Job, certificates: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_tls, "PLACES", 2)
    listener = ConsoleTlsListener("127.0.0.1", str(certificates.node("127.0.0.1")), job.path, job.log)
    consoles = [console(listener.address, certificates.client) for _ in range(2)]
    for one in consoles:
        one.sendall(b"x")
        assert one.recv(1) == b"X"
    with console(listener.address, certificates.client) as third:
        assert closed(third)
    wait_for(lambda: any("2 consoles are connected" in line for line in job.logs))
    consoles[0].close()
    wait_for(lambda: _types(listener.address, certificates.client), "its place")
    consoles[1].close()


def _types(address: str, folder: Path) -> bool:
    try:
        return typed(address, folder) == b"HELLO\n"
    except OSError:
        return False


def test_a_failed_accept_takes_no_place(job: Job, certificates: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        """A listening socket that fails three times."""

        def __init__(self, real: socket.socket) -> None:
            self.real, self.failures = real, 3
            self.fileno, self.getsockname, self.setblocking = real.fileno, real.getsockname, real.setblocking

        def accept(self) -> Any:
            if self.failures:
                self.failures -= 1
                raise OSError(24, "none left")
            return self.real.accept()

    create = socket.create_server
    monkeypatch.setattr(console_tls, "PLACES", 1)
    monkeypatch.setattr(console_tls, "_PAUSE", 0.001)
    monkeypatch.setattr(console_tls.socket, "create_server", lambda *a, **b: Failing(create(*a, **b)))
    listener = ConsoleTlsListener("127.0.0.1", str(certificates.node("127.0.0.1")), job.path, job.log)
    assert typed(listener.address, certificates.client) == b"HELLO\n"
    assert any("no console can be accepted: none left" in line for line in job.logs)
