"""The door of a console when the machine has no descriptor left."""

import errno
import socket
import threading
from pathlib import Path

import pytest

from fission.runtime.job import console_tls


class ListeningSocket:
    """Fails some times, then lets one in, who keeps the only place."""

    def __init__(self, guest: socket.socket) -> None:
        self.failures = 3
        self.guest = guest

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 1

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "none left")
        return self.guest, ("127.0.0.1", 2)


def test_a_failed_accept_takes_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    served = threading.Event()
    monkeypatch.setattr(console_tls, "GUESTS", 1)
    monkeypatch.setattr(console_tls, "_PAUSE", 0.001)
    monkeypatch.setattr(console_tls, "find_identity", lambda _folder: None)
    monkeypatch.setattr(console_tls, "server_context", lambda _identity: None)
    monkeypatch.setattr(console_tls.socket, "create_server", lambda *_, **__: ListeningSocket(theirs))
    monkeypatch.setattr(console_tls.ConsoleTlsListener, "_serve", lambda _door, _sock, _host: served.set())
    with ours, theirs:
        console_tls.ConsoleTlsListener("127.0.0.1", str(tmp_path), "", lambda _level, _text: None)
        assert served.wait(20)
